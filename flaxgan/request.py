"""What is asked of a trained generator, checked before it is loaded."""

import dataclasses
import difflib
import itertools
import math
from collections.abc import Sequence
from typing import Any

from flaxgan.system.errors import UserError
from flaxgan.system.files import composed

Label = str | int
FRAMES = 16  # of an interpolation from a seed to the next, unless told


@dataclasses.dataclass(frozen=True, kw_only=True)
class Request:
    """Which images to make: see Model.sample. Raises UserError for what contradicts itself."""

    num: int | None = None
    seed: int | None = None
    labels: Any = None
    prompts: Sequence[str] = ()
    truncation: float | None = None
    interpolate: Sequence[int] | None = None
    frames: int | None = None
    mix: Sequence[int] | None = None
    mix_at: int | None = None

    def __post_init__(self) -> None:
        self._check_mix()
        require_one(self.labels, self.prompts)
        if self.interpolate is not None:
            if (self.num, self.seed) != (None, None):
                raise UserError(
                    "--interpolate names its own seeds, and --frames its pictures; leave --seed and"
                    " --num out"
                )
            if not self.through_prompts and (
                len(self.interpolate) < 2
                or any(a == b for a, b in itertools.pairwise(self.interpolate))
            ):
                raise UserError(
                    "--interpolate takes two or more seeds, each another than the one before, as"
                    " 1,2,3; or one and two or more prompts, which it then goes through"
                )
        elif self.frames is not None:
            raise UserError(
                "--frames is for --interpolate SEED,SEED,...; leave it out, or say --num"
            )
        if self.truncation is not None and not 0.01 <= self.truncation < math.inf:
            raise UserError(f"--truncation must be a number, at least 0.01, not {self.truncation}")
        if not all(1 <= count < 2**32 for count in (self.num, self.frames) if count is not None):
            raise UserError("--num and --frames are whole numbers from 1 up, below 2**32")
        if not all(
            0 <= seed < 2**32 for seed in (self.seed, *(self.interpolate or ())) if seed is not None
        ):
            raise UserError("a seed is a whole number from 0 up, below 2**32")

    def _check_mix(self) -> None:
        """Raise UserError for mixtures that contradict the rest, or themselves."""
        if self.mix is None:
            if self.mix_at is not None:
                raise UserError("--mix-at is for --mix PICTURE,PICTURE,...; leave it out")
            return
        if self.mix_at is None or not 0 <= self.mix_at < 2**32:
            raise UserError(
                "--mix takes --mix-at too: the side in pixels from which on the finer styles are"
                " the other picture's, as 16"
            )
        if self.num is not None or self.interpolate is not None:
            raise UserError("--mix names its own pictures; leave --num and --interpolate out")
        if len({*self.mix}) < max(2, len(self.mix)) or not all(0 <= i < 2**20 for i in self.mix):
            raise UserError(
                "--mix takes two or more pictures of --seed, counted from 0, each once, as 3,7"
            )

    @property
    def first_seed(self) -> int:
        """Return the seed, or the first one of an interpolation."""
        return self.interpolate[0] if self.interpolate is not None else self.seed or 0

    @property
    def through_prompts(self) -> bool:
        """Tell whether images go from prompt to prompt, with the z of one seed."""
        return self.interpolate is not None and len(self.interpolate) == 1 < len(self.prompts)

    @property
    def each(self) -> int:
        """Return how many images there are of each class that is asked for, or in all."""
        if self.mix is not None:
            return len(self.mix) ** 2
        if self.interpolate is not None:
            ends = self.prompts if self.through_prompts else self.interpolate
            return (len(ends) - 1) * (self.frames or FRAMES) + 1
        is_whole = self.labels is None or isinstance(self.labels, int)
        return self.num or (64 if is_whole and not self.prompts else 8)

    @property
    def prompt_rows(self) -> int:
        """Return how many rows of images there are for prompts: one each, or one through all."""
        return 1 if self.through_prompts else len(self.prompts)


def require_one(labels: Any, prompts: Sequence[str] | None) -> None:
    """Raise UserError if what is shown is said by classes and by prompts."""
    if labels is not None and prompts:
        raise UserError("--prompt and --class both say what is shown; leave one of them out")


def as_prompts(prompt: str | Sequence[str] | None) -> list[str]:
    """Return prompts that are given as one, several or none."""
    return [prompt] if isinstance(prompt, str) else [*(prompt or ())]


def class_ids(asked: Label | Sequence[Label], counts: dict[str, int]) -> list[int]:
    """Return the numbers of classes given by name or number; "all" are all that were trained.

    `counts`: how many pictures each class had. Raises UserError for a class that was not trained.
    """
    names, trained = (
        [*map(composed, counts)],
        [id for id, count in enumerate(counts.values()) if count],
    )
    if asked == "all" and asked not in names:
        return trained
    ids = []
    for word in [asked] if isinstance(asked, str | int) else asked:
        if isinstance(word, str) and composed(word) in names:
            ids.append(names.index(composed(word)))
        elif str(word).isdecimal() and int(word) < len(names):
            ids.append(int(word))
        else:
            near = difflib.get_close_matches(str(word), names, 3)
            raise UserError(
                f"--class {word}: there is no such class"
                + (f"; did you mean {' or '.join(near)}?" if near else ".")
                + f" There are {len(names)}, by name or number: {', '.join(names[:12])}"
                + (", …" if len(names) > 12 else "")
            )
        if ids[-1] not in trained:
            raise UserError(f"--class {word}: the run had no picture of that class; name another")
    return ids
