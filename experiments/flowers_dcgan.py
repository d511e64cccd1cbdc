"""Oxford 102 Flowers at 64x64 with the DCGAN of Radford et al. 2015, without averaged weights, 25
epochs.

    python -m flaxgan.main --recipe flowers_dcgan --data-dir FOLDER

The baseline that the other recipes for flowers are compared with (docs/results.md, Flowers at
64x64).
"""

from flaxgan.config import Config
from flaxgan.main import main

CONFIG = Config.make(
    preset="plain", dataset="oxford_flowers102", image_size=64, epochs=25, ema=0, evaluate_every=5
)

if __name__ == "__main__":
    main(recipe=CONFIG)
