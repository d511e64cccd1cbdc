"""What the run of a translation does where its flags don't say."""

import math

from flaxgan.presets.facts import LENGTHS, Choice, Choices, Facts, image_size, native, period

IMAGES_PER_ROOT = 2_000  # a run takes this many times the square root of the number of sources
# sources per second of 64x64 on two cores, at width 32, to reckon with until the speed is measured
CPU = {"pix2pix": 40, "cyclegan": 12, "cut": 20, "srgan": 40}
# of these a batch of 4, twice the papers' rate, learns as much in half the time
UNPAIRED = ("cyclegan", "cut")
ACCELERATOR = 40  # times as fast
SECONDS_PER_SNAPSHOT, MOST_SNAPSHOTS, MOST_EVALUATIONS = 60, 30, 10
EPOCHS = {"pix2pix": 200, "cyclegan": 200, "cut": 400, "srgan": 200}  # of the papers' code


def plain(choices: Choices, facts: Facts) -> None:
    """Leave everything as in the papers."""
    choices.pick("image_size", native(facts, 256) or (256, 256), "as the paper")
    choices.pick("batch_size", _unit(choices, facts, _paper_batch(choices)), "as the paper")
    if choices.all_free(*LENGTHS):
        choices.pick("epochs", EPOCHS[choices.config.method], "as the paper")
    _schedule(choices)
    _phases(choices, facts)


def auto(choices: Choices, facts: Facts) -> None:
    """Choose what a run does by the data, the device and the time."""
    most, why = (64, "a CPU's size") if facts.on_cpu else (128, "shows details")
    choices.pick("image_size", *image_size(facts, most, why))
    choices.pick("features", 32 if facts.on_cpu else 64, "as the device can carry")
    batch = _paper_batch(choices)
    if choices.config.method in UNPAIRED or not facts.on_cpu:
        batch *= 4
    choices.pick("batch_size", _unit(choices, facts, batch), "small batches learn most")
    if choices.config.method in UNPAIRED and choices["batch_size"] > 1:
        choices.pick("learning_rate", 4e-4, "suits such batches")
    _schedule(choices)
    plan(choices, facts)


def _paper_batch(choices: Choices) -> int:
    return 16 if choices.config.method == "srgan" else 1


def _unit(choices: Choices, facts: Facts, batch: int) -> int:
    """Return a batch that all devices, and parts of it, have as many of."""
    unit = facts.num_devices * choices["accumulate"]
    while batch > unit and batch > facts.num_images:
        batch //= 2
    return -(-batch // unit) * unit


def _schedule(choices: Choices) -> None:
    if choices.config.method != "srgan":
        choices.pick("schedule", "constant_linear", "as the paper")


def _phases(choices: Choices, facts: Facts) -> None:
    if choices.config.method == "srgan":
        choices.pick("pixel_images", _images(choices, facts) // 2, "half of the run")


def _images(choices: Choices, facts: Facts) -> int:
    """Return how many sources the run is to see, whichever field says so."""
    epochs, most = choices["epochs"] or 0, choices["max_steps"] or 0
    lengths = (choices["images"], epochs * facts.num_images, most * choices["batch_size"])
    return min(filter(None, lengths))


def _speed(choices: Choices, facts: Facts) -> float:
    usual = CPU[choices.config.method] * (1 if facts.on_cpu else ACCELERATOR)
    return facts.images_per_second or usual * 64 * 64 / math.prod(choices["image_size"])


def plan(choices: Choices, facts: Facts) -> None:
    """Choose how long to train and how often to save, draw and evaluate, for known networks."""
    speed, batch = _speed(choices, facts), choices["batch_size"]
    if choices.all_free(*LENGTHS):
        needed = int(round(IMAGES_PER_ROOT * math.sqrt(facts.num_images), -3))
        # its falling rate has to arrive at 0
        most = 0.85 * (facts.seconds or math.inf) * speed
        why = Choice(needed, "what so many need")
        if most < needed:
            why = Choice(max(batch, int(most)), "fills the time")
        choices.pick("images", *why)
    _phases(choices, facts)
    images = _images(choices, facts)
    steps, seconds = images // batch, images / speed
    snapshots = min(MOST_SNAPSHOTS, max(1, int(seconds / SECONDS_PER_SNAPSHOT)))
    choices.pick("checkpoint_every", period(steps, snapshots), "shows it grow")
    evaluations = min(MOST_EVALUATIONS, int(seconds / (300 if facts.on_cpu else 40)))
    if evaluations:
        choices.pick("evaluate_every", period(steps, evaluations), "keeps the best")
