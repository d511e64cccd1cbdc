"""A folder of abstract paintings at 64x64 with small batches, twice the learning rate and averaged weights.

    python -m experiments.abstract_art_best --dataset FOLDER

Measured: all 100 epochs (34,700 steps, 277,600 pictures) of 2,781 paintings, on an AMD EPYC with AVX-512 on a slow day, 104 minutes
of training, most of it on one core: fd_efficientnet_lite0 169.6, 140.5, 120.4, 109.5 and 105.1 after 20, 40, 60, 80 and 100 epochs,
at the end KID 0.056, precision 0.531, recall 0.023, feature_distance 18.0, memorised 0. It passes the last value of abstract_art,
the plain DCGAN, after two fifths of the pictures, but repeats its shapes, and gets worse if it goes on (110.2 after 120),
unless resumed with --augment translation (94.5 after 130), which from the start made narrow nets worse over 60 epochs of as many
pictures. pictures/abstract_art_best.png shows 64 samples of --seed 1. experiments/RESULTS.md has the protocol.
"""

from flaxgan.config import Config
from flaxgan.main import main

CONFIG = Config(
    dataset="abstract_art",
    image_size=64,
    epochs=100,
    batch_size=8,
    learning_rate=0.0004,
    evaluate_every=10,
)

if __name__ == "__main__":
    main(recipe=CONFIG)
