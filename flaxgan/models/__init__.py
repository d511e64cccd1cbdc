"""The networks: a file each architecture, a line in ARCHITECTURES, its name in options/gan.py."""

from typing import Any

from flaxgan.models import dcgan, dense, growing_dcgan, growing_style, resnet, style
from flaxgan.registry import Registry

ARCHITECTURES: Registry[Any] = Registry(
    "architecture", {"dcgan": dcgan, "dense": dense, "resnet": resnet, "style": style}
)
# of runs that grow (growth.py); their names are in options/gan.py, too
GROWING = {"dcgan": growing_dcgan, "style": growing_style}
