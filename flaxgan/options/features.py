"""The options of a second discriminator, of a published network's feature maps."""

import dataclasses
from typing import Literal

from flaxgan.fields import WEIGHT, option
from flaxgan.system.errors import UserError


@dataclasses.dataclass(frozen=True, kw_only=True)
class FeatureOptions:
    """What --feature-discriminator is told: see methods/feature_discriminator.py."""

    feature_discriminator: float = option(
        0.0,
        "weight, in the generator's loss, of a second discriminator, which sees the feature maps of"
        " a published network (0: off)",
        fixed=True,
        rule=WEIGHT,
    )
    feature_network: Literal["nsfw_resnet50", "hed", "efficientnet_lite0"] = option(
        "nsfw_resnet50", "network whose feature maps --feature-discriminator sees", fixed=True
    )

    @property
    def teacher(self) -> str | None:
        """Return the network whose feature maps training sees, which flatters the run, or None."""
        return self.feature_network if self.feature_discriminator else None

    def check_features(self, loss: str, grow: int | None) -> None:
        """Raise UserError if a second discriminator can't learn so, or is told of without it."""
        if not self.feature_discriminator:
            if self.feature_network != FeatureOptions.feature_network:
                raise UserError(
                    "--feature-network says what --feature-discriminator sees; give that, too"
                )
        elif loss in ("wgan", "relativistic"):
            raise UserError(
                f"--loss {loss} needs penalties, and --feature-discriminator has none; use another"
                " loss"
            )
        elif grow:
            raise UserError(
                "--grow saves time on small pictures, which --feature-discriminator enlarges; leave"
                " one of them out"
            )
