"""All metrics of generated images against real ones, each with what it takes to compare it."""

import dataclasses
from collections.abc import Callable, Iterable, Sequence

import jax.numpy as jnp
import numpy as np

from flaxgan.metrics import neighbours
from flaxgan.metrics.accuracy import accuracy
from flaxgan.metrics.classes import class_shares
from flaxgan.metrics.comparison import Comparison, Measured, NotApplicable, NotMeasured
from flaxgan.metrics.frechet import frechet_distance, gaussian
from flaxgan.metrics.inception_score import SPLITS, inception_score
from flaxgan.metrics.kernel import SUBSET_SIZE, kernel_distance
from flaxgan.metrics.ms_ssim import PAIRS, pairwise_ms_ssim, scales
from flaxgan.metrics.reference import Reference
from flaxgan.metrics.translation import OF_TRANSLATIONS, TRANSLATION_METRICS, Translation
from flaxgan.metrics.words import attributes_shown, r_precision, unseen_phrasing
from flaxgan.pretrained import inception

# a generated image is called memorised where it is closer to a real one than this share of the
# real ones are
CLOSE = 0.01
# real images closer than this share of the median distance are one image twice, and say nothing of
# CLOSE
DUPLICATE = 1e-3


def _fd(c: Comparison) -> dict[str, Measured]:
    dim = c.extractor.network.DIM
    for name, images in (("real", c.real), ("generated", c.generated)):
        if len(images) <= dim:
            c.caveats.append(
                f"{c.extractor.network.FRECHET}: {len(images)} {name} pictures are no more than"
                f" the {dim} features: their covariance is singular and the distance far too large;"
                " compare it only with others of the very same numbers"
            )
    distance = frechet_distance(c.real.gaussian, gaussian(c.features))
    return {c.extractor.network.FRECHET: {"value": distance, "reference": c.real.frechet_of_halves}}


def _kid(c: Comparison) -> dict[str, Measured]:
    size = min(SUBSET_SIZE, c.count)
    name = f"kid_{c.extractor.name}"
    if size < SUBSET_SIZE:
        c.caveats.append(
            f"{name}: subsets of {size} pictures instead of {SUBSET_SIZE}, for there are no more"
        )
    mean, std, subsets = kernel_distance(
        c.real.features, c.features, size, c.seed, c.real.kernel_within
    )
    spread = {"std": std} if subsets > 1 else {}
    return {
        name: {"value": mean, **spread, "subsets": subsets, "subset_size": size, "reference": 0.0}
    }


def _neighbourhood(name: str, k: int) -> Callable[[Comparison], dict[str, Measured]]:
    def metric(c: Comparison) -> dict[str, Measured]:
        reference = float(getattr(c.real.between_halves, name)) if c.real.between_halves else None
        entry = {"value": float(getattr(c.between, name)), "neighbours": k}
        return {name: entry | {"images_of_each": c.count, "reference": reference}}

    return metric


def _diversity(c: Comparison) -> dict[str, Measured]:
    measured: dict[str, Measured] = {}
    real_size, generated_size = (x.images.shape[1:3] for x in (c.real.image_set, c.generated))
    if min(scales(*real_size), scales(*generated_size)) == 0:
        c.caveats.append("ms_ssim is not measured: it takes pictures of at least 11x11")
    else:
        if real_size != generated_size:
            c.caveats.append(
                "ms_ssim: real and generated pictures differ in size, so that its two values can't"
                " be compared"
            )
        value = pairwise_ms_ssim(c.generated.images)
        measured["ms_ssim"] = {
            "value": value,
            "reference": c.real.ms_ssim,
            "pairs": PAIRS,
            "scales": scales(*generated_size),
        }
    try:
        value = c.within.mean_distance
        reference = c.real.within(c.count).mean_distance
        measured["feature_distance"] = {
            "value": value,
            "reference": reference,
            "images_of_each": c.count,
        }
    except NotMeasured as reason:
        c.caveats.append(f"feature_distance is not measured: {reason}")
    return measured


def _memorisation(c: Comparison) -> dict[str, Measured]:
    if len(c.real) < 2:
        raise NotMeasured("memorisation takes at least two real pictures")
    distances, among_real = c.nearest_real[1], c.real.nearest_distances
    apart = among_real[among_real > DUPLICATE * np.median(among_real)]
    close = float(np.quantile(apart, CLOSE)) if len(apart) else 0.0
    if len(c.real) < (total := c.real.image_set.total):
        c.caveats.append(
            f"memorised: only {len(c.real)} of the {total} real pictures are looked through;"
            " --num-real looks through more"
        )
    share = float((distances < close).mean())
    return {
        "memorised": {
            "value": share,
            "closer_than": close,
            "reference": CLOSE,
            "mirrored_too": c.real.mirror,
        },
        "nearest_distance": {
            "value": float(np.median(distances)),
            "reference": float(np.median(among_real)),
        },
    }


