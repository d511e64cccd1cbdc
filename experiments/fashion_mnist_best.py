"""Fashion-MNIST with small batches and averaged weights.

    python -m experiments.fashion_mnist_best --data-dir FOLDER

Not yet run at its full length: nothing is claimed of its pictures (see experiments/RESULTS.md for what was measured, and how).
"""

from flaxgan.config import Config
from flaxgan.main import main

CONFIG = Config(dataset="fashion_mnist", batch_size=16, epochs=50, evaluate_every=5)

if __name__ == "__main__":
    main(recipe=CONFIG)
