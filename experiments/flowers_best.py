"""Oxford 102 Flowers at 64x64: small batches and averaged weights.

    python -m experiments.flowers_best --data-dir FOLDER

Measured at half the width (--features 32) and 10 of its 25 epochs, on two shared CPU cores, in 23 minutes: fd_efficientnet_lite0
is 231 after 5 epochs and 194 after 10 (2,048 samples, 8,189 photographs), where PyTorch's DCGAN example at full width has 284 and
261. The full length and width have not been run yet; experiments/RESULTS.md has the protocol.
"""

from flaxgan.config import Config
from flaxgan.main import main

CONFIG = Config(dataset="oxford_flowers102", image_size=64, batch_size=16, evaluate_every=5)

if __name__ == "__main__":
    main(recipe=CONFIG)
