"""Photographs of flowers enlarged four times, from 16x16 to 64x64.

    python -m flaxgan.main --recipe flowers_x4 --data-dir FOLDER

--image-size 128 enlarges from 32x32. The first half of the run learns from pixels alone. The
network whose features are compared afterwards is EfficientNet-Lite0: HED's (--perceptual-network
hed) took twice as long a step for about the same pictures.
"""

from flaxgan.config import Config
from flaxgan.main import main

CONFIG = Config.make(
    method="srgan",
    dataset="oxford_flowers102",
    scale=4,
    image_size=64,
    hours=0.5,
)

if __name__ == "__main__":
    main(recipe=CONFIG)
