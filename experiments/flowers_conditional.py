"""Oxford 102 Flowers at 64x64: flowers_best with classes, so that each of the 102 kinds can be
asked for.

    python -m flaxgan.main --recipe flowers_conditional --data-dir FOLDER
    python -m flaxgan.sample RUN --class all --output classes.png

In 25 epochs classes cost distance; in longer runs they help (docs/results.md, Flowers at 64x64).
"""

from flaxgan.config import Config
from flaxgan.main import main

CONFIG = Config.make(
    preset="plain",
    dataset="oxford_flowers102",
    image_size=64,
    condition="class",
    batch_size=8,
    learning_rate=0.0004,
    evaluate_every=5,
)

if __name__ == "__main__":
    main(recipe=CONFIG)
