import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from flaxgan.config import Config
from flaxgan.data import Dataset
from flaxgan.data.pixels import preprocess, to_uint8
from flaxgan.methods import gan as steps
from flaxgan.methods import gan_batch, state_shape
from flaxgan.methods.augment import adapted_probability
from flaxgan.methods.gan import create_state, train_step
from flaxgan.methods.gan_batch import discriminator_view
from flaxgan.methods.losses import LOSSES, feature_matching
from flaxgan.methods.sampling import averaged_generator
from flaxgan.methods.updates import update_ema
from flaxgan.rng import TRAINING, Rng, random_key
from flaxgan.trainer import Trainer
from tests.compiling import QUICK

pytestmark = pytest.mark.usefixtures("own_convolutions")

# Compiled: operation by operation, each would be a compilation of its own.
train_mode = jax.jit(lambda network, x: network.train_mode(x))

CONFIG = Config.make(image_size=16, channels=3, features=4, latent_dim=8, batch_size=8, flip=True)
RNG = Rng(jax.random.key(6))
discriminator_step, generator_step = (
    jax.jit(
        lambda state, images, z, step=step, config=CONFIG: step(
            state, {"image": images, "z": z}, RNG, config
        ),
        static_argnames="config",
    )
    for step in (steps.discriminator_step, steps.generator_step)
)


@pytest.fixture(scope="module")
def state():
    return jax.jit(lambda: create_state(CONFIG))()


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(0).integers(0, 256, (8, 16, 16, 3), np.uint8)


@pytest.fixture(scope="module")
def z():
    return jax.random.normal(jax.random.key(5), (8, 8))


def same(a, b):
    return all(
        bool((x == y).all()) for x, y in zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True)
    )


def close(a, b, atol):
    jax.tree.map(functools.partial(np.testing.assert_allclose, rtol=0, atol=atol), a, b)


def test_every_byte_survives_the_round_trip():
    levels = jnp.arange(256, dtype=jnp.uint8).reshape(1, 16, 16, 1)
    x = preprocess(levels)
    assert (float(x.min()), float(x.max())) == (-1, 1)
    assert (to_uint8(x) == levels).all()


def test_about_half_the_pictures_are_mirrored_each_as_a_whole():
    images = np.random.default_rng(0).integers(0, 256, (400, 4, 4, 3), np.uint8)
    mirrored = jax.random.bernoulli(jax.random.key(0), shape=(400,))
    plain, flipped = preprocess(images), preprocess(images, mirrored)
    mirrored = (flipped == plain[:, :, ::-1]).all((1, 2, 3))
    assert ((flipped == plain).all((1, 2, 3)) | mirrored).all()
    assert 150 < int(mirrored.sum()) < 250


def adam_first_step(params, grads, rate=2e-4, eps=1e-8):
    """Adam's first step, worked by hand: both moments are unbiased to g and g**2, so it is rate * g
    / (|g| + eps).
    """
    return jax.tree.map(lambda p, g: p - rate * g / (abs(g) + eps), params, grads)


@pytest.mark.slow
def test_discriminator_step_is_one_adam_step_on_the_loss_written_out(state, images, z):
    g, d = state.generator, state.discriminator
    fakes = train_mode(g, z)[0]

    def loss(params):
        def logits(x):
            return d.module.apply(
                {"params": params, "batch_stats": d.batch_stats},
                x,
                train=True,
                mutable=["batch_stats"],
            )[0]

        return LOSSES["bce"].discriminator(logits(preprocess(images)), logits(fakes), 1.0)

    value, grads = jax.jit(jax.value_and_grad(loss))(d.params)
    after, metrics = discriminator_step(state, preprocess(images), z)
    close(after.discriminator.params, adam_first_step(d.params, grads), 2e-6)
    np.testing.assert_allclose(metrics["d_loss"], value, rtol=1e-6)
    assert same(after.generator, g)


@pytest.mark.slow
def test_running_statistics_take_in_real_then_generated(state, images, z):
    d = state.discriminator
    fakes = train_mode(state.generator, z)[0]
    after, _ = discriminator_step(state, preprocess(images), z)
    stats = train_mode(d, preprocess(images))[1]
    stats = train_mode(d.replace(batch_stats=stats), fakes)[1]
    close(after.discriminator.batch_stats, stats, 1e-6)


