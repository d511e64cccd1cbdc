"""What a run does where its flags don't say: chosen from the data, the device and the time.

The rules of each kind of method are a module with `auto` and `plain`, the presets, and `plan`,
which chooses the length alone.
"""

from collections.abc import Collection
from types import ModuleType

from flaxgan.config import Config
from flaxgan.fields import spelled
from flaxgan.presets import gan, translation
from flaxgan.presets.facts import LENGTHS, Choice, Choices, Facts

STEPS_TO_SEE = 500  # before a GAN shows anything but noise and blots

__all__ = ["STEPS_TO_SEE", "Choice", "Facts", "choose", "described", "plan", "too_short"]


def _rules(config: Config) -> ModuleType:
    return gan if config.options.DATA == "images" else translation


def choose(config: Config, given: Collection[str], facts: Facts) -> dict[str, Choice]:
    """Return what the configuration's preset chooses for the fields that are not `given`."""
    choices = Choices(config, config.fields.keys() - given)
    getattr(_rules(config), config.preset)(choices, facts)
    return choices.made


def plan(config: Config, free: Collection[str], facts: Facts) -> dict[str, Choice]:
    """Choose length and periods anew where they are `free`: by measured speed, or more time."""
    choices = Choices(config, {*free} | {name for name in LENGTHS if "images" in free})
    _rules(config).plan(choices, facts)
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
