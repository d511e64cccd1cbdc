"""What a run does where its flags don't say: chosen from the data, the device and the time."""

import contextlib
import dataclasses
import math
from collections.abc import Callable, Collection
from typing import Any, NamedTuple

from flaxgan.config import Config
from flaxgan.fields import spelled
from flaxgan.models.sizes import base_size
from flaxgan.system.errors import UserError

# a run takes this many times the square root of the number of different images
IMAGES_PER_ROOT = 12_000
VERY_FEW_IMAGES = 1_000  # fewer are copied before an adaptive augmentation has set in
FEW_IMAGES = 20_000  # a discriminator comes to know so few by heart in that time
IMAGES_PER_CLASS = 5_000  # shown, before classes bring more than they cost (docs/results.md)
IMAGES_OF_A_SHORT_RUN = 60_000  # at 64x64; in fewer a smaller picture gets further
SIDES = (16, 32, 48, 64, 96, 128)  # of images
STEPS_TO_SEE = 500  # before there is anything but noise and blots
# images per second of 64x64 to reckon with until the speed is measured
CPU, ACCELERATOR = 120, 15_000
IMAGES_PER_SNAPSHOT = 8_000  # on a CPU: about a minute
MOST_SNAPSHOTS, MOST_EVALUATIONS = 30, 10
LENGTHS = ("images", "epochs", "max_steps")  # fields that end a run
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


def _plain(choices: Choices, facts: Facts) -> None:
    """Leave everything as in the DCGAN's paper, for 25 epochs."""
    choices.pick("image_size", _native(facts, 64) or (64, 64), "as the paper")
    if choices.all_free(*LENGTHS):
        choices.pick("epochs", 25, "as tutorials do")


def _auto(choices: Choices, facts: Facts) -> None:
    """Choose what a run does by the data, the device and the time."""
    pick = choices.pick
    size = pick("image_size", *_image_size(facts))
    width = pick("features", 32 if facts.on_cpu else 64, "a narrow generator suffices")
    if choices.all_free("features") and choices["architecture"] == "dcgan":
        pick("d_features", 2 * width, "the judge needs width")
    batch = pick("batch_size", *_batch_size(choices, facts))
    if choices.all_free("d_learning_rate", "g_learning_rate", "loss", "architecture"):
        pick("learning_rate", 4e-4 if batch < 32 else 8e-4, "learns sooner so")
    if facts.num_images < FEW_IMAGES and choices.all_free("augment"):
        pick("augment", "translation", "pictures are few")
        if facts.num_images >= VERY_FEW_IMAGES:
            pick("augment_target", 0.8, "only where needed")
    if facts.drawn:
        pick("flip", False, "drawings hold writing")
    planned = facts.seconds and facts.seconds * facts.speed(size)
    shown = min(facts.needed, planned or math.inf)
    if facts.num_classes > 1 and shown >= IMAGES_PER_CLASS * facts.num_classes:
        pick("conditional", True, "classes are there")
    _plan(choices, facts)


