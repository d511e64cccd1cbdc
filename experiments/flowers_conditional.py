"""Oxford 102 Flowers at 64x64, each of its 102 kinds on demand.

    python -m experiments.flowers_conditional --data-dir FOLDER
    python -m flaxgan.sample RUN --class all --output classes.png

Measured for 5 of its 25 epochs (40,920 pictures), on one core of an AMD EPYC with AVX-512, 13 minutes of training:
fd_efficientnet_lite0 187.7, KID 0.283, feature_distance 14.6, about as flowers_best then (191.1). class_agreement is 0.034: so
early the pictures show hardly anything of their class. experiments/RESULTS.md has the protocol.
"""

from flaxgan.config import Config
from flaxgan.main import main

CONFIG = Config(dataset="oxford_flowers102", image_size=64, conditional=True, batch_size=8, learning_rate=0.0004, evaluate_every=5)

if __name__ == "__main__":
    main(recipe=CONFIG)
