"""The real side of a comparison: what stays the same whatever the generated images are."""

import functools

import numpy as np

from flaxgan.metrics import neighbours
from flaxgan.metrics.classes import Classes, learn
from flaxgan.metrics.frechet import Gaussian, frechet, gaussian
from flaxgan.metrics.image_sets import ImageSet
from flaxgan.metrics.kernel import mean_within
from flaxgan.metrics.ms_ssim import pairwise_ms_ssim
from flaxgan.pretrained.extractor import Extractor


class Reference:
    """Hold real images, and what is computed of them when it is first asked for."""

    def __init__(self, image_set: ImageSet, extractor: Extractor | None, mirror: bool):
        """Hold images; without an extractor no features can be asked for.

        `mirror` says whether memorisation looks at mirrored images, too.
        """
        self.image_set, self._extractor, self.mirror = image_set, extractor, mirror
        self._within: dict[int, neighbours.Within] = {}
        self._kernel_within: dict[bytes, np.ndarray] = {}
        self._classes: dict[int, Classes] = {}

    def __len__(self) -> int:
        return len(self.image_set)

    @property
    def extractor(self) -> Extractor:
        """Return the network whose features are compared."""
        assert self._extractor is not None, "a comparison without features"
        return self._extractor

    def _extracted(self, title: str, mirrored: bool) -> np.ndarray:
        return self.extractor.cached(self.image_set.images, self.image_set.sha256, title, mirrored)

    @functools.cached_property
    def features(self) -> np.ndarray:
        """Return the features of the images: float32 (N, D)."""
        return self._extracted("features of real pictures", mirrored=False)

    @functools.cached_property
    def _mirrored(self) -> np.ndarray:
        return self._extracted("features of mirrored real pictures", mirrored=True)

    @property
    def candidates(self) -> np.ndarray:
        """Return the features that those of a generated image may be a copy of.

        They are those of the images and then, if `mirror`, those of the mirrored images.
        """
        return np.concatenate([self.features, self._mirrored]) if self.mirror else self.features

    @functools.cached_property
    def gaussian(self) -> Gaussian:
        """Return mean and covariance of the features."""
        return gaussian(self.features)

    def within(self, count: int) -> neighbours.Within:
        """Return how the features of the first `count` images lie among each other."""
        if count not in self._within:
            self._within[count] = neighbours.within(self.features[:count])
        return self._within[count]

    def kernel_within(self, rows: np.ndarray) -> np.ndarray:
        """Return kernel.mean_within of the features, for `rows` (S, size): float64 (S,)."""
        key = rows.tobytes()
        if key not in self._kernel_within:
            self._kernel_within[key] = mean_within(self.features, rows)
        return self._kernel_within[key]

    def classes(self, seed: int) -> Classes:
        """Return a classifier of the features. The images must have two classes or more."""
        if seed not in self._classes:
            self._classes[seed] = learn(self.features, np.asarray(self.image_set.labels), seed)
        return self._classes[seed]

    @property
    def _halves(self) -> tuple[np.ndarray, np.ndarray]:
        """Return two halves of the features, which score as half as many perfect images would."""
        return self.features[::2], self.features[1::2]

    @functools.cached_property
    def frechet_of_halves(self) -> float | None:
        """Return the Fréchet distance of the two halves, or None of fewer than four images."""
        return frechet(*self._halves) if len(self) >= 4 else None

    @functools.cached_property
    def between_halves(self) -> neighbours.Between | None:
        """Return how the halves lie to each other, or None if they have too few neighbours."""
        if len(self._halves[1]) <= neighbours.K_DENSITY:
            return None
        return neighbours.between(*self._halves, *map(neighbours.within, self._halves))

    @functools.cached_property
    def nearest_distances(self) -> np.ndarray:
        """Return the distance of each image to the nearest other one: float32 (N,).

        If `mirror`, the others count mirrored, too.
        """
        sets = [self.features, self._mirrored] if self.mirror else [self.features]
        return np.min([neighbours.nearest(self.features, x, same=True)[1] for x in sets], 0)

    @functools.cached_property
    def ms_ssim(self) -> float:
        """Return the mean MS-SSIM of random pairs of the images."""
        return pairwise_ms_ssim(self.image_set.images)
