"""Fashion-MNIST, 28x28 grey, with the DCGAN and averaged weights, in batches of 64 for 50 epochs.

    python -m flaxgan.main --recipe fashion_mnist_dcgan --data-dir FOLDER

The baseline of fashion_mnist_best (docs/results.md, Fashion-MNIST).
"""

from flaxgan.config import Config
from flaxgan.main import main

CONFIG = Config.make(preset="plain", dataset="fashion_mnist", epochs=50, evaluate_every=10)

if __name__ == "__main__":
    main(recipe=CONFIG)
