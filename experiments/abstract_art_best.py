"""A folder of abstract paintings at 64x64: small batches, twice the learning rate, adaptive
augmentation.

    python -m flaxgan.main --recipe abstract_art_best --dataset FOLDER

Small batches alone wear out once the discriminator knows the paintings by heart, and translation
from the first step slows the beginning. --augment-target 0.8 translates only as many pictures as
keep the discriminator right about 0.8 of the real ones (docs/results.md, Paintings).
"""

from flaxgan.config import Config
from flaxgan.main import main

CONFIG = Config.make(
    preset="plain",
    dataset="./abstract_art",
    image_size=64,
    epochs=250,
    batch_size=8,
    learning_rate=0.0004,
    augment="translation",
    augment_target=0.8,
    evaluate_every=10,
)

if __name__ == "__main__":
    main(recipe=CONFIG)
