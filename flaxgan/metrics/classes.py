"""Which classes a generator draws, judged by a classifier that is fitted to real features."""

from typing import NamedTuple

import numpy as np

# of the covariance towards its mean variance: there may be fewer images than features
SHRINKAGE = 0.1
HELD_OUT = 0.2


class Classifier(NamedTuple):
    """Classify by linear discriminant analysis (Fisher 1936).

    Classes are Gaussian and share one covariance.
    """

    weights: np.ndarray  # (D, C)
    biases: np.ndarray  # (C,)

    def __call__(self, features: np.ndarray) -> np.ndarray:
        """Return the classes of features (N, D), as indices (N,)."""
        return (features @ self.weights + self.biases).argmax(1)


def fit(features: np.ndarray, labels: np.ndarray) -> Classifier:
    """Fit a classifier to features (N, D) with labels (N,) in 0..C-1, each class present.

    Classes are taken for equally likely.
    """
    x = features.astype(np.float64)
    means = np.stack([x[labels == c].mean(0) for c in range(labels.max() + 1)])
    centred = x - means[labels]
    covariance = centred.T @ centred / len(x)
    # 0 if no class has two different images: then all are alike
    variance = np.trace(covariance) / len(covariance) or 1.0
    covariance = (1 - SHRINKAGE) * covariance + SHRINKAGE * variance * np.eye(len(covariance))
    weights = np.linalg.solve(covariance, means.T)
    return Classifier(weights, -0.5 * np.einsum("cd,dc->c", means, weights))


class Classes(NamedTuple):
    """Hold what is known of the real images' classes."""

    present: np.ndarray  # those that there are: others can't be missed (C,)
    shares: np.ndarray  # of the images, by class (C,)
    classify: Classifier  # -> indices into `present`
    accuracy: float  # of the classifier, on images that it was not fitted to


def learn(real: np.ndarray, labels: np.ndarray, seed: int = 0) -> Classes:
    """Learn to tell two classes or more by features (N, D) and labels (N,).

    There are more images than classes.
    """
    present, labels = np.unique(labels, return_inverse=True)
    order = np.random.default_rng(seed).permutation(len(real))
    # one of each class is always fitted to
    first = np.sort(np.unique(labels[order], return_index=True)[1])
    order = np.concatenate([order[first], np.delete(order, first)])
    fitted, held_out = np.split(order, [max(len(first), round(len(order) * (1 - HELD_OUT)))])
    classify = fit(real[fitted], labels[fitted])
    accuracy = float((classify(real[held_out]) == labels[held_out]).mean())
    return Classes(present, np.bincount(labels) / len(labels), classify, accuracy)


class ClassShares(NamedTuple):
    """Hold which classes the generated images are taken for, and how evenly."""

    guesses: np.ndarray  # the class that each generated image is taken for (M,)
    shares: np.ndarray  # of the generated images, by class (C,)
    # share of classes drawn at least a tenth as often as they are among the real images
    coverage: float
    # entropy of the shares over that of the real images: 1 is as varied, 0 a single class
    balance: float


def _entropy(shares: np.ndarray) -> float:
    shares = shares[shares > 0]
    return float((shares * np.log(1 / shares)).sum())


def class_shares(real: Classes, generated: np.ndarray) -> ClassShares:
    """Return the classes of generated images and their shares, judged by their features (M, D)."""
    guesses = real.classify(generated)
    shares = np.bincount(guesses, minlength=len(real.shares)) / len(generated)
    coverage = float((shares >= real.shares / 10).mean())
    return ClassShares(
        real.present[guesses], shares, coverage, _entropy(shares) / _entropy(real.shares)
    )
