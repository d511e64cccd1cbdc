"""Oxford 102 Flowers at 64x64 with the DCGAN of Radford et al. 2015, 25 epochs.

    python -m experiments.flowers_dcgan --data-dir FOLDER

MEASURED
"""

from flaxgan.config import Config
from flaxgan.main import main

CONFIG = Config(dataset="oxford_flowers102", image_size=64, epochs=25)

if __name__ == "__main__":
    main(recipe=CONFIG)
