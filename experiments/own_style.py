"""Your own photographs in the style of your own pictures of another kind: a folder each.

    python -m flaxgan.main --recipe own_style --dataset PHOTOS --target PICTURES

cut learns one direction, in a third of the time of cyclegan. A hundred pictures of each are a
start; longer runs (--hours 2) go further from the photograph.
"""

from flaxgan.config import Config
from flaxgan.main import main

CONFIG = Config.make(
    method="cut",
    dataset="./photos",
    target="./pictures",
    hours=0.5,
)

if __name__ == "__main__":
    main(recipe=CONFIG)
