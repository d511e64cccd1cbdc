"""What sample shows of latents: saved ones, what lies between them, and directions."""

import argparse
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from flaxgan.data.reading import printable
from flaxgan.flags import names
from flaxgan.latent_files import read_latents
from flaxgan.model import Model
from flaxgan.request import require_one
from flaxgan.system.errors import UserError, say

STEPS, STEPS_OF_A_FILM = 7, 25


class Sheet(NamedTuple):
    """Images to be made, in rows of `columns`, and what stands beside and above them."""

    num: int
    columns: int | None
    rows: list[str]
    heads: list[str]
    make: Callable[[], np.ndarray]  # uint8 (count, H, W, C)


def check(args: argparse.Namespace) -> None:
    """Raise UserError for flags of sample that contradict --latents or --direction."""
    if args.range is not None and not args.direction:
        raise UserError("--range is for --direction; leave it out")
    if args.range is not None and not 0 < args.range < 1e6:
        raise UserError(f"--range must be a number above 0, not {args.range}")
    flag = "--latents" if args.latents else "--direction"
    others = ("interpolate", "truncation", "mix", "mix_at")
    for name in (*others, *(("num", "seed") if args.latents else ())):
        if getattr(args, name) is not None:
            raise UserError(
                f"{flag} does not go with --{name.replace('_', '-')}; leave one of them out"
            )
    require_one(args.labels, args.prompts)
    if args.direction and args.frames == 1:
        raise UserError("--frames of --direction are two or more steps")


def sheet_of(model: Model, args: argparse.Namespace, animated: bool) -> Sheet:
    """Return what --latents and --direction ask for. Raises UserError if a model can't make it."""
    asked = None if args.labels is None else names(args.labels, model.class_names)
    labels: Any = None if asked is None else model.class_ids(asked)
    latents = None
    if args.latents:
        if len(labels or args.prompts or ()) > 1:
            raise UserError("--latents take one --class or --prompt")
        latents, labels = _read(model, args, labels)
    if args.direction:
        return _directions(model, args, latents, labels, animated)
    assert latents is not None
    if args.frames is None:
        if animated:
            raise UserError(f"--output {args.output}: an animation of --latents takes --frames")
        return Sheet(len(latents), None, [], [], lambda: model.draw(latents, labels))
    count = (len(latents) - 1) * args.frames + 1
    return Sheet(count, count, [], [], lambda: model.draw(latents, labels, args.frames))


def _read(
    model: Model, args: argparse.Namespace, labels: list[int] | None
) -> tuple[np.ndarray, np.ndarray | list[int] | None]:
    """Return the latents of all files, and their classes. Raises UserError, naming the file."""
    latents, classes = [], list[np.ndarray]()
    for path in args.latents:
        file = read_latents(path)
        try:
            own = file.labels if labels is None and not args.prompts else labels
            points, rows = model.checked_latents(file.latents, own, args.prompts)
        except UserError as error:
            raise UserError(f"{printable(path)}: {error}") from error
        if file.step not in (None, model.step):
            say(
                f"note: {printable(path)} was found at step {file.step}; at step {model.step} the"
                " picture is another"
            )
        latents.append(points)
        classes += [] if rows is None else [rows]
    joined = np.concatenate(classes) if classes else None
    return np.concatenate(latents), joined


def _directions(
    model: Model,
    args: argparse.Namespace,
    latents: np.ndarray | None,
    labels: np.ndarray | list[int] | None,
    animated: bool,
) -> Sheet:
    steps = args.frames or (STEPS_OF_A_FILM if animated else STEPS)
    far, num = args.range or 3.0, args.num or 4
    prompts = args.prompts if latents is None else None
    shown = prompts if labels is None else labels
    count = num * (1 if shown is None else len(shown)) if latents is None else len(latents)
    shares = np.linspace(-far, far, steps)
    heads = [f"{share:+.3g}" if abs(share) > 1e-9 else "0" for share in shares]
    rows = [f"direction {number}" for number in args.direction for _ in range(count)]

    def make() -> np.ndarray:
        images = model.directions(
            args.direction,
            far,
            steps,
            num=num,
            seed=args.seed or 0,
            labels=labels,
            latents=latents,
            prompt=prompts,
        )
        return images.reshape(-1, *images.shape[3:])

    return Sheet(len(rows) * steps, steps, rows, heads, make)
