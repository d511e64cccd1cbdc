"""Photographs of flowers turned into abstract paintings at 64x64, without pairs: the method cut.

    python -m flaxgan.main --recipe flowers_to_paintings --target FOLDER

FOLDER has the paintings. --method cyclegan instead of the recipe's also learns the way back.
"""

from flaxgan.config import Config
from flaxgan.main import main

CONFIG = Config.make(
    method="cut",
    dataset="oxford_flowers102",
    target="./paintings",
    image_size=64,
    features=32,
    hours=0.5,
)

if __name__ == "__main__":
    main(recipe=CONFIG)
