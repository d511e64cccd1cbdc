"""Emoji of one style drawn in another, from pairs of 64x64 pictures.

    python experiments/data/emoji_pairs.py emoji-datasource-*.tgz --output pairs
    python -m flaxgan.main --recipe emoji_styles --dataset pairs

The script says where the pictures come from. L1 blurs where the two styles differ in what they
draw; --method cut --dataset pairs/source --target pairs/target does not.
"""

from flaxgan.config import Config
from flaxgan.main import main

CONFIG = Config.make(
    method="pix2pix",
    dataset="./pairs",
    image_size=64,
    features=32,
    flip=False,
    hours=0.5,
)

if __name__ == "__main__":
    main(recipe=CONFIG)
