"""Oxford 102 Flowers at 64x64 with self-attention where the feature maps are 32x32.

    python -m experiments.flowers_attention --data-dir FOLDER

Measured for 2 of its 25 epochs (2,046 steps, 16,368 pictures), on two cores of an AMD EPYC with AVX-512: fd_efficientnet_lite0
211.3, KID 0.295, recall 0, feature_distance 14.1 (real: 15.8). Nothing can be said of attention so early; in narrow nets at
32x32 it brought a seventh with batches of 8 and an eighth with 64. experiments/RESULTS.md has the protocol.
"""

from flaxgan.config import Config
from flaxgan.main import main

CONFIG = Config(dataset="oxford_flowers102", image_size=64, attention=32, batch_size=8, learning_rate=0.0004, evaluate_every=5)

if __name__ == "__main__":
    main(recipe=CONFIG)
