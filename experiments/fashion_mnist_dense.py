"""Fashion-MNIST with a dense up-sampling generator against a convolutional discriminator with dropout, 50 epochs.

    python -m experiments.fashion_mnist_dense --data-dir FOLDER

After every epoch: a checkpoint, discriminator accuracy, Frechet distance, diversity, and loss curves.

Not yet run at its full length: nothing is claimed of its pictures (see experiments/RESULTS.md for what was measured, and how).
"""

from flaxgan.config import Config
from flaxgan.main import main

CONFIG = Config(
    dataset="fashion_mnist",
    architecture="dense",
    dropout=0.4,
    g_learning_rate=0.0001,
    d_learning_rate=5e-05,
    epochs=50,
    evaluate_every=1,
    keep_checkpoints=50,
)

if __name__ == "__main__":
    main(recipe=CONFIG)