@pytest.mark.slow
def test_generator_step_is_one_adam_step_through_both_networks(state, images, z):
    g, d = state.generator, state.discriminator

    def loss(params):
        fakes = g.replace(params=params).train_mode(z)[0]
        return LOSSES["bce"].generator(None, d.train_mode(fakes)[0])

    value, grads = jax.jit(jax.value_and_grad(loss))(g.params)
    after, metrics = generator_step(state, preprocess(images), z)
    # Adam's first step is the gradient's sign: where rounding decides that, compare the moments
    # instead.
    close(
        optax.tree.get(after.generator.opt_state, "mu"),
        jax.tree.map(lambda g: 0.5 * g, grads),
        1e-6,
    )
    np.testing.assert_allclose(metrics["g_loss"], value, rtol=1e-6)
    assert same(after.discriminator, d)
    assert not same(after.generator.batch_stats, g.batch_stats)


def test_accuracies_count_logits_on_the_right_side(state, images, z):
    d, fakes = state.discriminator, train_mode(state.generator, z)[0]
    _, metrics = discriminator_step(state, preprocess(images), z)
    real_logits, fake_logits = train_mode(d, preprocess(images))[0], train_mode(d, fakes)[0]
    assert metrics["d_real_accuracy"] == (real_logits > 0).mean()
    assert metrics["d_fake_accuracy"] == (fake_logits < 0).mean()


@pytest.mark.slow
def test_train_step_composes_the_two_and_counts(state, images):
    step = jax.jit(functools.partial(train_step, config=CONFIG.replace(flip=False)))
    once, metrics = step(state, {"image": images})
    assert int(once.step) == 1
    assert set(metrics) == {"d_loss", "g_loss", "d_real_accuracy", "d_fake_accuracy"}
    again, _ = step(state, {"image": images})
    assert same(once, again), "the same state and pictures give the same next state"
    z = Rng(random_key(0, TRAINING)).fold(0).fold(0).normal((8, 8))
    expected, d_metrics = discriminator_step(state, preprocess(images), z)
    expected, g_metrics = generator_step(expected, preprocess(images), z)
    np.testing.assert_allclose(
        [metrics["d_loss"], metrics["g_loss"]],
        [d_metrics["d_loss"], g_metrics["g_loss"]],
        rtol=1e-5,
    )
    for got, want in (
        (once.generator, expected.generator),
        (once.discriminator, expected.discriminator),
    ):
        close(got.batch_stats, want.batch_stats, 1e-5)
        close(optax.tree.get(got.opt_state, "mu"), optax.tree.get(want.opt_state, "mu"), 1e-5)


@pytest.mark.slow
def test_randomness_follows_seed_and_step(state, images):
    step = jax.jit(functools.partial(train_step, config=CONFIG))
    states = (state, state.replace(step=7), state.replace(seed=jnp.uint32(1)))
    first, other_step, other_seed = (step(state, {"image": images})[1] for state in states)
    assert len({float(metrics["d_loss"]) for metrics in (first, other_step, other_seed)}) == 3


# Compiled for devices.

PICTURES = np.random.default_rng(1).integers(0, 256, (50, 16, 16, 3), np.uint8)
LABELS = np.random.default_rng(2).integers(0, 3, 50, np.int32)
ORDER = np.stack([np.random.default_rng(step).permutation(50)[:16] for step in range(4)])


def trained(num_devices, steps_per_dispatch=1, **fields):
    """-> (state, metrics of each step, FLOP of a step on a device) after four steps, on the
    host.
    """
    config = CONFIG.replace(**({"batch_size": 16} | fields))
    trainer = Trainer(
        config,
        jax.devices()[:num_devices],
        Dataset.of(PICTURES, LABELS, ("a", "b", "c")),
        steps_per_dispatch,
    )
    state, rows = trainer.create_state(), []
    for start in range(0, 4, steps_per_dispatch):
        indices = ORDER[start : start + steps_per_dispatch]
        state, metrics = trainer.train_steps(state, trainer.dataset.rows(indices))
        rows += zip(*(np.asarray(values) for values in metrics.values()), strict=True)
    return jax.device_get(state), np.array(rows), trainer.program.cost_analysis()["flops"]


