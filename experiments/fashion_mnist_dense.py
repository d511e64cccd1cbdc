"""Fashion-MNIST with a dense up-sampling generator against a convolutional discriminator with
dropout, 50 epochs.

    python -m flaxgan.main --recipe fashion_mnist_dense --data-dir FOLDER

After every epoch it keeps a checkpoint and logs discriminator accuracy, Fréchet distance and
diversity. Several times as slow as the DCGAN on a CPU; ten of its epochs have been
measured (docs/results.md, Fashion-MNIST).
"""

from flaxgan.config import Config
from flaxgan.main import main

CONFIG = Config.make(
    preset="plain",
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
