"""A folder of abstract paintings at 64x64 by style networks.

    python -m flaxgan.main --recipe paintings_style --dataset FOLDER

Few paintings are soon known by heart: --augment-target 0.8 translates as many as it takes.
"""

from flaxgan.config import Config
from flaxgan.main import main

CONFIG = Config.make(
    preset="plain",
    dataset="./abstract_art",
    architecture="style",
    image_size=64,
    features=32,
    batch_size=8,
    epochs=100,
    augment="translation",
    augment_target=0.8,
    evaluate_every=10,
)

if __name__ == "__main__":
    main(recipe=CONFIG)
