"""A folder of abstract paintings at 64x64 for 200 epochs: resized, cut to the middle, mirrored at random, scaled to [-1, 1].

    python -m flaxgan.main --recipe abstract_art --dataset FOLDER

Measured: all 200 epochs (8,600 steps, 550,400 pictures) of 2,781 paintings, on an AMD EPYC with AVX-512 on a slow day, 154 minutes
of training, most of it on one core: fd_efficientnet_lite0 219.3, 163.4, 145.9, 123.4 and 111.1 after 40, 80, 120, 160 and 200
epochs, at the end KID 0.076, precision 0.756, recall 0.006, feature_distance 16.5, memorised 0, and still falling;
abstract_art_best, in smaller batches, is there after 80. pictures/abstract_art.png shows 64 samples of --seed 1.
experiments/RESULTS.md has the protocol.
"""

from flaxgan.config import Config
from flaxgan.main import main

CONFIG = Config(preset="plain", dataset="./abstract_art", image_size=64, epochs=200, evaluate_every=20)

if __name__ == "__main__":
    main(recipe=CONFIG)
