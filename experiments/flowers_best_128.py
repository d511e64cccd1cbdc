"""Oxford 102 Flowers at 128x128: flowers_best at twice the height and width.

    python -m flaxgan.main --recipe flowers_best_128 --data-dir FOLDER

Only its first two epochs have been measured; all 25 take hours on a CPU (docs/results.md, Flowers
at 64x64).
"""

from flaxgan.config import Config
from flaxgan.main import main

CONFIG = Config.make(
    preset="plain",
    dataset="oxford_flowers102",
    image_size=128,
    batch_size=8,
    learning_rate=0.0004,
    evaluate_every=5,
)

if __name__ == "__main__":
    main(recipe=CONFIG)
