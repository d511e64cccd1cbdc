"""Whether pictures show what words ask for: by attributes that are known of the built-in flowers,
and by how well a picture finds its own sentence among others.
"""

import itertools

import numpy as np

from flaxgan.data.captions import CLASS, Prompts
from flaxgan.data.derived import enlarged
from flaxgan.data.described import ATTRIBUTES, NAME, WHOLE, attributes, held_out, sentences
from flaxgan.data.synthetic import flower
from flaxgan.methods import method_of
from flaxgan.metrics.classes import HELD_OUT, learn
from flaxgan.metrics.comparison import Comparison, Measured, NotApplicable, NotMeasured
from flaxgan.pretrained import minilm
from flaxgan.rng import JUDGING

MOST = 1000  # pictures, each of another unseen sentence
UNSEEN = "an image that shows some {class} in a garden"  # no phrase of a recipe
COARSE = 8
AMONG = 100  # sentences of which a picture is to find its own
RIDGE = 0.01  # of the map, beside features of variance 1


def _labels(name: str, items: np.ndarray) -> np.ndarray:
    """Return which value of an attribute pictures show: int (N,)."""
    values = ATTRIBUTES[name]
    return np.array([values.index(attributes(flower(int(i))[0])[name]) for i in items])


def _pixels(images: np.ndarray) -> np.ndarray:
    """Return pictures of COARSE pixels a side as features: float32 (N, D), from 0 to 1."""
    small = enlarged(images, (COARSE, COARSE), images.shape[-1])
    return small.reshape(len(images), -1).astype(np.float32) / 255


def _shown(c: Comparison, vectors: np.ndarray) -> np.ndarray:
    """Return what a run draws of encoded sentences (N, D): uint8 (N, H, W, C)."""
    config = c.config
    assert config is not None
    method = method_of(config)
    batch = method.inputs(config, c.conditions, c.seed, len(vectors), stream=JUDGING)
    images: np.ndarray = method.sampler(c.state, config, c.conditions)(batch | {"text": vectors})
    return images


def attributes_shown(c: Comparison) -> dict[str, Measured]:
    """Measure how often pictures show what a sentence says of each attribute.

    The sentences are those of pictures that were held out: what each says, together, no sentence
    that was trained says. Classifiers of each attribute are fitted to the real pictures: of their
    features, which pictures of little quality confuse, and of a few coarse pixels, which tell
    colours for sure, and petals by where they are.
    """
    config, items = c.config, c.real.image_set.items
    if config is None or config.condition != "text" or config.dataset != NAME:
        raise NotApplicable("attributes are known of the built-in flowers alone")
    if c.state is None or c.conditions is None or items is None:
        raise NotApplicable("attributes take pictures sampled from a run, and its own data")
    asked = np.random.default_rng(c.seed).permutation(held_out())[:MOST]
    texts = [sentences(int(i))[k % WHOLE] for k, i in enumerate(asked)]
    images = _shown(c, minilm.cached(texts))
    real = c.real.image_set.images
    eyes = {
        "": (c.real.features, c.extractor(images, "features of pictures of unseen sentences")),
        "_pixels": (_pixels(real), _pixels(images)),
    }
    measured: dict[str, Measured] = {}
    values = {name: _labels(name, items) for name in ATTRIBUTES}
    if max(len(np.unique(x)) for x in values.values()) >= len(real):
        raise NotMeasured("so few real pictures leave none to test a classifier with")
    for (eye, (known, features)), name in itertools.product(eyes.items(), ATTRIBUTES):
        classes = learn(known, values[name], c.seed)
        guesses = classes.present[classes.classify(features)]
        wanted = _labels(name, asked)
        shares = [np.bincount(x, minlength=len(ATTRIBUTES[name])) for x in (guesses, wanted)]
        measured[f"words_{name}{eye}"] = {
            "value": float((guesses == wanted).mean()),
            "chance": float(shares[0] @ shares[1]) / len(asked) ** 2,
            "reference": classes.accuracy,
            "pictures": len(asked),
            "classifier": "linear discriminant analysis",
        }
    return measured


