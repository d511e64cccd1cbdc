"""Fashion-MNIST, 28x28 grey, with the DCGAN and averaged weights, in batches of 16 for 50 epochs.

    python -m flaxgan.main --recipe fashion_mnist_best --data-dir FOLDER

Small batches are ahead of fashion_mnist_dcgan early, and level with it at the end (docs/results.md,
Fashion-MNIST).
"""

from flaxgan.config import Config
from flaxgan.main import main

CONFIG = Config.make(
    preset="plain", dataset="fashion_mnist", batch_size=16, epochs=50, evaluate_every=5
)

if __name__ == "__main__":
    main(recipe=CONFIG)
