"""The networks: a file each architecture, a line in ARCHITECTURES, and its name in config.py."""

from flaxgan.models import dcgan, dense, resnet

ARCHITECTURES = {"dcgan": dcgan, "dense": dense, "resnet": resnet}