def unseen_phrasing(c: Comparison) -> dict[str, Measured]:
    """Measure how often pictures look like their class when it is asked for in other words.

    As class_agreement, but asked by UNSEEN, which no run is trained on.
    """
    config, prompts, known = c.config, c.conditions, c.real.image_set
    if config is None or config.condition != "text" or not isinstance(prompts, Prompts):
        raise NotApplicable("other words for classes take a run of --condition text --caption")
    if c.state is None or prompts.labels is None or known.labels is None:
        raise NotApplicable("other words for classes take captions that are made of them")
    if known.class_names != c.generated.class_names:
        raise NotMeasured("the real pictures have other classes than those that the run was told")
    if len(np.unique(known.labels)) >= len(c.real):
        raise NotMeasured("so few real pictures leave none to test a classifier with")
    classes = c.real.classes(c.seed)
    asked = prompts.labels[prompts.shown :][:MOST]
    names = [name.replace("_", " ") for name in known.class_names]
    vectors = minilm.cached([UNSEEN.replace(CLASS, name) for name in names])
    features = c.extractor(_shown(c, vectors[asked]), "features of other words")
    guesses = classes.present[classes.classify(features)]
    return {
        "unseen_agreement": {
            "value": float((guesses == asked).mean()),
            "reference": classes.accuracy,
            "asked": UNSEEN,
            "pictures": len(asked),
        }
    }


def _found(texts: np.ndarray, guesses: np.ndarray, seed: int) -> tuple[float | None, int]:
    """Return the share of rows whose guess is nearer to their own text than to others'.

    Of AMONG different texts, or all that there are, which is the second number; None of one alone.
    """
    different, own = np.unique(texts, axis=0, return_inverse=True)
    own, among = own.reshape(-1), min(AMONG, len(different))
    if among < 2:
        return None, among
    rng, right = np.random.default_rng(seed), 0
    for row, guess in zip(own, guesses, strict=True):
        others = rng.choice(len(different) - 1, among - 1, replace=False)
        others = different[others + (others >= row)]
        right += bool(guess @ different[row] > (others @ guess).max())
    return right / len(guesses), among


def r_precision(c: Comparison) -> dict[str, Measured]:
    """Measure how often a picture finds its own sentence among AMONG (Xu et al. 2018, AttnGAN).

    A linear map from features to the encoder's vectors, fitted to the real pictures and their
    captions, says what a picture would be called.
    """
    real, generated = c.real.image_set.text, c.generated.text
    if real is None or generated is None:
        raise NotApplicable("r_precision takes pictures with sentences: a run of --condition text")
    if min(len({*map(bytes, texts)}) for texts in (real, generated)) < 2:
        raise NotMeasured("r_precision takes sentences that differ")
    x = c.real.features.astype(np.float64)
    fitted = max(2, round(len(x) * (1 - HELD_OUT)))
    mean, scale = x[:fitted].mean(0), x[:fitted].std(0) + 1e-6
    centre = real[:fitted].mean(0)

    def standard(features: np.ndarray) -> np.ndarray:
        scaled: np.ndarray = (features - mean) / scale
        return scaled

    a = standard(x[:fitted])
    weights = np.linalg.solve(
        a.T @ a + RIDGE * len(a) * np.eye(a.shape[1]), a.T @ (real[:fitted] - centre)
    )

    def found(features: np.ndarray, texts: np.ndarray) -> tuple[float | None, int]:
        centred = texts - centre
        centred /= np.linalg.norm(centred, axis=1, keepdims=True) + 1e-12
        return _found(centred[:MOST], standard(features[:MOST]) @ weights, c.seed)

    value, among = found(c.features, generated)
    if value is None:
        raise NotMeasured("r_precision takes sentences that differ")
    reference = found(c.real.features[fitted:], real[fitted:])[0] if fitted < len(x) - 1 else None
    return {
        "r_precision": {
            "value": value,
            "chance": 1 / among,
            "reference": reference,
            "among": among,
            "pictures": min(MOST, len(generated)),
        }
    }