@pytest.fixture(scope="module")
def on_one_device():
    return trained(1)


@pytest.mark.slow
def test_neither_the_home_of_the_pictures_nor_the_steps_of_a_dispatch_change_a_bit(monkeypatch):
    options = {"xla_backend_optimization_level": 3}  # as for users: see compiling.py
    if "emitters" in QUICK:
        options["xla_cpu_use_fusion_emitters"] = True
    compiled = functools.partialmethod(jax.stages.Lowered.compile, compiler_options=options)
    monkeypatch.setattr(jax.stages.Lowered, "compile", compiled)
    expected, expected_rows, _ = trained(1)
    state, rows, _ = trained(1, data_home="device", steps_per_dispatch=3)
    assert same(state, expected) and (rows == expected_rows).all()


def agree(got, want):
    (state, rows, _), (expected, expected_rows, _) = got, want
    np.testing.assert_allclose(rows, expected_rows, rtol=0, atol=1e-5)
    for name in ("generator", "discriminator"):
        got, want = getattr(state, name), getattr(expected, name)
        close(got.batch_stats, want.batch_stats, 1e-5)
        close(optax.tree.get(got.opt_state, "mu"), optax.tree.get(want.opt_state, "mu"), 1e-5)


@pytest.mark.slow
@pytest.mark.parametrize(
    "fields",
    [
        {"parallelism": "jit"},
        {"parallelism": "pmap", "data_home": "device", "steps_per_dispatch": 3},
    ],
)
def test_eight_devices_agree_with_one_and_share_its_work(on_one_device, fields):
    eight = trained(8, **fields)
    agree(eight, on_one_device)
    assert eight[2] < on_one_device[2] / 6, (
        "what is left beyond an eighth are the parameters' updates"
    )


@pytest.mark.slow
def test_parts_of_a_batch_add_up_to_the_mean_over_them(state, images, z):
    """Every part has batch statistics of its own: the gradient is the mean of theirs, exactly."""
    whole, metrics = discriminator_step(
        state, preprocess(images), z, config=CONFIG.replace(accumulate=2)
    )
    parts = [discriminator_step(state, preprocess(images)[i::2], z[i::2]) for i in range(2)]
    for name in metrics:
        np.testing.assert_allclose(
            metrics[name], np.mean([part[name] for _, part in parts]), rtol=1e-6
        )
    mean = jax.tree.map(
        lambda *leaves: sum(leaves) / 2,
        *(optax.tree.get(s.discriminator.opt_state, "mu") for s, _ in parts),
    )
    close(optax.tree.get(whole.discriminator.opt_state, "mu"), mean, 1e-7)

    whole, _ = generator_step(state, preprocess(images), z, config=CONFIG.replace(accumulate=2))
    parts = [generator_step(state, preprocess(images)[i::2], z[i::2])[0] for i in range(2)]
    mean = jax.tree.map(
        lambda *leaves: sum(leaves) / 2,
        *(optax.tree.get(s.generator.opt_state, "mu") for s in parts),
    )
    close(optax.tree.get(whole.generator.opt_state, "mu"), mean, 1e-7)


@pytest.mark.slow
def test_accumulation_on_eight_devices_agrees_with_one():
    agree(trained(8, accumulate=2, parallelism="pmap"), trained(1, accumulate=2))


@pytest.mark.slow
def test_bfloat16_computes_in_it_and_keeps_the_rest_in_float32(on_one_device):
    state, rows, _ = trained(1, dtype="bfloat16")
    assert {
        leaf.dtype for leaf in jax.tree.leaves((state.generator, state.discriminator)) if leaf.ndim
    } == {np.dtype("float32")}
    assert (rows != on_one_device[1]).any(), "it did compute in another precision"
    np.testing.assert_allclose(rows, on_one_device[1], rtol=0, atol=0.15)


