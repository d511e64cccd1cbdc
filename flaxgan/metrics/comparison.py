"""Generated images beside real ones, of which every metric is a function."""

import dataclasses
import functools
from typing import Any

import numpy as np

from flaxgan.config import Config
from flaxgan.methods.conditions import Conditions
from flaxgan.methods.gan import GANState
from flaxgan.metrics import neighbours
from flaxgan.metrics.image_sets import ImageSet
from flaxgan.metrics.reference import Reference
from flaxgan.pretrained.extractor import Extractor

# "value", "reference" (what it would be for perfect images, or None), and its own protocol
Measured = dict[str, Any]


class NotMeasured(Exception):
    """Say why a metric can't measure these images, in a line for the caveats."""


class NotApplicable(NotMeasured):
    """Say that a metric is not for such a comparison.

    Only who asked for the metric by name need be told.
    """


@dataclasses.dataclass
class Comparison:
    """Hold generated images beside real ones, and what several metrics share.

    What they share is computed when it is first asked for.
    """

    real: Reference
    generated: ImageSet
    seed: int = 0
    state: GANState | None = None  # of the run that the generated images come from,
    config: Config | None = None  # and what it was trained with
    conditions: Conditions | None = None  # and what it can be asked for
    caveats: list[str] = dataclasses.field(default_factory=list)

    @property
    def extractor(self) -> Extractor:
        """Return the network whose features are compared."""
        return self.real.extractor

    @functools.cached_property
    def features(self) -> np.ndarray:
        """Return the features of the generated images: float32 (N, D)."""
        return self.extractor(self.generated.images, "features of generated pictures")

    @property
    def count(self) -> int:
        """Return how many images of each set neighbours are looked up among.

        They are as many of both, or the numbers would tilt.
        """
        return min(len(self.real), len(self.generated))

    @functools.cached_property
    def within(self) -> neighbours.Within:
        """Return how the features of the first `count` generated images lie among each other."""
        if self.count <= neighbours.K_DENSITY:
            raise NotMeasured(
                f"a neighbourhood takes more than {neighbours.K_DENSITY} pictures of each kind, not"
                f" {self.count}"
            )
        return neighbours.within(self.features[: self.count])

    @functools.cached_property
    def between(self) -> neighbours.Between:
        """Return how the first `count` generated images lie to as many real ones."""
        generated = self.within  # refuses too small sets
        features = self.real.features[: self.count], self.features[: self.count]
        return neighbours.between(*features, self.real.within(self.count), generated)

    @functools.cached_property
    def nearest_real(self) -> tuple[np.ndarray, np.ndarray]:
        """Return each generated image's nearest real one: its index, and the distance.

        An index from len(real) on is a mirrored image's. int64 (M,), float32 (M,).
        """
        return neighbours.nearest(self.features, self.real.candidates)
