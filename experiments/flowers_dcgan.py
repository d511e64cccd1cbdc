"""Oxford 102 Flowers at 64x64 with the DCGAN of Radford et al. 2015, 25 epochs.

    python -m experiments.flowers_dcgan --data-dir FOLDER

Measured on 2 shared CPU cores (Xeon 2.8 GHz, AVX-512, jax 0.10.2) with other work beside it: 3,175 steps in 97 minutes. d_loss
settles near 0.7, g_loss near 3, and both accuracies swing between 0.6 and 1, as a healthy DCGAN's do. Blobs of colour at epoch 5, a
chequered texture at 10, outlines at 19, colourful flower-like shapes at 25; no mode collapse by eye. pictures/flowers_dcgan.png
shows 40 samples of --seed 1. Run before the random streams of initialising, training and sampling were separated: the same command
now draws other numbers, and so gives other pictures of the same kind.
"""

from flaxgan.config import Config
from flaxgan.main import main

CONFIG = Config(dataset="oxford_flowers102", image_size=64, epochs=25, ema=0)

if __name__ == "__main__":
    main(recipe=CONFIG)
