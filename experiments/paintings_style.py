"""A folder of abstract paintings at 64x64 by style networks: the styles of two can be mixed.

    python -m flaxgan.main --recipe paintings_style --dataset FOLDER

Flips add the mirrored half of a small collection, and adaptive translation keeps the discriminator
from knowing the paintings by heart. A quarter of the paper's width, for a CPU (docs/style.md).
"""

from flaxgan.config import Config
from flaxgan.main import main

CONFIG = Config.make(
    preset="plain",
    dataset="./abstract_art",
    architecture="style",
    image_size=64,
    features=16,
    batch_size=8,
    epochs=100,
    augment="translation",
    augment_target=0.8,
    evaluate_every=10,
)

if __name__ == "__main__":
    main(recipe=CONFIG)
