"""Oxford 102 Flowers at 64x64: small batches and averaged weights.

    python -m experiments.flowers_best --data-dir FOLDER

Measured at half the width (--features 32), one seed, all 25 epochs, in 36 minutes on two CPU cores (AMD EPYC) with another
training beside it: fd_efficientnet_lite0 is 207, 165, 124, 110 and 97.7 after 5, 10, 15, 20 and 25 epochs (2,048 samples, 8,189
photographs). The plain DCGAN of the same width and seed (--ema 0, batch 64) has 198.6 after 25 epochs. The full width has not
been run yet; experiments/RESULTS.md has the protocol.
"""

from flaxgan.config import Config
from flaxgan.main import main

CONFIG = Config(dataset="oxford_flowers102", image_size=64, batch_size=8, evaluate_every=5)

if __name__ == "__main__":
    main(recipe=CONFIG)
