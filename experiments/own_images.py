"""A folder of your own pictures, a few hundred or more, with the remedies for few pictures switched
on.

    python -m flaxgan.main --recipe own_images --dataset FOLDER

Small batches learn most from each picture, translation keeps the discriminator from learning a
small collection by heart, and evaluation keeps the best checkpoint, which need not be the last. Of
four choices of remedies this one had the lowest distance and no copies (docs/results.md, Few
pictures).
"""

from flaxgan.config import Config
from flaxgan.main import main

CONFIG = Config.make(
    preset="plain",
    dataset="./own_images",
    image_size=64,
    epochs=600,
    batch_size=8,
    learning_rate=0.0004,
    augment="translation",
    evaluate_every=20,
)

if __name__ == "__main__":
    main(recipe=CONFIG)
