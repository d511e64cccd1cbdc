"""Drawings of edges turned into photographs of flowers at 64x64: sketch to flower.

    python -m flaxgan.main --recipe edges_to_flowers --data-dir FOLDER

The source is made of each photograph itself (--source edges), so that no pairs are needed.
"""

from flaxgan.config import Config
from flaxgan.main import main

CONFIG = Config.make(
    method="pix2pix",
    dataset="oxford_flowers102",
    source="edges",
    image_size=64,
    features=32,
    hours=0.5,
)

if __name__ == "__main__":
    main(recipe=CONFIG)
