"""Oxford 102 Flowers at 128x128, as flowers_best.

    python -m experiments.flowers_best_128 --data-dir FOLDER

Not yet run at its full length: nothing is claimed of its pictures (see experiments/RESULTS.md for what was measured, and how).
"""

from flaxgan.config import Config
from flaxgan.main import main

CONFIG = Config(dataset="oxford_flowers102", image_size=128, batch_size=8, learning_rate=0.0004, evaluate_every=5)

if __name__ == "__main__":
    main(recipe=CONFIG)
