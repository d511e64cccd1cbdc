"""Oxford 102 Flowers at 64x64: flowers_best, grown from 8x8 in four phases.

    python -m flaxgan.main --recipe flowers_grow --data-dir FOLDER

Half of the pictures are seen at 8, 16 and 32 pixels, where a step takes a fraction of the time.
python -m benchmarks.growth compares it with the same networks at full size (docs/growth.md).
"""

from flaxgan.config import Config
from flaxgan.main import main

CONFIG = Config.make(
    preset="plain",
    dataset="oxford_flowers102",
    image_size=64,
    batch_size=8,
    learning_rate=0.0004,
    evaluate_every=5,
    grow=8,
)

if __name__ == "__main__":
    main(recipe=CONFIG)
