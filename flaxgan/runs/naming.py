"""Names of a run's checkpoints: by step, by epoch as its pictures have them, or the best one."""

from typing import Literal, NamedTuple, Self

from flaxgan.system.errors import UserError


class CheckpointName(NamedTuple):
    """Name a checkpoint: by its step, by the epoch that it ends, or as the best one.

    The best is the one that evaluation chose.
    """

    unit: Literal["step", "epoch", "best"]
    number: int = 0

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read 5000, step:5000, epoch:20 or best. Raises ValueError if `text` is none of them."""
        if text == "best":
            return cls("best")
        unit, colon, number = text.rpartition(":")
        if not number.isdecimal() or (colon and unit not in ("step", "epoch")):
            raise ValueError(
                f"{text!r} is neither a step (5000 or step:5000) nor an epoch (epoch:20), nor the"
                " word best"
            )
        return cls("epoch" if unit == "epoch" else "step", int(number))

    def step(self, per_epoch: int | None) -> int:
        """Return the step that the name means, where an epoch has `per_epoch` steps.

        Raises UserError if it names an epoch and `per_epoch` is None.
        """
        if self.unit == "step":
            return self.number
        if per_epoch is None:
            raise UserError(
                f"how many steps an epoch of the run has is not known, so epoch:{self.number} can't"
                " be; name a step"
            )
        return self.number * per_epoch


def step_in_words(step: int, per_epoch: int | None) -> str:
    """Name a step in both terms: 'step 5000 (epoch 20)' or 'step 5003 (within epoch 21)'."""
    if per_epoch is None:
        return f"step {step}"
    epoch, rest = divmod(step, per_epoch)
    return f"step {step} ({f'within epoch {epoch + 1}' if rest else f'epoch {epoch}'})"
