"""Fashion-MNIST, 28x28 grey, with a DCGAN (averaged weights) for 50 epochs.

    python -m flaxgan.main --recipe fashion_mnist_dcgan --data-dir FOLDER

Measured: all 50 epochs (54,650 steps, 3,497,600 pictures) on one core of an AMD EPYC with AVX-512 on a slow day, 103 minutes of
training: fd_efficientnet_lite0 25.2, 21.4, 19.7, 18.7 and 17.8 after 10, 20, 30, 40 and 50 epochs, still falling, at the end KID
0.008, precision 0.673, recall 0.492, all ten classes, memorised 0.0005 (2,048 samples against 10,000 of the 70,000 pictures).
pictures/fashion_mnist_dcgan.png shows 64 samples of --seed 1. experiments/RESULTS.md has the protocol.
"""

from flaxgan.config import Config
from flaxgan.main import main

CONFIG = Config(preset="plain", dataset="fashion_mnist", epochs=50, evaluate_every=10)

if __name__ == "__main__":
    main(recipe=CONFIG)
