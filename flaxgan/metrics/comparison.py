"""Generated pictures beside real ones: what every metric is a function of."""

import dataclasses
import functools
from typing import Any

import numpy as np

from flaxgan.config import Config
from flaxgan.methods.gan import GANState
from flaxgan.metrics import neighbours
from flaxgan.metrics.image_sets import ImageSet
from flaxgan.metrics.reference import Reference
from flaxgan.pretrained.extractor import Extractor

# "value", "reference" (what it would be for perfect pictures, or None), and its own protocol
Measured = dict[str, Any]


class NotMeasured(Exception):
    """Why a metric says nothing about these pictures: a line for the caveats."""


class NotApplicable(NotMeasured):
    """The metric is not for such a comparison, of which nobody need be told who did not ask for it
    by name.
    """


@dataclasses.dataclass
class Comparison:
    """Generated pictures beside real ones, and all that several metrics share, computed when it is
    first asked for.
    """

    real: Reference
    generated: ImageSet
    seed: int = 0
    state: GANState | None = None  # of the run that the generated pictures come from,
    config: Config | None = None  # and what it was trained with
    caveats: list[str] = dataclasses.field(default_factory=list)

    @property
    def extractor(self) -> Extractor:
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
        generated = self.within  # refuses too small sets
        features = self.real.features[: self.count], self.features[: self.count]
        return neighbours.between(*features, self.real.within(self.count), generated)

    @functools.cached_property
    def nearest_real(self) -> tuple[np.ndarray, np.ndarray]:
        """Return each generated image's nearest real one: its index (from len(real) on, mirrored
        ones) and the distance.
        """
        return neighbours.nearest(self.features, self.real.candidates)
