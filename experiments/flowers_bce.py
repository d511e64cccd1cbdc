"""Oxford 102 Flowers at 64x64 with binary cross-entropy and half the usual learning rate, 25
epochs.

    python -m flaxgan.main --recipe flowers_bce --data-dir FOLDER

It shows what a lower rate costs: soft blobs in the colours of flowers after 25 epochs
(docs/results.md, Flowers at 64x64).
"""

from flaxgan.config import Config
from flaxgan.main import main

CONFIG = Config.make(
    preset="plain",
    dataset="oxford_flowers102",
    image_size=64,
    learning_rate=0.0001,
    epochs=25,
    evaluate_every=5,
)

if __name__ == "__main__":
    main(recipe=CONFIG)
