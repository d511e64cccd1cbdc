"""The networks: a file each architecture, a line in ARCHITECTURES, its name in options/gan.py."""

from typing import Any

from flaxgan.models import dcgan, dense, resnet, style
from flaxgan.registry import Registry

ARCHITECTURES: Registry[Any] = Registry(
    "architecture", {"dcgan": dcgan, "dense": dense, "resnet": resnet, "style": style}
)
