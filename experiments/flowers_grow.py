"""Oxford 102 Flowers at 64x64, grown from pictures of 8x8, 16x16 and 32x32 in one run.

    python -m flaxgan.main --recipe flowers_grow --data-dir FOLDER

It takes longer to an equal distance than the same networks at full size (docs/growth.md), and is
here to be compared with.
"""

from flaxgan.config import Config
from flaxgan.main import main

CONFIG = Config.make(
    preset="plain",
    dataset="oxford_flowers102",
    image_size=64,
    grow=8,
    features=32,
    d_features=64,
    batch_size=8,
    learning_rate=0.0004,
    epochs=25,
    evaluate_every=5,
)

if __name__ == "__main__":
    main(recipe=CONFIG)
