"""Oxford 102 Flowers at 128x128 by style networks: flowers_style at twice the height and width.

    python -m flaxgan.main --recipe flowers_style_128 --data-dir FOLDER

A step takes 0.6 seconds of a CPU core: all 25 epochs are for a GPU, or a night on a CPU. On a
GPU add --features 64 --batch-size 32.
"""

from flaxgan.config import Config
from flaxgan.main import main

CONFIG = Config.make(
    preset="plain",
    dataset="oxford_flowers102",
    architecture="style",
    image_size=128,
    features=16,
    batch_size=8,
    epochs=25,
    augment="translation",
    augment_target=0.8,
    evaluate_every=1,
)

if __name__ == "__main__":
    main(recipe=CONFIG)
