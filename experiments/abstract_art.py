"""A folder of abstract paintings at 64x64 with the DCGAN and averaged weights, in batches of 64 for
200 epochs.

    python -m flaxgan.main --recipe abstract_art --dataset FOLDER

The baseline of abstract_art_best. It learns more slowly and still gets better at its end
(docs/results.md, Paintings).
"""

from flaxgan.config import Config
from flaxgan.main import main

CONFIG = Config.make(
    preset="plain", dataset="./abstract_art", image_size=64, epochs=200, evaluate_every=20
)

if __name__ == "__main__":
    main(recipe=CONFIG)