def _plan(choices: Choices, facts: Facts) -> None:
    """Choose how long to train and how often to save, draw and evaluate, for known networks."""
    speed, per_step = (
        facts.speed(choices["image_size"]),
        choices["batch_size"] * (choices["d_steps"] or 1),
    )
    if choices.all_free(*LENGTHS):
        needed, seconds = facts.needed / speed, facts.seconds or math.inf
        if seconds < needed:
            evaluating = (30 if facts.on_cpu else 4) * _evaluations(seconds, facts)
            # A machine may get faster, and a constant rate may be stopped at any step; a falling
            # one has to arrive.
            share = 1.5 if choices["schedule"] == "constant" else 0.9
            choices.pick(
                "images",
                max(per_step, int(share * (seconds - evaluating) * speed)),
                "fills the time",
            )
        else:
            choices.pick("images", facts.needed, f"{facts.needed // facts.num_images} times each")
    epochs, most = choices["epochs"] or 0, choices["max_steps"] or 0
    images = min(filter(None, (choices["images"], epochs * facts.num_images, most * per_step)))
    snapshots = -(-images // IMAGES_PER_SNAPSHOT) if facts.on_cpu else MOST_SNAPSHOTS
    choices.pick("checkpoint_every", _period(images // per_step, snapshots), "shows it grow")
    if evaluations := _evaluations(min(images / speed, facts.seconds or math.inf), facts):
        images = min(images, round(facts.seconds * speed) if facts.seconds else images)
        choices.pick("evaluate_every", _period(images // per_step, evaluations), "keeps the best")


def _evaluations(seconds: float, facts: Facts) -> int:
    """Return how many evaluations take at most a tenth of so many seconds of training."""
    return min(MOST_EVALUATIONS, int(seconds / (300 if facts.on_cpu else 40)))


def _period(steps: int, parts: int) -> str:
    """Return a period that divides a run into so many parts, of a multiple of ROUND steps each."""
    return f"{max(1, steps // parts // ROUND) * ROUND} steps"


def _native(facts: Facts, most: int) -> tuple[int, int] | None:
    """Return the size that all images share, if it can be built and is at most `most`."""
    if facts.native and max(facts.native) <= most:
        with contextlib.suppress(UserError):
            base_size(facts.native)
            return facts.native
    return None


def _image_size(facts: Facts) -> Choice:
    if facts.on_cpu:
        short = facts.seconds is not None and facts.seconds * CPU < IMAGES_OF_A_SHORT_RUN
        most, why = (32, "time is short") if short else (64, "a CPU's size")
    else:
        most, why = (
            (128, "pictures are many") if facts.num_images >= 1000 else (64, "pictures are few")
        )
    if native := _native(facts, most):
        return Choice(native, "their own size")
    side = max((side for side in SIDES if side <= min(most, *facts.size)), default=SIDES[0])
    return Choice((side, side), why if side == most else "pictures are small")


def _batch_size(choices: Choices, facts: Facts) -> Choice:
    wanted, why = (
        (8 if facts.on_cpu else 64),
        ("small batches learn most" if facts.on_cpu else "fills the device"),
    )
    if facts.on_cpu and facts.num_images >= FEW_IMAGES:
        wanted = 16
    while wanted > 1 and wanted * (choices["d_steps"] or 1) > facts.num_images:
        wanted, why = wanted // 2, "pictures are few"
    unit = facts.num_devices * choices["accumulate"]  # each device and each part has as many
    return Choice(-(-wanted // unit) * unit, why)


PRESETS: dict[str, Callable[[Choices, Facts], None]] = {"auto": _auto, "plain": _plain}


def choose(config: Config, given: Collection[str], facts: Facts) -> dict[str, Choice]:
    """Return what the configuration's preset chooses for the fields that are not `given`."""
    choices = Choices(config, config.fields.keys() - given)
    PRESETS[config.preset](choices, facts)
    return choices.made


def plan(config: Config, free: Collection[str], facts: Facts) -> dict[str, Choice]:
    """Choose length and periods anew where they are `free`: by measured speed, or more time."""
    choices = Choices(config, {*free} | {name for name in LENGTHS if "images" in free})
    _plan(choices, facts)
    return choices.made


def described(chosen: dict[str, Choice], facts: Facts) -> str:
    """Return the choices as lines: for each the flag to give for the same, and the reason."""
    rows = [(spelled(name, choice.value), choice.reason) for name, choice in chosen.items()]
    width = max(len(flag) for flag, _ in rows)
    title = (
        f"chosen for {facts.num_images} pictures and {facts.num_devices} {facts.platform}; any flag"
        " overrides (--preset auto):"
    )
    return "\n".join([title, *(f"  {flag:{width}}  {reason}" for flag, reason in rows)])


def too_short(total_steps: int, config: Config, facts: Facts) -> str:
    """Return a line for a run that ends before there is anything to see: how long would do."""
    seen, good = STEPS_TO_SEE * config.images_per_step, facts.needed
    return (
        f"note: {total_steps} steps are too few to see anything but noise; it takes some"
        f" {STEPS_TO_SEE} (--images {seen}), and good pictures take more (--images"
        f" {max(good, 4 * seen)})"
    )
