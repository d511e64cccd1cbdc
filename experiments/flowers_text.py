"""Oxford 102 Flowers at 64x64 by words: flowers_best, its generator half as wide, with sentences
about the name of each flower.

    python -m flaxgan.main --recipe flowers_text --data-dir FOLDER
    python -m flaxgan.sample RUN --prompt "an orange dahlia flower"

The names stand in several sentences, so that others are understood, too (docs/text.md).
"""

from flaxgan.config import Config
from flaxgan.main import main

CONFIG = Config.make(
    preset="plain",
    dataset="oxford_flowers102",
    condition="text",
    caption=(
        "a photo of a {class}|a {class} flower|{class}|a close-up of the flower {class}"
        "|a picture of a {class} in bloom|this flower is called {class}"
    ),
    image_size=64,
    features=32,
    d_features=64,
    batch_size=8,
    learning_rate=0.0004,
    evaluate_every=5,
)

if __name__ == "__main__":
    main(recipe=CONFIG)