@pytest.mark.slow
def test_the_generator_runs_once_a_step_and_nothing_needless_is_differentiated():
    """Matrix products in a compiled step, by hand: each pass through a layer, or gradient of it, is
    `cost` products.
    """
    config = Config.make(image_size=32, channels=3, features=8, batch_size=64, flip=False, ema=0)
    trainer = Trainer(config, jax.devices()[:1], Dataset.of(np.zeros((64, 32, 32, 3), np.uint8)))
    products = trainer.program.as_text().count(" dot(")
    # Two inner layers, by F(4x4, 2x2) where there are outputs enough, else by F(2x2, 2x2); that of
    # three channels; the dense one.
    filtered, filtered_of_both, gathered, dense = 25 + 9, 25 + 25, 1, 1
    # The discriminator passes both kinds of pictures at once; its gradients are by parameters and
    # by the first layer's output.
    d_step = 3 * (filtered_of_both + dense) + 2 * gathered
    # The generator, the discriminator, back through it to the pictures, and the generator's
    # gradients but that by z.
    g_step = (
        2 * (dense + filtered + gathered)
        + (dense + filtered + gathered)
        + 2 * (filtered + gathered)
        + dense
    )
    assert 0.8 * (d_step + g_step) < products <= d_step + g_step


# What is off unless asked for.


@pytest.mark.slow
def test_abilities_that_are_off_cost_nothing(images):
    """The compiled step has as many operations as one written out here, that knows of no
    ability.
    """
    config = CONFIG.replace(flip=False, ema=0)
    state = jax.jit(lambda: create_state(config))()

    def written_out(state, images):
        z = Rng(random_key(state.seed, TRAINING)).fold(state.step).fold(0).normal((8, 8))
        g, d, reals = state.generator, state.discriminator, preprocess(images["image"])
        fakes, pullback, g_stats = jax.vjp(
            lambda p: g.replace(params=p).train_mode(z)[:2], g.params, has_aux=True
        )

        def d_loss(params):
            both = jnp.stack([reals, fakes], 1).reshape(-1, *reals.shape[1:])
            logits, stats, _ = d.replace(params=params).train_mode(both, groups=2)
            real_logits, fake_logits = logits[::2], logits[1::2]
            loss = jax.nn.softplus(-real_logits).mean() + jax.nn.softplus(fake_logits).mean()
            return loss, (
                stats,
                {
                    "d_loss": loss,
                    "real": (real_logits > 0).mean(),
                    "fake": (fake_logits < 0).mean(),
                },
            )

        grads, (d_stats, metrics) = jax.grad(d_loss, has_aux=True)(d.params)
        d = d.update(grads, d_stats)
        loss, grads = jax.value_and_grad(lambda x: jax.nn.softplus(-d.train_mode(x)[0]).mean())(
            fakes
        )
        state = state.replace(
            generator=g.update(*pullback(grads), g_stats), discriminator=d, step=state.step + 1
        )
        return state, metrics | {"g_loss": loss}

    def operations(step, state):
        return sum(
            " = " in line
            for line in (
                jax.jit(step).lower(state, {"image": images}).compile().as_text().splitlines()
            )
        )

    plain = operations(written_out, state)
    assert operations(functools.partial(train_step, config=config), state) == plain
    more = config.replace(augment="color", feature_matching=0.1)
    assert operations(functools.partial(train_step, config=more), state) > plain


def test_the_average_halves_in_a_half_life_and_forgets_the_beginning():
    config = CONFIG.replace(ema=80)  # ten steps of 8
    params, zeros = {"w": jnp.ones(3)}, {"w": jnp.zeros(3)}
    average = zeros
    for step in range(1000, 1010):
        average = update_ema(average, params, jnp.int32(step), config.ema, config.images_per_step)
    np.testing.assert_allclose(average["w"], 0.5, rtol=1e-5)
    np.testing.assert_allclose(
        update_ema(zeros, params, jnp.int32(1), config.ema, config.images_per_step)["w"],
        1,
        atol=1e-5,
    )


@pytest.mark.slow
def test_the_averaged_generator_is_sampled_with_statistics_of_its_own(state, images):
    step = jax.jit(functools.partial(train_step, config=CONFIG))
    for _ in range(3):
        state, _ = step(state, {"image": images})
    network = averaged_generator(state.generator, state.ema_params, {})
    assert same(network.params, state.ema_params) and not same(
        network.params, state.generator.params
    )
    z = jax.random.normal(jax.random.key(9), (1024, 8))
    got, want = (
        jax.jit(run)(z) for run in (network.eval_mode, lambda z: train_mode(network, z)[0])
    )
    np.testing.assert_allclose(got.mean(0), want.mean(0), atol=0.02)
    np.testing.assert_allclose(got.std(0), want.std(0), atol=0.02)
    assert averaged_generator(state.generator, None, {}) is state.generator


