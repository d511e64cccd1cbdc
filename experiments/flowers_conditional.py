"""Oxford 102 Flowers at 64x64, each of its 102 kinds on demand.

    python -m experiments.flowers_conditional --data-dir FOLDER
    python -m flaxgan.sample RUN --class all --output classes.png

Not yet run at its full length: nothing is claimed of its pictures (see experiments/RESULTS.md for what was measured, and how).
"""

from flaxgan.config import Config
from flaxgan.main import main

CONFIG = Config(dataset="oxford_flowers102", image_size=64, conditional=True, batch_size=8, learning_rate=0.0004, evaluate_every=5)

if __name__ == "__main__":
    main(recipe=CONFIG)
