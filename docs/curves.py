"""Which runs of the measured numbers the documentation's curves show."""

from typing import NamedTuple


class Curve(NamedTuple):
    """The Fréchet distance of each run in a CSV file, over `x`."""

    source: str
    title: str
    runs: tuple[str, ...]
    x: str = "epoch"


def _of(name: str) -> str:
    return f"experiments/results/{name}.csv"


CURVES = {
    "flowers_64": Curve(
        _of("flowers_64"),
        "Oxford 102 Flowers, 64x64, full width",
        (
            "flowers_bce",
            "flowers_dcgan",
            "flowers_attention",
            "flowers_conditional",
            "flowers_best, generator half as wide",
            "flowers_best",
            "flowers_best, feature discriminator",
            "flowers_features",
        ),
    ),
    "fashion_mnist": Curve(
        _of("fashion_mnist"),
        "Fashion-MNIST, 28x28",
        ("fashion_mnist_dcgan", "fashion_mnist_best", "fashion_mnist_best, feature discriminator"),
    ),
    "paintings_64": Curve(
        _of("paintings_64"),
        "2,781 abstract paintings, 64x64, full width",
        (
            "abstract_art",
            "small batches alone",
            "small batches, translation from epoch 122",
            "small batches, translation from the start",
            "abstract_art_best",
        ),
    ),
    "long_narrow_32": Curve(
        _of("long_narrow_32"),
        "Flowers, 32x32, a quarter of the width",
        (
            "the plain DCGAN",
            "flowers_best",
            "flowers_best, conditional",
            "conditional, batches of 32, rate 0.0008",
            "conditional, batches of 16, rate 0.0004",
        ),
    ),
    "width_32": Curve(
        _of("width_32"),
        "Flowers, 32x32, conditional: widths of generator and discriminator",
        (
            "generator 64, discriminator 32",
            "generator 32, discriminator 32",
            "generator 64, discriminator 64",
            "generator 16, discriminator 64",
            "generator 32, discriminator 64",
            "generator 32, discriminator 64, without classes",
        ),
    ),
    "shifted_32": Curve(
        _of("shifted_32"),
        "Flowers, 32x32: when translation begins",
        (
            "wide discriminator, from the start",
            "wide discriminator, never",
            "wide discriminator, from epoch 50",
            "wide discriminator, target 0.8",
            "both 32, never",
            "both 32, from epoch 50",
            "both 32, target 0.8",
        ),
    ),
    "gpu_64": Curve(
        _of("gpu_64"),
        "Flowers, 64x64, full width, one NVIDIA H100",
        (
            "the plain DCGAN, float32",
            "conditional, float32",
            "wide discriminator, translation from epoch 40, bfloat16",
        ),
        "seconds",
    ),
    "few_1020": Curve(
        _of("few_1020"),
        "1,020 photographs of flowers, 32x32, half the width",
        (
            "no augmentation, 2,000 epochs",
            "no augmentation, 300 epochs",
            "color,translation, 600 epochs",
        ),
    ),
    "few_300": Curve(
        _of("few_300"),
        "300 abstract paintings, 32x32, half the width",
        (
            "no augmentation",
            "--augment color,translation",
            "--augment translation --r1 0.1",
            "--augment translation",
        ),
    ),
    "few_2781": Curve(
        _of("few_2781"),
        "2,781 paintings, 32x32, half the width",
        ("no augmentation", "--augment translation"),
    ),
}