@pytest.mark.slow
def test_those_statistics_are_of_classes_as_frequent_as_in_the_data(images):
    config = CONFIG.replace(conditional=True, num_classes=2)
    state = jax.jit(lambda: create_state(config))()
    table = state.ema_params["BatchNormOfClass_0"]["bias"]["embedding"]
    # z makes no difference
    state.ema_params["BatchNormOfClass_0"]["bias"]["embedding"] = table + jnp.array(
        [[0.0], [100.0]]
    )

    def mean_of_the_second_norm(counts):
        stats = averaged_generator(state.generator, state.ema_params, counts).batch_stats[
            "BatchNormOfClass_1"
        ]["BatchNorm_0"]
        return np.asarray(stats["mean"])

    rare, even, only = (
        mean_of_the_second_norm({"a": a, "b": b}) for a, b in ((19, 1), (1, 1), (0, 1))
    )
    share = np.linalg.lstsq((only - even)[:, None], rare - even)[0]
    np.testing.assert_allclose(share, (0.05 - 0.5) / (1 - 0.5), atol=0.2)  # of 1,024 that are drawn


@pytest.mark.parametrize("name", ["discriminator_step", "generator_step"])
def test_the_discriminator_judges_nothing_but_what_it_is_shown(state, images, z, monkeypatch, name):
    """Shown grey pictures only, its loss is the same whatever the pictures are, and the generator
    learns nothing.
    """
    asked = []
    monkeypatch.setattr(
        gan_batch, "augmented", lambda x, rng, **how: asked.append(how) or jnp.zeros_like(x)
    )
    config = CONFIG.replace(
        augment="color,cutout", augment_target=0.8, instance_noise=0.1, loss="relativistic"
    )
    state = state.replace(augment_probability=0.25)
    step = jax.jit(
        lambda images, z: getattr(steps, name)(
            state, {"image": preprocess(images), "z": z}, RNG, config
        )
    )
    (after, metrics), (_, others) = step(images, z), step(255 - images, -z)
    assert len(asked) == 2, "real and generated pictures"
    assert all(
        how["augmentations"] == ("color", "cutout") and how["noise"] is not None for how in asked
    )
    assert all(how["probability"] == 0.25 for how in asked)
    loss = "d_loss" if name == "discriminator_step" else "g_loss"
    assert metrics[loss] == others[loss]
    assert not any(
        leaf.any() for leaf in jax.tree.leaves(optax.tree.get(after.generator.opt_state, "mu"))
    )


@pytest.mark.slow
def test_the_share_that_is_augmented_rises_and_falls_with_the_discriminators_accuracy(images):
    config = CONFIG.replace(augment="cutout", augment_target=0.8)
    for share, accuracy, want in (
        (0.25, 1.0, 0.25 + 0.2 * 8 / 10_000),
        (0.25, 0.5, 0.25 - 0.3 * 8 / 10_000),
        (0.0, 0.7, 0.0),
        (1.0, 0.9, 1.0),
    ):
        assert float(
            adapted_probability(jnp.float32(share), jnp.float32(accuracy), 0.8, 8)
        ) == pytest.approx(want, abs=1e-7)

    state, step = (
        jax.jit(lambda: create_state(config))(),
        jax.jit(functools.partial(train_step, config=config)),
    )
    state = state.replace(augment_probability=jnp.float32(0.5))
    for _ in range(2):
        before, (state, metrics) = float(state.augment_probability), step(state, {"image": images})
        excess = float(metrics["d_real_accuracy"]) - 0.8
        assert metrics["augment_probability"] == before != state.augment_probability
        assert float(state.augment_probability) == pytest.approx(
            before + excess * 8 / 10_000, abs=1e-7
        )


