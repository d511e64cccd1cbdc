"""A folder of abstract paintings at 64x64 for 200 epochs: resized, cut to the middle, mirrored at random, scaled to [-1, 1].

    python -m experiments.abstract_art --dataset FOLDER

Not yet run at its full length: nothing is claimed of its pictures (see experiments/RESULTS.md for what was measured, and how).
"""

from flaxgan.config import Config
from flaxgan.main import main

CONFIG = Config(dataset="abstract_art", image_size=64, epochs=200, evaluate_every=20)

if __name__ == "__main__":
    main(recipe=CONFIG)
