"""Exported networks compute what the run's do, and files of them are read as a stranger's are."""

import jax
import numpy as np

from flaxgan.config import Config
from flaxgan.methods import method_of

KINDS = {
    "dcgan": {},
    "dcgan, classes, attention": {"num_classes": 3, "attention": 8},
    "dcgan, grey, not square": {"channels": 1, "image_size": (16, 40)},
    "dcgan, in bfloat16": {"precision": "bfloat16"},
    "dense": {"architecture": "dense"},
    "dense, classes, attention": {"architecture": "dense", "num_classes": 3, "attention": 8},
    "resnet": {"architecture": "resnet"},
    "resnet, classes, grey": {"architecture": "resnet", "num_classes": 3, "channels": 1},
    "pix2pix": {"method": "pix2pix", "source": "edges"},
    "pix2pix, resnet": {"method": "pix2pix", "source": "edges", "generator": "resnet", "blocks": 1},
    "cyclegan": {"method": "cyclegan", "target": "x", "blocks": 1},
    "cut": {"method": "cut", "target": "x", "antialias": True, "blocks": 1},
    "srgan": {"method": "srgan", "scale": 2, "blocks": 1},
    "srgan, thrice": {"method": "srgan", "scale": 3, "blocks": 1, "image_size": 48},
}


def generators(fields):
    """The networks of an untrained run with weights and statistics that are not those of a start,
    and its configuration.
    """
    config = Config.make(**({"image_size": 16, "channels": 3, "features": 4, "ema": 0} | fields))
    networks = method_of(config).generators(method_of(config).create_state(config), {})
    rng = np.random.default_rng(0)

    def moved(tree, least, most):
        return jax.tree.map(lambda x: x + rng.uniform(least, most, x.shape).astype("f"), tree)

    return config, {
        name: network.replace(
            params=moved(network.params, -0.2, 0.2), batch_stats=moved(network.batch_stats, 0.1, 1)
        )
        for name, network in networks.items()
    }
