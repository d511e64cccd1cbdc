"""The built-in flowers at 32x32 by words: sentences about number, shape and colour of petals, and
the background. No data are needed, but the encoder of words is (docs/text.md).

    python -m flaxgan.main --recipe synthetic_text
    python -m flaxgan.sample RUN --prompt "five round pink petals on dark green"

A fifth of the pictures is held out, each species on one of the backgrounds: what python -m
flaxgan.evaluate asks for.
"""

from flaxgan.config import Config
from flaxgan.main import main

CONFIG = Config.make(
    preset="plain",
    dataset="synthetic_flowers",
    condition="text",
    image_size=32,
    features=32,
    d_features=64,
    batch_size=8,
    learning_rate=0.0004,
    d_norm="none",
    matching=0.2,
    matching_penalty=2.0,
    epochs=100,
    evaluate_every=20,
)

if __name__ == "__main__":
    main(recipe=CONFIG)
