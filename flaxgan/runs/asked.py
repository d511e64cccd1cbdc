"""What a trained run is asked for: z, and classes or words."""

from collections.abc import Sequence

import numpy as np

from flaxgan.methods.conditions import random_conditions, trained_classes
from flaxgan.methods.sampling import between_texts
from flaxgan.methods.updates import condition_of
from flaxgan.pretrained import minilm
from flaxgan.request import Label, Request, class_ids, require_one
from flaxgan.runs.trained import TrainedRun
from flaxgan.system.errors import UserError

MOST_PROMPTS = 1000  # in a page
MOST_TRIED = 256  # captions, of what a picture may show


def require_words(run: TrainedRun) -> None:
    """Raise UserError if a run learnt no words."""
    if run.config.condition != "text":
        raise UserError(
            "--prompt is for a run that was trained with --condition text, and"
            f" {run.config.run_dir} was not"
        )


def encoded(run: TrainedRun, prompts: Sequence[str]) -> np.ndarray:
    """Encode what a run is asked for: float32 (N, D). Says what of it is not read.

    Raises UserError if the run learnt no words, or if a prompt is empty or no text.
    """
    require_words(run)
    for prompt in prompts:
        minilm.require_text(prompt, "--prompt")
        minilm.warn_of_unread(prompt)
    return minilm.encode(prompts)


def chosen(run: TrainedRun, prompts: Sequence[str] | None) -> tuple[list[str], np.ndarray]:
    """Return what a page offers: the prompts that are given, or those of the run's grids.

    Raises UserError if there are none, too many, or if one is empty.
    """
    if prompts is not None:
        texts = [*dict.fromkeys(" ".join(prompt.split()) for prompt in prompts)]
        if not 0 < len(texts) <= MOST_PROMPTS:
            raise UserError(f"--prompts takes 1 to {MOST_PROMPTS} prompts, not {len(texts)}")
        return texts, encoded(run, texts)
    if run.prompts is None:
        raise UserError(f"{run.folder} holds no captions; name a file of prompts with --prompts")
    return [*run.prompts.texts[: run.prompts.shown]], run.prompts.vectors[: run.prompts.shown]


def class_ids_of(run: TrainedRun, labels: Label | Sequence[Label]) -> list[int]:
    """Return the numbers of classes. Raises UserError if the run has none such."""
    if not run.config.num_classes:
        raise UserError(
            "--class is for a run that was trained with --condition class, and"
            f" {run.config.run_dir} was not"
        )
    return class_ids(labels, run.class_counts)


def candidates(run: TrainedRun, label: Label | None, prompt: str | None) -> dict[str, np.ndarray]:
    """Return what a picture may show, by name: int32 () of a class, float32 (D,) of a sentence.

    It is what is given, else all classes that were trained, or the first of the run's captions;
    empty of an unconditional run. Raises UserError for what the run does not have.
    """
    if prompt is not None:
        require_one(label, [prompt])
        text = " ".join(prompt.split())
        return {text: encoded(run, [text])[0]}
    if run.config.condition == "text" and label is None:
        if run.prompts is None:
            raise UserError(f"{run.folder} holds no captions; say what is shown with --prompt")
        captions = dict(zip(run.prompts.texts, run.prompts.vectors, strict=True))
        return {text: captions[text] for text in [*captions][:MOST_TRIED]}
    if label is None and not run.config.num_classes:
        return {}
    asked = trained_classes(run.class_counts) if label is None else class_ids_of(run, [label])
    names = [*run.class_counts]
    return {names[id]: np.array(id, np.int32) for id in asked}


def rows(run: TrainedRun, request: Request, each: int) -> list[np.ndarray | None]:
    """Return the conditions (each, ...) of the images of one set of z, and of each further one.

    Where nothing is asked for they are as frequent as in training, or one for all of them if they
    go from seed to seed. Raises UserError for what the run does not have.
    """
    labels, prompts = request.labels, request.prompts
    if request.through_prompts:
        return [between_texts(encoded(run, prompts), request.frames or 16)]
    if prompts:
        return [np.tile(vector, (each, 1)) for vector in encoded(run, prompts)]
    if isinstance(labels, np.ndarray):
        if labels.shape != (each,):
            raise UserError(
                f"labels are an array of shape {labels.shape}, and there are {each} images; give"
                " one for each"
            )
        return [np.array(class_ids_of(run, labels.tolist()), np.int32)]
    if labels is not None:
        return [np.full(each, id, np.int32) for id in class_ids_of(run, labels)]
    if not run.config.num_classes and run.config.condition != "text":
        return [None]
    if run.config.condition == "text" and run.prompts is None:
        raise UserError(f"{run.folder} holds no captions; say what is shown with --prompt")
    through = request.interpolate
    seed, count = (through[0], 1) if through is not None else (request.seed or 0, each)
    drawn = condition_of(random_conditions(run.conditions, seed, count))
    return [np.resize(drawn, (each, *drawn.shape[1:]))]
