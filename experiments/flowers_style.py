"""Oxford 102 Flowers at 64x64 by style networks: the styles of two flowers can be mixed.

    python -m flaxgan.main --recipe flowers_style --data-dir FOLDER

The preset chooses what the networks' paper and code do: Adam's decays and rate, and R1 every 16
steps. A quarter of the paper's width, for a CPU: there a step takes several times as long as the
DCGAN's (docs/style.md). On a GPU add --features 64 --batch-size 32.
"""

from flaxgan.config import Config
from flaxgan.main import main

CONFIG = Config.make(
    preset="plain",
    dataset="oxford_flowers102",
    architecture="style",
    image_size=64,
    features=16,
    batch_size=8,
    epochs=25,
    augment="translation",
    augment_target=0.8,
    evaluate_every=5,
)

if __name__ == "__main__":
    main(recipe=CONFIG)
