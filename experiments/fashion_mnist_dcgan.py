"""Fashion-MNIST, 28x28 grey, with a plain DCGAN for 50 epochs.

    python -m experiments.fashion_mnist_dcgan --data-dir FOLDER

Not yet run at its full length: nothing is claimed of its pictures (see experiments/RESULTS.md for what was measured, and how).
"""

from flaxgan.config import Config
from flaxgan.main import main

CONFIG = Config(dataset="fashion_mnist", epochs=50, evaluate_every=10)

if __name__ == "__main__":
    main(recipe=CONFIG)
