"""Oxford 102 Flowers at 64x64 with binary cross-entropy and a gentle Adam; a picture an epoch, curves, real beside generated.

    python -m flaxgan.main --recipe flowers_bce --data-dir FOLDER

Measured, all 25 epochs (3,175 steps, 203,200 pictures), on one core of an AMD EPYC with AVX-512 with other work beside it, 87
minutes of training: fd_efficientnet_lite0 274, 243, 232, 229 and 210 after 5, 10, 15, 20 and 25 epochs (2,048 samples), at the
end KID 0.311, recall 0, feature_distance 12.6 (real: 15.8), memorised 0, and still falling: round blobs in the colours of flowers,
soft at the edges, at half the learning rate of flowers_dcgan (176 then). d_loss lies near 0.5 and g_loss falls from 10 to 3; the
accuracies swing between 0.6 and 1. experiments/RESULTS.md has the protocol.
"""

from flaxgan.config import Config
from flaxgan.main import main

CONFIG = Config(preset="plain", dataset="oxford_flowers102", image_size=64, learning_rate=0.0001, epochs=25, evaluate_every=5)

if __name__ == "__main__":
    main(recipe=CONFIG)
