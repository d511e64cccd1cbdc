"""A folder of abstract paintings at 64x64 for 200 epochs: resized, cut to the middle, mirrored at random, scaled to [-1, 1].

    python -m experiments.abstract_art --dataset FOLDER

Measured for 10 of its 200 epochs (430 steps, 27,520 pictures) of 2,781 paintings, on two cores of an AMD EPYC with AVX-512, 2
minutes of training: fd_efficientnet_lite0 265.0, KID 0.271, recall 0, feature_distance 8.6, memorised 0: so early the pictures
are still alike; abstract_art_best, in smaller batches, has 232.0 then. experiments/RESULTS.md has the protocol.
"""

from flaxgan.config import Config
from flaxgan.main import main

CONFIG = Config(dataset="abstract_art", image_size=64, epochs=200, evaluate_every=20)

if __name__ == "__main__":
    main(recipe=CONFIG)
