"""Oxford 102 Flowers at 64x64 with binary cross-entropy and a gentle Adam; a picture an epoch, curves, real beside generated.

    python -m experiments.flowers_bce --data-dir FOLDER

Measured for 5 of its 25 epochs (40,640 pictures), on one core of an AMD EPYC with AVX-512, 10 minutes of training:
fd_efficientnet_lite0 278, KID 0.436, recall 0, feature_distance 6.5 (real: 15.8): still blobs of colour, at half the learning
rate of flowers_dcgan (309 then, whose weights are not averaged). experiments/RESULTS.md has the protocol.
"""

from flaxgan.config import Config
from flaxgan.main import main

CONFIG = Config(dataset="oxford_flowers102", image_size=64, learning_rate=0.0001, epochs=25, evaluate_every=5)

if __name__ == "__main__":
    main(recipe=CONFIG)
