"""Oxford 102 Flowers at 64x64: flowers_best with self-attention where the feature maps are 32x32.

    python -m flaxgan.main --recipe flowers_attention --data-dir FOLDER

A negative result: at this width attention makes the discriminator too strong, and the distance is
more than twice that of flowers_best. In narrow networks at 32x32 attention helps (docs/results.md,
Flowers at 64x64).
"""

from flaxgan.config import Config
from flaxgan.main import main

CONFIG = Config.make(
    preset="plain",
    dataset="oxford_flowers102",
    image_size=64,
    attention=32,
    batch_size=8,
    learning_rate=0.0004,
    evaluate_every=5,
)

if __name__ == "__main__":
    main(recipe=CONFIG)
