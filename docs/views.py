"""Which rows and columns of the measured numbers the documentation's tables show."""

from collections.abc import Callable
from typing import NamedTuple

Row = dict[str, str]
QUALITY = "fd kid precision recall"
# of columns that are not called what they are named
HEADINGS = {
    "fd": "FD",
    "fd_nsfw": "FD by nsfw_resnet50",
    "kid": "KID",
    "kid_nsfw": "KID by nsfw_resnet50",
    "memory_mb": "memory (MB)",
}
CODE = ("flags", "recipe")  # columns of what is typed


def is_any(row: Row) -> bool:
    """Keep every row."""
    return True


class Table(NamedTuple):
    """A view of a CSV file; a column that is empty in all of its rows is left out."""

    source: str
    columns: str  # with blanks between
    keep: Callable[[Row], bool] = is_any
    best: bool = False  # of the rows that agree in run and seed only the one with the lowest fd
    # rows that agree in these columns become one, with their values one after the other
    joined: str = ""


def _of(folder: str, name: str) -> str:
    return f"{folder}/results/{name}.csv"


def _best(name: str, columns: str = QUALITY) -> Table:
    return Table(_of("experiments", name), f"run seed epoch {columns}", best=True)


def _remedies(*groups: str) -> Table:
    return Table(
        _of("experiments", "remedies_32"),
        "flags note fd kid precision recall feature_distance class_coverage",
        lambda row: row["group"] in groups,
        joined="flags note",
    )


def _tried(group: str, more: str = "") -> Table:
    columns = f"run images_seen {more} {QUALITY}"
    return Table(_of("experiments", "tried_32"), columns, lambda row: row["group"] == group)


def _speed(name: str, columns: str, keep: Callable[[Row], bool] = is_any) -> Table:
    return Table(_of("benchmarks", name), columns, keep)


def _beside_pytorch(machine: str) -> Table:
    columns = "version note batch dtype step images_per_second ratio start_seconds"
    return _speed("vs_pytorch", columns, lambda row: machine in row["machine"])


SHOWN_FIRST = {  # in README.md: recipe -> checkpoint
    "flowers_dcgan": "last, 8,189 other samples",
    "flowers_best": "best, 8,189 other samples",
    "flowers_features": "last, 8,189 other samples",
    "(on a GPU: wide discriminator, then translation)": "last, 8,189 other samples",
    "abstract_art_best": "best, 8,189 other samples",
    "fashion_mnist_best": "best, 10,000 other samples",
    "(own pictures that begin with flowers)": "last, 2,048 other samples",
}

