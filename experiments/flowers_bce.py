"""Oxford 102 Flowers at 64x64 with binary cross-entropy and a gentle Adam; a picture an epoch, curves, real beside generated.

    python -m experiments.flowers_bce --data-dir FOLDER

Not yet run at its full length: nothing is claimed of its pictures (see experiments/RESULTS.md for what was measured, and how).
"""

from flaxgan.config import Config
from flaxgan.main import main

CONFIG = Config(dataset="oxford_flowers102", image_size=64, learning_rate=0.0001, epochs=25, evaluate_every=5)

if __name__ == "__main__":
    main(recipe=CONFIG)
