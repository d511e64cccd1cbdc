"""What a GAN's run does where its flags don't say."""

import math

from flaxgan.presets.facts import CPU, LENGTHS, Choice, Choices, Facts, image_size, native, period

VERY_FEW_IMAGES = 1_000  # fewer are copied before an adaptive augmentation has set in
FEW_IMAGES = 20_000  # a discriminator comes to know so few by heart in that time
IMAGES_PER_CLASS = 5_000  # shown, before classes bring more than they cost (docs/results.md)
IMAGES_OF_A_SHORT_RUN = 60_000  # at 64x64; in fewer a smaller picture gets further
IMAGES_PER_SNAPSHOT = 8_000  # on a CPU: about a minute
STYLE_RATE = 0.002
R1_OF_A_PIXEL = 0.0002  # times pixels, and divided by the batch: the published rule for R1's weight
MOST_SNAPSHOTS, MOST_EVALUATIONS = 30, 10


def plain(choices: Choices, facts: Facts) -> None:
    """Leave everything as in the DCGAN's paper, for 25 epochs."""
    choices.pick("image_size", native(facts, 64) or (64, 64), "as the paper")
    if choices["architecture"] == "style":
        _style(choices)
    if choices.all_free(*LENGTHS):
        choices.pick("epochs", 25, "as tutorials do")
    _phases(choices, facts)


def auto(choices: Choices, facts: Facts) -> None:
    """Choose what a run does by the data, the device and the time."""
    pick = choices.pick
    size = pick("image_size", *_image_size(facts))
    width = pick("features", *_features(choices, facts))
    if choices.all_free("features") and choices["architecture"] == "dcgan":
        pick("d_features", 2 * width, "the judge needs width")
    batch = pick("batch_size", *_batch_size(choices, facts))
    if choices["architecture"] == "style":
        _style(choices)
    own_rate = not choices.all_free("d_learning_rate", "g_learning_rate", "loss")
    if choices["architecture"] == "dcgan" and not own_rate:
        pick("learning_rate", 4e-4 if batch < 32 else 8e-4, "learns sooner so")
    if facts.num_images < FEW_IMAGES and choices.all_free("augment"):
        pick("augment", "translation", "pictures are few")
        if facts.num_images >= VERY_FEW_IMAGES:
            pick("augment_target", 0.8, "only where needed")
    if facts.drawn:
        pick("flip", False, "drawings hold writing")
    planned = facts.seconds and facts.seconds * facts.speed(size)
    shown = min(facts.needed, planned or math.inf)
    if facts.num_classes > 1 and shown >= IMAGES_PER_CLASS * facts.num_classes:
        pick("condition", "class", "classes are there")
    plan(choices, facts)


def _style(choices: Choices) -> None:
    """Choose what the style networks are trained with (Karras et al. 2020, and their code)."""
    for name, value in (("beta1", 0.0), ("beta2", 0.99), ("learning_rate", STYLE_RATE)):
        choices.pick(name, value, "suits style")
    pixels, batch = math.prod(choices["image_size"]), choices["batch_size"]
    if choices.all_free("r1", "r2", "gradient_penalty", "penalty", "spectral_norm"):
        r1 = float(f"{R1_OF_A_PIXEL * pixels / batch:.3g}")
        choices.pick("r1", r1, f"{R1_OF_A_PIXEL} x pixels / batch")
        choices.pick("r1_every", 16, "as good, and faster")


def plan(choices: Choices, facts: Facts) -> None:
    """Choose how long to train and how often to save, draw and evaluate, for known networks."""
    speed, per_step = (
        facts.speed(choices["image_size"]),
        choices["batch_size"] * (choices["d_steps"] or 1),
    )
    if choices.all_free(*LENGTHS):
        needed, seconds = facts.needed / speed, facts.seconds or math.inf
        if seconds < needed:
            evaluating = (30 if facts.on_cpu else 4) * _evaluations(seconds, facts)
            # A machine may get faster, and a constant rate may be stopped at any step; a falling
            # one has to arrive.
            share = 1.5 if choices["schedule"] == "constant" else 0.9
            choices.pick(
                "images",
                max(per_step, int(share * (seconds - evaluating) * speed)),
                "fills the time",
            )
        else:
            choices.pick("images", facts.needed, f"{facts.needed // facts.num_images} times each")
    _phases(choices, facts)
    images = _images(choices, facts)
    snapshots = -(-images // IMAGES_PER_SNAPSHOT) if facts.on_cpu else MOST_SNAPSHOTS
    choices.pick("checkpoint_every", period(images // per_step, snapshots), "shows it grow")
    if evaluations := _evaluations(min(images / speed, facts.seconds or math.inf), facts):
        images = min(images, round(facts.seconds * speed) if facts.seconds else images)
        choices.pick("evaluate_every", period(images // per_step, evaluations), "keeps the best")


def _images(choices: Choices, facts: Facts) -> int:
    """Return how many images the run is to see, whichever field says so."""
    epochs, most = choices["epochs"] or 0, choices["max_steps"] or 0
    per_step = choices["batch_size"] * (choices["d_steps"] or 1)
    return min(filter(None, (choices["images"], epochs * facts.num_images, most * per_step)))


def _phases(choices: Choices, facts: Facts) -> None:
    """Choose how long a run that grows has small pictures."""
    if grow := choices["grow"]:
        earlier = max(1, (min(choices["image_size"]) // grow).bit_length() - 1)
        images = max(1, _images(choices, facts) // 2 // earlier)
        choices.pick("grow_images", images, "half of the run for full size")


def _evaluations(seconds: float, facts: Facts) -> int:
    """Return how many evaluations take at most a tenth of so many seconds of training."""
    return min(MOST_EVALUATIONS, int(seconds / (300 if facts.on_cpu else 40)))


def _image_size(facts: Facts) -> Choice:
    if facts.on_cpu:
        short = facts.seconds is not None and facts.seconds * CPU < IMAGES_OF_A_SHORT_RUN
        return image_size(facts, *((32, "time is short") if short else (64, "a CPU's size")))
    many = facts.num_images >= 1000
    return image_size(facts, *((128, "pictures are many") if many else (64, "pictures are few")))


def _features(choices: Choices, facts: Facts) -> Choice:
    if facts.on_cpu and choices["architecture"] == "style":
        return Choice(16, "its steps take long")
    return Choice(32 if facts.on_cpu else 64, "a narrow generator suffices")


def _batch_size(choices: Choices, facts: Facts) -> Choice:
    wanted, why = (
        (8 if facts.on_cpu else 64),
        ("small batches learn most" if facts.on_cpu else "fills the device"),
    )
    if facts.on_cpu and facts.num_images >= FEW_IMAGES:
        wanted = 16
    while wanted > 1 and wanted * (choices["d_steps"] or 1) > facts.num_images:
        wanted, why = wanted // 2, "pictures are few"
    unit = facts.num_devices * choices["accumulate"]  # each device and each part has as many
    return Choice(-(-wanted // unit) * unit, why)
