"""The options of a generator that is asked for something: a class, or what a sentence says."""

import dataclasses
from typing import Literal

from flaxgan.fields import SHARE, WEIGHT, option
from flaxgan.system.errors import UserError


@dataclasses.dataclass(frozen=True, kw_only=True)
class ConditionOptions:
    """What pictures can be asked for by, and how a network learns to heed it."""

    condition: Literal["none", "class", "text"] = option(
        "none",
        "what pictures can be asked for by: class, the data's classes; text, words, learnt from"
        " captions",
        fixed=True,
    )
    caption: str | None = option(
        None,
        "captions of pictures that have a class alone, as 'a photo of a {class}', several with |"
        " between (default: captions beside the pictures)",
        fixed=True,
    )
    matching: float = option(
        0.5,
        "of text: share of real pictures with another's caption in what counts as generated (0:"
        " off)",
        fixed=True,
        rule=SHARE,
        alone=0.5,
    )
    matching_penalty: float = option(
        0.0,
        "of text: weight of (length of the gradient at a real picture + at its caption)**6, 2 in"
        " DF-GAN (0: off)",
        fixed=True,
        rule=WEIGHT,
    )

    def check_condition(self) -> None:
        """Raise UserError if options of text are given without it."""
        for name in ("caption", "matching", "matching_penalty"):
            given = getattr(self, name) not in (0.0, getattr(ConditionOptions, name))
            if given and self.condition != "text":
                flag = "--" + name.replace("_", "-")
                raise UserError(f"{flag} is for --condition text; give that too, or leave it out")

    @property
    def matches(self) -> bool:
        """Tell whether pairs that do not match are shown to the discriminator."""
        return self.condition == "text" and self.matching > 0
