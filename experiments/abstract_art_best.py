"""A folder of abstract paintings at 64x64 with small batches, twice the learning rate and averaged weights.

    python -m experiments.abstract_art_best --dataset FOLDER

Not yet run at its full length: nothing is claimed of its pictures (see experiments/RESULTS.md for what was measured, and how).
"""

from flaxgan.config import Config
from flaxgan.main import main

CONFIG = Config(
    dataset="abstract_art",
    image_size=64,
    epochs=200,
    batch_size=8,
    learning_rate=0.0004,
    evaluate_every=20,
)

if __name__ == "__main__":
    main(recipe=CONFIG)