@pytest.mark.slow
def test_dropout_is_on_in_both_steps(images, z):
    losses = []
    for dropout in (0.0, 0.3):
        config = CONFIG.replace(dropout=dropout)
        state = jax.jit(lambda config=config: create_state(config))()
        both = [
            step(state, preprocess(images), z, config=config)[1]
            for step in (discriminator_step, generator_step)
        ]
        losses.append((both[0]["d_loss"], both[1]["g_loss"]))
    assert (np.not_equal(*losses)).all()


@pytest.mark.slow
def test_feature_matching_is_added_to_what_the_generator_minimises(state, images, z):
    d = state.discriminator
    of_real, of_fakes = (
        train_mode(d, x)[2]["last"][0]
        for x in (preprocess(images), train_mode(state.generator, z)[0])
    )
    distance = feature_matching(of_real, of_fakes)
    plain, matching = (
        generator_step(
            state, preprocess(images), z, config=CONFIG.replace(feature_matching=weight)
        )[1]["g_loss"]
        for weight in (0.0, 3.0)
    )
    assert distance > 1e-3
    np.testing.assert_allclose(matching - plain, 3 * distance, rtol=1e-3)


@pytest.mark.slow
def test_several_discriminator_steps_each_on_pictures_of_their_own(state, images):
    """Two steps on half the pictures each, by hand, are --d-steps 2 on all of them."""
    config = CONFIG.replace(batch_size=4, d_steps=2, flip=False, ema=0)
    after, metrics = jax.jit(functools.partial(train_step, config=config))(
        state.replace(ema_params=None), {"image": images}
    )
    z, expected = Rng(random_key(0, TRAINING)).fold(0).fold(0).normal((8, 8)), state
    for part in range(2):
        own = {"image": preprocess(images)[part::2], "z": z[part::2]}
        expected, d_metrics = jax.jit(functools.partial(steps.discriminator_step, config=config))(
            expected, own, RNG
        )
    expected, g_metrics = jax.jit(functools.partial(steps.generator_step, config=config))(
        expected, own, RNG
    )
    np.testing.assert_allclose(
        [metrics["d_loss"], metrics["g_loss"]],
        [d_metrics["d_loss"], g_metrics["g_loss"]],
        rtol=1e-4,
    )
    close(
        optax.tree.get(after.generator.opt_state, "mu"),
        optax.tree.get(expected.generator.opt_state, "mu"),
        1e-5,
    )


