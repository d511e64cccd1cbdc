"""Grey photographs of flowers coloured, at 64x64.

    python -m flaxgan.main --recipe grey_to_flowers --data-dir FOLDER

The source is made of each photograph itself (--source grey), so that no pairs are needed.
"""

from flaxgan.config import Config
from flaxgan.main import main

CONFIG = Config.make(
    method="pix2pix",
    dataset="oxford_flowers102",
    source="grey",
    image_size=64,
    features=32,
    hours=0.5,
)

if __name__ == "__main__":
    main(recipe=CONFIG)
