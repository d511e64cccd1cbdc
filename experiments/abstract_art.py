"""A folder of abstract paintings at 64x64 for 200 epochs: resized, cut to the middle, mirrored at random, scaled to [-1, 1].

    python -m experiments.abstract_art --dataset FOLDER

Measured for 40 of its 200 epochs (1,720 steps, 110,080 pictures) of 2,781 paintings, on an AMD EPYC with AVX-512 on a slow day,
31 minutes of training: fd_efficientnet_lite0 245.9 and 219.3 after 20 and 40 epochs, at the end KID 0.202, precision 0.799, recall
0, feature_distance 11.7, memorised 0, and still falling; abstract_art_best, in smaller batches, has 152.4 after 30 epochs.
experiments/RESULTS.md has the protocol.
"""

from flaxgan.config import Config
from flaxgan.main import main

CONFIG = Config(dataset="abstract_art", image_size=64, epochs=200, evaluate_every=20)

if __name__ == "__main__":
    main(recipe=CONFIG)
