"""A folder of your own pictures, a few hundred or more, with the remedies for few pictures switched on.

    python -m experiments.own_images --dataset FOLDER

Small batches learn most from each picture; augmentation keeps the discriminator from learning a small collection by heart, so
that long runs go on getting better; the best checkpoint is kept, for the last need not be it.

Not yet run at its full length: nothing is claimed of its pictures (see experiments/RESULTS.md for what was measured, and how).
"""

from flaxgan.config import Config
from flaxgan.main import main

CONFIG = Config(
    dataset="own_images",
    image_size=64,
    epochs=600,
    batch_size=8,
    learning_rate=0.0004,
    augment="translation",
    evaluate_every=20,
)

if __name__ == "__main__":
    main(recipe=CONFIG)
