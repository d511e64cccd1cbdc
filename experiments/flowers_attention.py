"""Oxford 102 Flowers at 64x64 with self-attention where the feature maps are 32x32.

    python -m flaxgan.main --recipe flowers_attention --data-dir FOLDER

Measured, all 25 epochs (25,575 steps, 204,600 pictures), on an AMD EPYC with AVX-512 on a slow day, most of it on one core, 145
minutes of training: fd_efficientnet_lite0 196.9, 177.5, 159.4, 149.6 and 157.7 after 5, 10, 15, 20 and 25 epochs, at the end KID
0.227, precision 0.002, recall 0, feature_distance 15.5 (real: 15.8), memorised 0. So it is much worse than flowers_best, which is
this without attention (66.2): the discriminator tells nearly all pictures apart from the sixth epoch on, and petals become blots.
In narrow nets at 32x32 attention brought a seventh with batches of 8 and an eighth with 64.
experiments/RESULTS.md has the protocol.
"""

from flaxgan.config import Config
from flaxgan.main import main

CONFIG = Config(
    preset="plain", dataset="oxford_flowers102", image_size=64, attention=32, batch_size=8, learning_rate=0.0004, evaluate_every=5
)

if __name__ == "__main__":
    main(recipe=CONFIG)
