"""The options of --architecture style alone."""

import dataclasses

from flaxgan.fields import WEIGHT, Rule, flag, option
from flaxgan.system.errors import UserError


@dataclasses.dataclass(frozen=True, kw_only=True)
class StyleOptions:
    """What --architecture style has beside the other fields of the method "gan".

    None means: as the paper has it; no other architecture takes another value.
    """

    mapping_layers: int | None = option(
        None,
        "layers of the network that makes styles of z (default: 8)",
        fixed=True,
        rule=Rule(lambda value: 2 <= value <= 8, "must lie in [2, 8]"),
    )
    adain: bool | None = option(
        None,
        "normalise maps as StyleGAN does, instead of demodulating weights as StyleGAN2 (default:"
        " off)",
        fixed=True,
    )
    style_mixing: float | None = option(
        None,
        "share of pictures whose finer styles are another z's, in training (default: 0.9)",
        fixed=True,
        rule=Rule(lambda value: 0 <= value <= 1, "must lie in [0, 1]"),
    )
    path_length: float | None = option(
        None,
        "weight of how unevenly pictures follow their styles, every 8 steps; 2 in StyleGAN2"
        " (default: 0)",
        fixed=True,
        rule=WEIGHT,
    )

    @property
    def mixing_share(self) -> float:
        """Return the share of pictures whose styles are mixed in training."""
        return 0.9 if self.style_mixing is None else self.style_mixing

    def require_style(self, architecture: str) -> None:
        """Raise UserError if options are given that an architecture doesn't have."""
        fields = [field.name for field in dataclasses.fields(StyleOptions)]
        given = [flag(name) for name in fields if getattr(self, name) is not None]
        if given and architecture != "style":
            raise UserError(
                f"{given[0]} is for --architecture style, and this is {architecture}; leave it out"
            )
