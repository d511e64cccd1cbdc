"""Oxford 102 Flowers at 64x64: small batches, twice the learning rate, averaged weights, 25 epochs.

    python -m flaxgan.main --recipe flowers_best --data-dir FOLDER

In a short run the number of steps counts most, so small batches come nearest on a CPU. For a longer
run add --conditional --batch-size 32 --learning-rate 0.0008; --features 32 --d-features 64 is
nearly as good and faster, --d-features 128 --augment translation --augment-target 0.8 better in
twice the time. On a GPU other flags do more (docs/results.md, Flowers at 64x64 and On a GPU).
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
)

if __name__ == "__main__":
    main(recipe=CONFIG)
