"""Oxford 102 Flowers at 128x128, as flowers_best.

    python -m flaxgan.main --recipe flowers_best_128 --data-dir FOLDER

Measured for 2 of its 25 epochs (2,046 steps, 16,368 pictures), on two cores of an AMD EPYC with AVX-512 on a slow day, 15 minutes
of training: fd_efficientnet_lite0 373.6, KID 0.659, recall 0, feature_distance 11.1: round patches in the colours of flowers on
dark and green, chequered all over. That is hardly a beginning: at 18 images/s all 25 epochs are three hours.
experiments/RESULTS.md has the protocol.
"""

from flaxgan.config import Config
from flaxgan.main import main

CONFIG = Config(preset="plain", dataset="oxford_flowers102", image_size=128, batch_size=8, learning_rate=0.0004, evaluate_every=5)

if __name__ == "__main__":
    main(recipe=CONFIG)
