"""Oxford 102 Flowers at 128x128 by style networks, on a GPU.

    python -m flaxgan.main --recipe flowers_style_128 --data-dir FOLDER

On a CPU give --features 16, and days (docs/style.md).
"""

from flaxgan.config import Config
from flaxgan.main import main

CONFIG = Config.make(
    preset="plain",
    dataset="oxford_flowers102",
    architecture="style",
    image_size=128,
    features=32,
    batch_size=32,
    epochs=100,
    augment="translation",
    augment_target=0.8,
    evaluate_every=10,
)

if __name__ == "__main__":
    main(recipe=CONFIG)
