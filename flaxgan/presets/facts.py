"""What a preset decides by, and what it has chosen."""

import contextlib
import dataclasses
import math
from collections.abc import Collection
from typing import Any, NamedTuple

from flaxgan.config import Config
from flaxgan.models.sizes import base_size
from flaxgan.system.errors import UserError

# a run takes this many times the square root of the number of different images
IMAGES_PER_ROOT = 12_000
# images per second of 64x64 to reckon with until the speed is measured
CPU, ACCELERATOR = 120, 15_000
LENGTHS = ("images", "epochs", "max_steps")  # fields that end a run
SIDES = (16, 32, 48, 64, 96, 128)  # of images
ROUND = 8  # periods are multiples of it: what a GPU does in one dispatch


class Choice(NamedTuple):
    """A field's value, and why it was chosen, in a few words."""

    value: Any
    reason: str


@dataclasses.dataclass(frozen=True)
class Facts:
    """What a preset decides by."""

    num_images: int
    num_classes: int = 0
    size: tuple[int, int] = (64, 64)  # height and width of the median picture
    native: tuple[int, int] | None = None  # the same, if all pictures share it
    drawn: bool = False  # drawings or icons, not photographs or paintings
    platform: str = "cpu"
    num_devices: int = 1
    images_per_second: float | None = None  # as measured; None: not measured yet
    seconds: float | None = None  # left to train in; None: no limit

    @property
    def on_cpu(self) -> bool:
        return self.platform == "cpu"

    def speed(self, image_size: tuple[int, int]) -> float:
        """Return images per second, as measured or, before that, as such a device usually has."""
        usual = CPU if self.on_cpu else ACCELERATOR
        return self.images_per_second or usual * 64 * 64 / math.prod(image_size)

    @property
    def needed(self) -> int:
        """Return how many images to train on so that it has about settled."""
        return int(round(IMAGES_PER_ROOT * math.sqrt(self.num_images), -3))


class Choices:
    """The choices for the fields that are free, and one place to ask for any field's value."""

    def __init__(self, config: Config, free: Collection[str]):
        self.config, self.free, self.made = config, free, dict[str, Choice]()

    def pick(self, name: str, value: Any, reason: str) -> Any:
        """Choose `value` if the field is free; return what the field has then."""
        if name in self.free:
            self.made[name] = Choice(value, reason)
        return self[name]

    def all_free(self, *names: str) -> bool:
        """Tell whether nobody named any of these fields."""
        return {*names} <= {*self.free}

    def __getitem__(self, name: str) -> Any:
        if name in self.made:
            return self.made[name].value
        return self.config[name] if name in self.config.fields else None  # another method's


def period(steps: int, parts: int) -> str:
    """Return a period that divides a run into so many parts, of a multiple of ROUND steps each."""
    return f"{max(1, steps // parts // ROUND) * ROUND} steps"


def native(facts: Facts, most: int) -> tuple[int, int] | None:
    """Return the size that all images share, if it can be built and is at most `most`."""
    if facts.native and max(facts.native) <= most:
        with contextlib.suppress(UserError):
            base_size(facts.native)
            return facts.native
    return None


def image_size(facts: Facts, most: int, why: str) -> Choice:
    """Choose the size of images: their own, or a square that few of them are enlarged for."""
    if size := native(facts, most):
        return Choice(size, "their own size")
    side = max((side for side in SIDES if side <= min(most, *facts.size)), default=SIDES[0])
    return Choice((side, side), why if side == most else "pictures are small")