TABLES = {
    "overview": Table(
        _of("experiments", "recipes"),
        "recipe data fd fd_nsfw recall memorised training",
        lambda row: SHOWN_FIRST.get(row["recipe"]) == row["checkpoint"],
    ),
    "recipes": Table(
        _of("experiments", "recipes"),
        "recipe data checkpoint epoch of_epochs images_seen fd fd_nsfw kid kid_nsfw"
        " precision recall feature_distance memorised training",
    ),
    "translations": Table(
        _of("experiments", "translations"),
        "recipe checkpoint images_seen training metric value doing_nothing reference",
        lambda row: row["metric"] in ("FD", "KID", "PSNR (dB)", "SSIM"),
    ),
    "words": Table(_of("experiments", "words"), "run images_seen what judge value chance real"),
    "faults": Table("tests/faults/results.csv", "kind what_holds tried held"),
    "presets": Table(
        _of("experiments", "presets"),
        f"data command images_seen {QUALITY} feature_distance memorised note",
    ),
    "flowers_64": _best("flowers_64"),
    "fashion_mnist": _best("fashion_mnist"),
    "paintings_64": _best("paintings_64", f"{QUALITY} coverage"),
    "remedies_two_seeds": _remedies("one change, two seeds"),
    "remedies_one_seed": _remedies("one change, one seed"),
    "remedies_batches_of_8": _remedies("batches of 8"),
    "remedies_first_runs": _remedies("first runs"),
    "half_width_64": _best("half_width_64"),
    "first_minutes_64": Table(
        _of("experiments", "first_minutes_64"), f"run seed images_seen images_per_second {QUALITY}"
    ),
    "long_narrow_32": _best("long_narrow_32", f"{QUALITY} class_coverage class_agreement"),
    "width_32": _best("width_32", f"{QUALITY} class_coverage class_agreement"),
    "shifted_32": _best("shifted_32", f"{QUALITY} class_coverage class_agreement"),
    "no_gain_32": Table(
        _of("experiments", "no_gain_32"), "run epoch fd class_agreement", joined="run"
    ),
    "tried_batch": _tried("batch"),
    "tried_rejection": _tried("rejection"),
    "tried_regularised": _tried("regularised", "seed"),
    "tried_few": _tried("few", "memorised"),
    "tried_features": _tried("features"),
    "tried_eyes": _tried("eyes", "extractor"),
    "tried_heads": _tried("heads"),
    "gpu_64": _best("gpu_64", f"seconds {QUALITY} class_coverage class_agreement"),
    "gpu_first_epochs": _best("gpu_first_epochs"),
    "few_1020": _best("few_1020"),
    "few_300": _best("few_300", f"{QUALITY} memorised"),
    "few_2781": _best("few_2781", "fd kid recall"),
    "pytorch_h200": _beside_pytorch("H200"),
    "pytorch_h100": _beside_pytorch("H100"),
    "pytorch_a": _beside_pytorch("(A)"),
    "pytorch_b": _beside_pytorch("(B)"),
    "pytorch_c": _beside_pytorch("(C)"),
    "pytorch_translation": _speed(
        "vs_pytorch_translation",
        "method size width batch images_per_second pytorch_images_per_second ratio note machine"
        " version",
    ),
    "conv_stride1": _speed(
        "conv_stride1", "batch map kernel channels by milliseconds before machine version"
    ),
    "gpu_lowerings": _speed(
        "gpu_lowerings",
        "change ms_float32_batch_512 ms_bfloat16_batch_512 ms_float32_batch_64"
        " ms_bfloat16_batch_64",
    ),
    "gpu_limits": _speed(
        "gpu_limits",
        "machine dtype milliseconds tflops of_peak_tflops terabytes_per_second of_peak_bandwidth",
    ),
    "gpu_time": _speed(
        "gpu_limits",
        "machine dtype milliseconds convolutions reductions elementwise copies dense waiting",
    ),
    "one_pass": _speed(
        "one_pass", "machine net batch dtype two_passes_ms one_pass_ms speedup images_per_second"
    ),
    "gpu_blocks": _speed("gpu_blocks", "layers_up_to_channels ms_batch_512 ms_batch_64"),
    "gpu_batch_norm": _speed(
        "gpu_batch_norm",
        "batch_norm float32_gigabytes float32_kernels bfloat16_gigabytes bfloat16_kernels",
    ),
    "gpu_extractor": _speed("gpu_extractor", "way compiling_seconds seconds_of_2048_pictures"),
    "kept": _speed("changes", "machine net change speed", lambda row: row["kept"] == "yes"),
    "not_kept": _speed("changes", "machine net change speed", lambda row: row["kept"] == "no"),
    "cpu_filtering": _speed(
        "cpu_filtering", "layer batch way forward_ms kernel_gradient_ms input_gradient_ms"
    ),
    "abilities": _speed("abilities", "flags net times_a_plain_step"),
    "growth": _speed(
        "growth",
        "recipe seed run images_seen resolution seconds cpu_seconds fd kid",
        lambda row: int(row["images_seen"]) % 8000 == 0,
    ),
    "jax_versions": _speed("jax_versions", "machine version batch images_per_second ratio note"),
    "loop": _speed(
        "loop", "machine flags seconds bare_images_per_second training_images_per_second share note"
    ),
    "startup": _speed("startup", "machine version what seconds note"),
    "scaling_batch": _speed(
        "scaling",
        "batch_size images_per_second step_ms memory_mb",
        lambda row: row["varies"] == "batch_size",
    ),
    "scaling_size": _speed(
        "scaling",
        "image_size images_per_second step_ms memory_mb",
        lambda row: row["varies"] == "image_size",
    ),
    "scaling_width": _speed(
        "scaling",
        "features images_per_second step_ms memory_mb",
        lambda row: row["varies"] == "features",
    ),
    "scaling_parts": _speed(
        "scaling",
        "accumulate version images_per_second step_ms memory_mb",
        lambda row: row["varies"] == "accumulate",
    ),
    "dataset_size": _speed(
        "dataset_size", "pictures version images_per_second step_ms ordering_ms memory_mb"
    ),
    "widths": _speed("widths", "machine net images_per_second note"),
    "precision": _speed("precision", "net dtype seed d_loss g_loss"),
    "extractors": _speed("extractors", "extractor images_per_second ratio"),
}
