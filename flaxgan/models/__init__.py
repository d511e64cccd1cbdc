"""The networks: a file each architecture, a line in ARCHITECTURES, and its name in config.py."""

from flaxgan.models import dcgan, dense, resnet
from flaxgan.models.sizes import base_size, stage_widths

ARCHITECTURES = {"dcgan": dcgan, "dense": dense, "resnet": resnet}

__all__ = ["ARCHITECTURES", "base_size", "stage_widths"]
