"""The options that every method has: a frozen dataclass, whose fields are also flags."""

import dataclasses
from typing import Literal

from flaxgan.fields import (
    COUNT,
    POSITIVE,
    SHARE,
    Rule,
    option,
    parse_image_size,
    parse_names,
    parse_period,
    parse_range,
)

EXTRACTORS = ("efficientnet_lite0", "nsfw_resnet50", "inception", "dinov2_vits14", "dinov2_vitb14")
parse_extractors = parse_names(EXTRACTORS)


@dataclasses.dataclass(frozen=True, kw_only=True)
class SharedOptions:
    """What a run has whatever its method.

    None means: derived from the data, or from another field. Image size and channels are declared
    as they are once the run is resolved (resolve.py).
    """

    method: str = option("gan", "gan, pix2pix, cyclegan, cut or srgan", fixed=True)
    dataset: str = option(
        "synthetic_flowers",
        "synthetic_flowers (built in), a TFDS name, a folder of pictures, a .npy or .npz",
        fixed=True,
    )
    data_dir: str | None = option(
        None, "where TFDS keeps its data sets (default: TFDS's own, ~/tensorflow_datasets)"
    )
    split: str | None = option(
        None, "TFDS split, as in train or train+test (default: all splits together)", fixed=True
    )
    image_size: tuple[int, int] = option(
        None,
        "N or HEIGHTxWIDTH (default: the data's own if that is fixed and at most 64, else 64)",
        fixed=True,
        parse=parse_image_size,
    )
    channels: Literal[1, 3] = option(
        None, "1 (grey) or 3 (colour) (default: as the data)", fixed=True
    )
    fit: Literal["crop", "pad", "stretch", "tiles"] = option(
        "crop",
        "pictures of other proportions: crop to the middle, pad with bars, stretch, or cut a long"
        " one into several tiles",
        fixed=True,
    )
    range: str | None = option(
        None,
        "LOW,HIGH: what is black and white in pictures of more than 8 bits (default: guessed)",
        fixed=True,
        parse=parse_range,
    )
    flip: bool | None = option(
        None,
        "mirror pictures at random (default: on for photographs, off for grey data and digits)",
        fixed=True,
    )
    preset: Literal["auto", "plain"] = option(
        "auto",
        "what decides all that is not given: auto, the data and the device; plain, the DCGAN's"
        " paper",
        fixed=True,
    )
    batch_size: int = option(64, "pictures per training step", fixed=True, rule=COUNT)
    images: int | None = option(
        None,
        "train on this many pictures in all (default: what so many different ones need)",
        rule=Rule(lambda value: 1 <= value < 2**50, "must be at least 1, below 2**50"),
    )
    epochs: int | None = option(
        None, "or go through the data this often (default: 25 with --preset plain)", rule=COUNT
    )
    max_steps: int | None = option(
        None,
        "stop after this many steps, counted from the run's first, whatever --epochs says (default:"
        " none)",
        rule=COUNT,
    )
    hours: float | None = option(
        None,
        "stop after so long; what --preset auto chooses is cut to it (default: none)",
        rule=Rule(lambda value: 0 < value < 10_000, "must be more than 0, below 10,000"),
    )
    learning_rate: float = option(2e-4, "Adam's learning rate, both networks", rule=POSITIVE)
    beta1: float = option(0.5, "Adam's decay of the first moment", rule=SHARE)
    beta2: float = option(0.999, "Adam's decay of the second moment", rule=SHARE)
    schedule: Literal["constant", "linear", "cosine", "constant_linear"] = option(
        "constant",
        "how the learning rates go: constant, or falling to 0 at the run's end;"
        " constant_linear falls from its middle on",
        fixed=True,
    )
    ema: int = option(
        10_000,
        "half-life, in pictures seen, of the generator's averaged weights, which are sampled from"
        " (0: off)",
        fixed=True,
        rule=Rule(lambda value: 0 <= value < 2**31, "must not be negative, and below 2**31"),
    )
    num_classes: int | None = option(None, "of the data, if conditional", fixed=True, flag=False)
    seed: int = option(
        0,
        "decides weights, z, data order and flips",
        fixed=True,
        rule=Rule(lambda value: 0 <= value < 2**32, "must lie in [0, 2**32)"),
    )
    init_from: str | None = option(
        None,
        "begin with the networks of this run, which learnt from other pictures; flags that shape"
        " networks are then as there (default: new weights)",
        fixed=True,
    )
    init_checkpoint: str | None = option(
        None,
        "the checkpoint of --init-from: a step (5000), an epoch (epoch:20), or best (default: the"
        " newest)",
        fixed=True,
    )
    run_dir: str | None = option(
        None,
        "the run's folder; resumed if it exists (default: runs/<dataset>-<timestamp>)",
        saved=False,
    )
    checkpoint_every: str = option(
        "1 epoch",
        "epochs, or as '500 steps', between checkpoints and their pictures (one more at the end)",
        parse=parse_period,
    )
    keep_checkpoints: int = option(3, "how many of the newest checkpoints to keep", rule=COUNT)
    log_every: int = option(10, "steps between lines of metrics.jsonl", rule=COUNT)
    tensorboard: bool = option(
        False, "write event files for TensorBoard into the run's folder tensorboard/"
    )
    watch: int | None = option(
        None,
        "show the run's report on this machine while it trains, at http://127.0.0.1:INT (alone:"
        " 8000; 0: any free port)",
        saved=False,
        alone=8000,
        rule=Rule(lambda value: 0 <= value < 2**16, "must lie in [0, 65535]"),
    )
    watch_host: str = option(
        "127.0.0.1",
        "show it to other machines, too, at this address of this one (0.0.0.0: at all of them)",
        saved=False,
        rule=Rule(bool, "must be an address of this machine"),
    )
    evaluate_every: str | None = option(
        None,
        "epochs, or as '500 steps', between evaluations, which choose the best checkpoint (default:"
        " never)",
        parse=parse_period,
    )
    evaluate_num: int = option(
        2048,
        "generated pictures of each of those evaluations",
        fixed=True,
        rule=Rule(lambda value: 2 <= value < 2**31, "must be at least 2"),
    )
    extractor: str = option(
        "efficientnet_lite0",
        "networks whose features are compared, with commas; the first also chooses the best:"
        f" {', '.join(EXTRACTORS)} (inception is what FID is defined by)",
        fixed=True,
        parse=parse_extractors,
    )
    inception_weights: str | None = option(
        None, "Inception's published .pth (default: downloaded once into the cache)", saved=False
    )
    dinov2_weights: str | None = option(
        None, "DINOv2's published .pth (default: downloaded once into the cache)", saved=False
    )
    device: Literal["auto", "cpu", "gpu", "tpu"] = option(
        "auto", "what to compute on (default: the best there is)"
    )
    dtype: Literal["float32", "bfloat16"] = option(
        "float32", "what the layers compute in; parameters and losses stay float32"
    )
    accumulate: int = option(
        1,
        "go through each batch in this many parts: less memory, the same number of pictures a step",
        rule=COUNT,
    )
    data_home: Literal["auto", "device", "host"] = option(
        "auto",
        "where the pictures live (default: on a GPU or TPU if they fill at most a quarter of its"
        " memory, else the host)",
    )
    parallelism: Literal["jit", "pmap"] = option("jit", "how a step is spread over several devices")
    distributed: bool = option(
        False,
        "this is one of several processes that train together; each gets the same flags",
        saved=False,
    )
    coordinator_address: str | None = option(
        None,
        "HOST:PORT of process 0 (default: as SLURM, Cloud TPU or Kubernetes says)",
        saved=False,
    )
    num_processes: int | None = option(
        None, "how many processes there are (default: as above)", saved=False, rule=COUNT
    )
    process_id: int | None = option(
        None, "which of them this is, from 0 (default: as above)", saved=False
    )
