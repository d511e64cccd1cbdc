"""The networks: a file each architecture, and a line in ARCHITECTURES."""

from flaxgan.models import dcgan, dense, resnet
from flaxgan.models.sizes import base_size, stage_widths

ARCHITECTURES = {"dcgan": dcgan, "dense": dense, "resnet": resnet}

__all__ = ["ARCHITECTURES", "base_size", "stage_widths"]
