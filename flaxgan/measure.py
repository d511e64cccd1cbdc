"""Sets of images measured against each other: a run's against its training data, or any two."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import jax

from flaxgan.data import open_data, prepare_data
from flaxgan.data.array import checked
from flaxgan.methods import to_sample, translates
from flaxgan.methods.state import without_optimisers
from flaxgan.metrics.accuracy import accuracy
from flaxgan.metrics.comparison import Comparison, Measured, NotMeasured
from flaxgan.metrics.evaluation import METRICS, evaluate_by_all
from flaxgan.metrics.image_sets import ImageSet, open_set, open_training_set, sampled_set
from flaxgan.metrics.judges import HeldOutJudge
from flaxgan.metrics.reference import Reference
from flaxgan.metrics.results import (
    check_output,
    content_of,
    repeated,
    save_images,
    save_translations,
    write,
)
from flaxgan.model import Model, checkpoint_name
from flaxgan.pretrained.extractor import Extractor
from flaxgan.runs.loading import load
from flaxgan.runs.naming import CheckpointName
from flaxgan.runs.trained import TrainedRun, load_run, require_apart
from flaxgan.system.devices import set_up_devices
from flaxgan.system.errors import UserError
from flaxgan.system.files import require_outside


def compare(
    run_dir: Path | None,
    real: Any,
    generated: Any,
    *,
    metrics: list[str] | None,
    checkpoint: str | int | CheckpointName | None,
    num: int | None,
    num_real: int | None,
    image_size: tuple[int, int] | None,
    seed: int,
    extractors: Callable[[], list[Extractor]],
    repeat: int,
    data_dir: str | None,
    device: str,
    output: Path | None,
) -> dict[str, Any]:
    """Measure, and write `output` with its pictures if it is given: see flaxgan.evaluate.

    Without a run, both `real` and `generated` are given. Returns what the JSON file has.
    """
    if unknown := set(metrics or ()) - set(METRICS):
        raise UserError(
            f"--metrics {','.join(sorted(unknown))}: there is no such metric; there are"
            f" {', '.join(METRICS)}"
        )
    run = load_run(run_dir) if run_dir else None
    config = run.config if run else None
    if repeat > 1 and (not run or generated is not None or translates(run.config)):
        raise UserError("--repeat measures other samples of a run; without one leave it out")
    devices = set_up_devices(device)
    if run and translates(run.config):
        return _translations(
            run,
            real is not None or generated is not None,
            metrics=metrics,
            checkpoint=checkpoint,
            num=num or num_real,
            seed=seed,
            extractors=extractors(),
            data_dir=data_dir,
            device=devices[0],
            output=output,
        )
    networks = extractors()
    state = None
    if run and generated is None:
        state = load(run, checkpoint_name(checkpoint), devices[0], without_optimisers)
    if output:
        if run:
            require_apart(output, run.folder, run.config)
        places = [place for place in (real, generated) if isinstance(place, Path)]
        require_outside(output, places, "whose pictures are measured")
        check_output(output)

    caveats: list[str] = []
    # a method of one's own may have no such options
    teacher = getattr(run.config.options, "teacher", None) if run and generated is None else None
    if teacher in [network.name for network in networks]:
        caveats.append(
            f"this run trained with {teacher}, which therefore flatters it: judge it by other"
            " extractors"
        )
    if run and real is None:
        reals = open_training_set(run.config, run.sha256, data_dir, num_real, caveats)
    else:
        reals = open_set(real, num_real, image_size, like=config)
    mirror = bool(config.flip if config else reals.images.shape[-1] == 3)
    reference, *others = (Reference(reals, network, mirror) for network in networks)

    def measure(seed: int) -> tuple[Comparison, dict[str, Measured]]:
        if run and generated is None:
            names = tuple(run.class_counts)
            count = num or len(reals)
            fakes = sampled_set(state, run.config, run.conditions, seed, count, class_names=names)
        else:
            fakes = open_set(generated, num, image_size)
        conditions = run.conditions if run else None
        comparison = Comparison(reference, fakes, seed, state, config, conditions)
        return comparison, evaluate_by_all(comparison, others, metrics)

    comparison, measured = measure(seed)
    further = [measure(seed + i)[1] for i in range(1, repeat)]
    comparison.caveats[:0] = caveats
    if not measured:
        raise UserError(f"nothing is measured: {'; '.join(comparison.caveats)}")
    content = content_of(comparison, repeated([measured, *further]), others)
    if output:
        write(output, content)
        save_images(output, comparison)
    return content


def _translations(
    run: TrainedRun,
    others: bool,
    *,
    metrics: list[str] | None,
    checkpoint: str | int | CheckpointName | None,
    num: int | None,
    seed: int,
    extractors: Sequence[Extractor],
    data_dir: str | None,
    device: jax.Device,
    output: Path | None,
) -> dict[str, Any]:
    """Measure what a run makes of the sources that it holds out.

    Raises UserError if its pictures are gone, or if `others` are named.
    """
    if others:
        raise UserError(
            f"{run.folder} translates pictures, and is measured on those that it holds out; leave"
            " --real and --generated out, or the run"
        )
    if output:
        require_apart(output, run.folder, run.config)
        check_output(output)
    config = run.config.replace(data_dir=data_dir or run.config.data_dir)
    for folder in config.image_folders:
        if not folder.exists():
            raise UserError(f"the run's pictures are no longer in {folder}; bring them back")
    dataset = prepare_data(config, open_data(config))
    state = load(run, checkpoint_name(checkpoint), device, to_sample(config))
    judge = HeldOutJudge(config, dataset, extractors, num)
    comparison, measured = judge.measured(state, metrics, seed)
    if dataset.sha256 != run.sha256:
        comparison.caveats.append(
            f"the pictures are no longer the ones that {run.folder} was trained on: what is held"
            " out now may have been learnt"
        )
    if not measured:
        raise UserError(f"nothing is measured: {'; '.join(comparison.caveats)}")
    content = content_of(comparison, measured, judge.others)
    if output:
        write(output, content)
        save_translations(output, comparison)
    return content


def _judged(images: Any, labels: Any, model: Model) -> ImageSet:
    """Return images as the run's discriminator takes them.

    Raises UserError if they are of another size.
    """
    arrays = checked(images, labels, model.class_names if labels is not None else ())
    shape = (*model.config.image_size, model.config.channels)
    if arrays.images.shape[1:] != shape:
        size = "x".join(map(str, shape))
        raise UserError(
            f"the discriminator takes images of {size}, and these are {arrays.images.shape[1:]}"
        )
    if model.config.num_classes and labels is None:
        raise UserError(
            "the discriminator has learnt classes; give the labels of the images, too: (images,"
            " labels)"
        )
    if model.config.condition == "text":
        raise UserError(
            "the discriminator has learnt words, and judges no pictures without; see evaluate"
        )
    return ImageSet(arrays.images, "", {}, arrays.labels, arrays.class_names)


def discriminator_accuracy(model: Model, real: Any, generated: Any, seed: int) -> dict[str, float]:
    """Ask the discriminator of a model's run about images: see flaxgan.discriminator_accuracy."""
    if translates(model.config):
        raise UserError(f"the discriminator of {model.run.folder} judges patches, not pictures")
    if model.run.folder.is_file():
        raise UserError(
            f"{model.run.folder} holds the generator alone; load the run's folder instead"
        )
    state = load(model.run, CheckpointName("step", model.step), model.device, without_optimisers)
    pairs = [x if isinstance(x, tuple) else (x, None) for x in (real, generated)]
    reals, fakes = (_judged(images, labels, model) for images, labels in pairs)
    reference = Reference(reals, None, mirror=False)
    try:
        measured = accuracy(Comparison(reference, fakes, seed, state, model.config))
    except NotMeasured as error:
        raise UserError(str(error)) from error
    return {name: entry["value"] for name, entry in measured.items()}
