"""Oxford 102 Flowers at 64x64: small batches, twice the learning rate, averaged weights.

    python -m flaxgan.main --recipe flowers_best --data-dir FOLDER

Measured, all 25 epochs (25,575 steps, 204,600 pictures), on one core of an AMD EPYC with AVX-512, jax 0.10.2, 60 minutes of
training: fd_efficientnet_lite0 191, 134, 96.8, 76.1 and 66.2 after 5, 10, 15, 20 and 25 epochs (2,048 samples). The best
checkpoint, the last, on 8,189 other samples: 62.7, KID 0.074, precision 0.227, recall 0.011, feature_distance 15.1 (real:
15.8), memorised 0; the plain DCGAN (flowers_dcgan) has 172.5 then. The distance was still falling. For a longer run,
add --conditional --batch-size 32 --learning-rate 0.0008: in nets a quarter as wide, at 32x32, that took the distance to 67 and 64
(two seeds) in 100 epochs, where 500 without ended near 80. On a GPU other flags do more in half a minute (README, On a GPU).
With --features 32 --d-features 64, whose generator is half as wide, it was level after 20 epochs (192.8, 116.2, 93.2, 77.6), at 1.3
times as many images/s.
pictures/flowers_best.png shows 64 samples of --seed 1. Attention at half the size made narrow nets better still by a twentieth,
and this one much worse (flowers_attention). experiments/RESULTS.md has the protocol.
"""

from flaxgan.config import Config
from flaxgan.main import main

CONFIG = Config(preset="plain", dataset="oxford_flowers102", image_size=64, batch_size=8, learning_rate=0.0004, evaluate_every=5)

if __name__ == "__main__":
    main(recipe=CONFIG)