def _classes(c: Comparison) -> dict[str, Measured]:
    num_classes = 0 if c.real.image_set.labels is None else len(np.unique(c.real.image_set.labels))
    if num_classes < 2:
        raise NotApplicable("the real pictures have no two classes, so that none can be missed")
    if num_classes == len(c.real):
        raise NotMeasured(
            "each real picture has a class of its own, which none is left to test the classifier"
            " with"
        )
    classes = c.real.classes(c.seed)
    result, accuracy = class_shares(classes, c.features), classes.accuracy
    how = {
        "classifier": "linear discriminant analysis of the features",
        "classifier_accuracy": accuracy,
        "reference": 1.0,
    }
    asked = (
        c.generated.labels is not None and c.generated.class_names == c.real.image_set.class_names
    )
    if accuracy < 0.8:
        judged = "class_coverage, class_balance" + (", class_agreement" if asked else "")
        c.caveats.append(
            f"{judged}: the classifier is right about only {accuracy:.0%} of held-out real pictures"
        )
    if len(c.generated) < 10 * num_classes:
        c.caveats.append(
            f"class_coverage, class_balance: {len(c.generated)} generated pictures are fewer than"
            f" ten for each of {num_classes} classes, so that some may be missing by chance"
        )
    measured = {
        "class_coverage": {"value": result.coverage} | how,
        "class_balance": {"value": result.balance} | how,
    }
    if asked:
        measured["class_agreement"] = _per_class(c, result.guesses) | how | {"reference": accuracy}
    return measured


def _per_class(c: Comparison, guesses: np.ndarray) -> Measured:
    """Return the share of images that look like the class they were asked for, and by class.

    Each class also has its KID.
    """
    asked, per_class = np.asarray(c.generated.labels), {}
    for label, name in enumerate(c.real.image_set.class_names):
        real, rows = c.real.features[c.real.image_set.labels == label], asked == label
        generated = c.features[rows]
        if len(generated):
            entry: dict[str, float] = {
                "generated": len(generated),
                "real": len(real),
                "agreement": float((guesses[rows] == label).mean()),
            }
            if (size := min(len(real), len(generated), SUBSET_SIZE)) >= 2:
                entry["kid"] = kernel_distance(real, generated, size, c.seed)[0]
            per_class[name] = entry
    return {"value": float((guesses == asked).mean()), "classes": per_class}


def _inception_score(c: Comparison) -> dict[str, Measured]:
    if c.extractor.network is not inception:
        raise NotApplicable("the inception score takes --extractor inception")
    if len(c.generated) < SPLITS:
        raise NotMeasured(f"the inception score takes at least {SPLITS} generated pictures")
    logits = inception.logits(c.extractor.variables, jnp.asarray(c.features))
    mean, std = inception_score(np.asarray(logits), SPLITS)
    return {"inception_score": {"value": mean, "std": std, "splits": SPLITS}}


METRICS: dict[str, Callable[[Comparison], dict[str, Measured]]] = {
    "fd": _fd,
    "kid": _kid,
    "precision": _neighbourhood("precision", neighbours.K_PRECISION),
    "recall": _neighbourhood("recall", neighbours.K_PRECISION),
    "density": _neighbourhood("density", neighbours.K_DENSITY),
    "coverage": _neighbourhood("coverage", neighbours.K_DENSITY),
    "diversity": _diversity,
    "classes": _classes,
    "memorisation": _memorisation,
    "accuracy": accuracy,
    "inception_score": _inception_score,
    "attributes": attributes_shown,
    "r_precision": r_precision,
    "phrasing": unseen_phrasing,
    **TRANSLATION_METRICS,
}


def evaluate(c: Comparison, names: Iterable[str] | None = None) -> dict[str, Measured]:
    """Measure the metrics of these names, or all that apply.

    Why one could not be measured goes into c.caveats.
    """
    measured: dict[str, Measured] = {}
    usual = OF_TRANSLATIONS if isinstance(c, Translation) else METRICS
    for name in usual if names is None else names:
        try:
            measured |= METRICS[name](c)
        except NotMeasured as reason:
            if names is not None or not isinstance(reason, NotApplicable):
                c.caveats.append(f"{name} is not measured: {reason}")
    return measured


BY_FEATURES = ("fd", "kid", "precision", "recall", "density", "coverage")


def evaluate_by_all(
    c: Comparison, others: Sequence[Reference], names: Iterable[str] | None = None
) -> dict[str, Measured]:
    """Measure as `evaluate` does, and what lies in features by the extractors of others, too.

    `others` hold the same real images. Their metrics have the extractor's name in their own.
    """
    measured = evaluate(c, names)
    usual = OF_TRANSLATIONS if isinstance(c, Translation) else METRICS
    chosen = [name for name in (usual if names is None else names) if name in BY_FEATURES]
    for real in others:
        again = dataclasses.replace(c, real=real)
        eye = real.extractor
        for name, entry in evaluate(again, chosen).items():
            own = name if name in (eye.network.FRECHET, f"kid_{eye.name}") else f"{name}_{eye.name}"
            measured[own] = entry
    return measured