def test_instance_noise_falls_to_nothing(state):
    config = CONFIG.replace(instance_noise=0.4, instance_noise_images=80)
    grey, levels = jnp.zeros((64, 16, 16, 3)), []
    for step in (0, 5, 10, 20, 2**31 // config.batch_size + 1):
        as_seen = discriminator_view(state.replace(step=jnp.int32(step)), config)
        levels.append(float(as_seen(grey, RNG).std()))
    np.testing.assert_allclose(levels, [0.4, 0.2, 0, 0, 0], rtol=0.02)


@pytest.mark.slow
def test_a_penalty_is_added_to_what_the_discriminator_minimises(state, images, z):
    """One that is far too heavy makes each step a step down the penalty."""
    config = CONFIG.replace(r1=1e4, ema=0)
    state = jax.jit(lambda: create_state(config))()
    first = discriminator_step(state, preprocess(images), z, config=config)
    second = discriminator_step(first[0], preprocess(images), z, config=config)
    assert 0 < second[1]["d_penalty"] < first[1]["d_penalty"]


@pytest.mark.slow
@pytest.mark.parametrize(("name", "others"), [("r1", "generated"), ("r2", "real")])
def test_a_penalty_is_taken_at_its_own_kind_of_pictures(images, z, name, others):
    config = CONFIG.replace(**{name: 1.0})
    state, real = jax.jit(lambda: create_state(config))(), preprocess(images)
    changed = (real, -z) if others == "generated" else (-real, z)
    penalty, same_penalty, other = (
        discriminator_step(state, x, z, config=config)[1]["d_penalty"]
        for x, z in ((real, z), changed, (-real, -z))
    )
    np.testing.assert_allclose(penalty, same_penalty, rtol=1e-5)
    assert abs(penalty / other - 1) > 1e-3


@pytest.mark.slow
def test_label_smoothing_reaches_the_loss(state, images, z):
    """Of the real ones' target 0.9: softplus(-l) + 0.1 l is the cross-entropy with it, worked by
    hand.
    """
    config = CONFIG.replace(label_smoothing=0.1)
    plain, smoothed = (
        discriminator_step(state, preprocess(images), z, config=c)[1]["d_loss"]
        for c in (CONFIG, config)
    )
    real_logits = train_mode(state.discriminator, preprocess(images))[0]
    np.testing.assert_allclose(smoothed - plain, 0.1 * real_logits.mean(), rtol=1e-3)
    low = discriminator_step(
        state, preprocess(images), z, config=CONFIG.replace(label_smoothing=0.9)
    )[1]
    assert low["d_real_accuracy"] == 1 and low["d_fake_accuracy"] == 0, (
        "all logits are above log(0.1 / 1.9)"
    )


@pytest.mark.slow
def test_each_network_has_its_own_rate_and_both_decays():
    config = CONFIG.replace(
        d_learning_rate=1e-2, g_learning_rate=1e-4, beta1=0.25, beta2=0.75, features=1
    )
    state = jax.jit(lambda: create_state(config))()
    for network, rate in ((state.discriminator, 1e-2), (state.generator, 1e-4)):
        before, ones = network.params, jax.tree.map(jnp.ones_like, network.params)
        after = network.update(ones, network.batch_stats)
        close(after.params, adam_first_step(before, ones, rate), 1e-7)
        assert float(
            jax.tree.leaves(optax.tree.get(after.opt_state, "mu"))[0].max()
        ) == pytest.approx(1 - 0.25)
        assert float(
            jax.tree.leaves(optax.tree.get(after.opt_state, "nu"))[0].max()
        ) == pytest.approx(1 - 0.75)


def test_spectral_norm_is_the_discriminators():
    state = state_shape(CONFIG.replace(spectral_norm=True))
    names = {
        network: str(jax.tree.structure(getattr(state, network).batch_stats))
        for network in ("generator", "discriminator")
    }
    assert "singular" in names["discriminator"] and "singular" not in names["generator"]


@pytest.mark.slow
@pytest.mark.parametrize("d_steps", [1, 2])
@pytest.mark.parametrize("schedule", ["linear", "cosine"])
def test_learning_rates_fall_to_nothing_at_the_end_of_the_run(images, schedule, d_steps):
    config = CONFIG.replace(schedule=schedule, ema=0, d_steps=d_steps)
    state = jax.jit(lambda: create_state(config, total_steps=4))()
    step, moved = jax.jit(functools.partial(train_step, config=config)), []
    for _ in range(5):
        after, _ = step(state, {"image": images})
        differences = jax.tree.map(lambda a, b: float(abs(a - b).max()), after, state)
        moved.append(
            [
                max(jax.tree.leaves(network.params))
                for network in (differences.generator, differences.discriminator)
            ]
        )
        state = after
    for first, _, third, _, beyond in zip(*moved, strict=True):
        assert first > third > beyond == 0


EVERYTHING = {
    "condition": "class",
    "num_classes": 3,
    "attention": 8,
    "loss": "relativistic",
    "r1": 0.1,
    "d_norm": "layer",
    "dropout": 0.2,
    "instance_noise": 0.1,
    "augment": "color,translation,cutout",
    "augment_target": 0.6,
    "feature_matching": 0.1,
    "d_steps": 2,
    "batch_size": 8,
}


@pytest.mark.slow
def test_everything_together_on_eight_devices_agrees_with_one(monkeypatch):
    monkeypatch.setattr(
        steps,
        "adapted_probability",
        lambda probability, accuracy, *_: probability + 0.05 * (1 + accuracy),  # soon on
    )
    on_eight, on_one = (
        trained(8, parallelism="pmap", **EVERYTHING),
        trained(1, data_home="device", **EVERYTHING),
    )
    agree(on_eight, on_one)
    assert 0.4 <= on_one[0].augment_probability <= 0.8
    np.testing.assert_allclose(
        on_eight[0].augment_probability, on_one[0].augment_probability, rtol=0, atol=1e-6
    )


def made(**fields):
    """Another network -> its configuration, state and step."""
    config = CONFIG.replace(**fields)
    return (
        config,
        jax.jit(lambda: create_state(config))(),
        jax.jit(functools.partial(train_step, config=config)),
    )


@pytest.mark.slow
def test_pictures_are_mirrored_in_training(images):
    _, state, step = made(ema=0)
    _, _, plain = made(ema=0, flip=False)
    mirrored = np.asarray(Rng(random_key(0, TRAINING)).fold(0).fold(1).bernoulli(0.5, (8,)))
    by_hand = np.where(mirrored[:, None, None, None], images[:, :, ::-1], images)
    got, want, other = (
        float(f(state, {"image": x})[1]["d_loss"])
        for f, x in ((step, images), (plain, by_hand), (plain, images))
    )
    assert (
        0 < mirrored.sum() < 8 and got == pytest.approx(want, rel=1e-5) and abs(got - other) > 1e-4
    )


@pytest.mark.slow
def test_labels_reach_the_step_each_beside_its_own_picture(images):
    config, state, step = made(conditional=True, num_classes=3, flip=False, ema=0)
    labels = jnp.arange(8, dtype=jnp.int32) % 3
    got = step(state, {"image": images, "label": labels})[1]["d_loss"]
    batch = {
        "image": preprocess(images),
        "z": Rng(random_key(0, TRAINING)).fold(0).fold(0).normal((8, 8)),
    }
    by_hand = jax.jit(
        lambda labels: steps.discriminator_step(state, batch | {"label": labels}, RNG, config)[1][
            "d_loss"
        ]
    )
    np.testing.assert_allclose(got, by_hand(labels), rtol=1e-6)
    assert abs(got - by_hand(labels * 0)) > 1e-4


@pytest.mark.slow
@pytest.mark.parametrize("d_steps", [1, 2])
def test_the_average_takes_in_the_new_weights_at_its_half_life(d_steps, images):
    _, state, step = made(ema=80, d_steps=d_steps, batch_size=8 // d_steps)
    # still on the ramp: a half-life of 0.05 * 21 * 8 pictures
    state = state.replace(step=jnp.int32(20))
    after, _ = step(state, {"image": images})
    decay = 0.5 ** (8 / (0.05 * 21 * 8))
    for old, new, got in zip(
        *map(jax.tree.leaves, (state.ema_params, after.generator.params, after.ema_params)),
        strict=True,
    ):
        np.testing.assert_allclose(got, decay * old + (1 - decay) * new, rtol=0, atol=1e-6)


def test_the_half_life_is_in_pictures_whatever_the_d_steps():
    config = CONFIG.replace(ema=80, d_steps=2)  # five steps of 16
    average = jnp.zeros(())
    for step in range(1000, 1005):
        average = update_ema(
            average, jnp.ones(()), jnp.int32(step), config.ema, config.images_per_step
        )
    np.testing.assert_allclose(average, 0.5, rtol=1e-5)


def test_instance_noise_counts_all_pictures():
    config, state, _ = made(instance_noise=0.4, instance_noise_images=160, d_steps=2)
    seen = discriminator_view(state.replace(step=jnp.int32(5)), config)
    np.testing.assert_allclose(seen(jnp.zeros((64, 16, 16, 3)), RNG).std(), 0.2, rtol=0.03)


@pytest.mark.slow
def test_without_augmentations_the_share_stands_still(images):
    _, state, step = made(augment="none", augment_target=0.8)
    after, metrics = step(state.replace(augment_probability=jnp.float32(0.5)), {"image": images})
    assert after.augment_probability == 0.5 and "augment_probability" not in metrics


@pytest.mark.slow
def test_the_seed_decides_the_weights():
    first, other = (made(seed=seed)[1].generator.params["Dense_0"]["kernel"] for seed in (0, 1))
    assert (first != other).any()


@pytest.mark.slow
def test_statistics_are_the_mean_over_many_batches():
    g = made()[1].generator
    z = jax.random.normal(jax.random.key(9), (4096, 8))
    zeros = jax.tree.map(jnp.zeros_like, g.batch_stats)
    want = (
        jax.jit(lambda z: g.replace(batch_stats=zeros).train_mode(z)[1])(z)["BatchNorm_0"]["var"]
        / 0.1
    )
    got = averaged_generator(g, g.params, {}).batch_stats["BatchNorm_0"]["var"]
    assert abs(got / want - 1).mean() < 0.07
