"""flaxgan: train GANs on small collections of pictures, in JAX and Flax."""

__version__ = "0.1.0"
