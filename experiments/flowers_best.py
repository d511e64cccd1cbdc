"""Oxford 102 Flowers at 64x64: small batches and averaged weights.

    python -m experiments.flowers_best --data-dir FOLDER

MEASURED"""

from flaxgan.config import Config
from flaxgan.main import main

CONFIG = Config(dataset="oxford_flowers102", image_size=64, batch_size=16, evaluate_every=5)

if __name__ == "__main__":
    main(recipe=CONFIG)
