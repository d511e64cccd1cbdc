"""Oxford 102 Flowers at 64x64 with the DCGAN of Radford et al. 2015, 25 epochs.

    python -m flaxgan.main --recipe flowers_dcgan --data-dir FOLDER

Measured, all 25 epochs (3,175 steps, 203,200 pictures), on one core of an AMD EPYC with AVX-512, jax 0.10.2, 44 minutes of
training: fd_efficientnet_lite0 309, 244, 217, 209 and 176 after 5, 10, 15, 20 and 25 epochs (2,048 samples); on 8,189 other
samples at the end 172.5, KID 0.246, precision 0.035, recall 0, feature_distance 13.4 (real: 15.8), memorised 0. Coloured,
chequered shapes in the outlines of flowers; no mode collapse. d_loss settles near 0.7, g_loss near 3, and both accuracies swing
between 0.6 and 1, as a healthy DCGAN's do. pictures/flowers_dcgan.png shows 64 samples of --seed 1. experiments/RESULTS.md has
the protocol.
"""

from flaxgan.config import Config
from flaxgan.main import main

CONFIG = Config(preset="plain", dataset="oxford_flowers102", image_size=64, epochs=25, ema=0, evaluate_every=5)

if __name__ == "__main__":
    main(recipe=CONFIG)
