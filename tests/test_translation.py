"""The methods that turn a picture into another: their networks, losses and steps."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn

from flaxgan.config import Config
from flaxgan.methods import METHODS, frozen, image_pool, nce
from flaxgan.methods.state import adam, create_network, with_frozen
from flaxgan.methods.translation import cut_and_mirrored, discriminator_gradients
from flaxgan.models import patch, resnet_generator, srresnet, unet
from flaxgan.models.translator import doubled, halved, instance_norm, pixel_shuffle
from flaxgan.pretrained import perceptual
from flaxgan.rng import Rng, random_key

TINY = {
    "preset": "plain",
    "image_size": (16, 16),
    "channels": 3,
    "flip": False,
    "batch_size": 2,
    "images": 20,
    "features": 2,
    "blocks": 1,
    "patch": 16,
    "jitter": 1.0,
}
OWN = {
    "pix2pix": {"source": "edges"},
    "cyclegan": {"target": "x"},
    "cut": {"target": "x", "patches": 8},
    "srgan": {"scale": 2, "pixel_images": 2},
}


def config_of(method, **fields):
    return Config.make(method=method, **(TINY | OWN[method] | fields))


def batch_of(config, num=2, seed=0):
    rng = np.random.default_rng(seed)
    size, scale = config.image_size, getattr(config.options, "scale", 1)
    channels = 1 if getattr(config.options, "source", None) == "edges" else 3
    small = (num, *(side // scale for side in size), channels)
    return {
        "image": rng.integers(0, 256, (num, *size, 3), np.uint8),
        "source": rng.integers(0, 256, small, np.uint8),
    }


def parameters(module, *shape):
    variables = jax.eval_shape(lambda: module.init(jax.random.key(0), jnp.zeros(shape), train=True))
    return sum(leaf.size for leaf in jax.tree.leaves(variables["params"]))


@pytest.mark.parametrize(
    "module, size, channels, published",
    [  # of junyanz/pytorch-CycleGAN-and-pix2pix, and of BasicSR
        (resnet_generator.Generator(blocks=9), 256, 3, 11_378_179),
        (resnet_generator.Generator(blocks=9, antialias=True), 256, 3, 11_378_179),
        (resnet_generator.Generator(blocks=6), 128, 3, 7_837_699),
        (unet.Generator(depth=8), 256, 3, 54_409_603),
        (patch.Discriminator(patch=70), 256, 3, 2_764_737),
        (patch.Discriminator(patch=70), 256, 6, 2_767_809),
        (srresnet.Generator(scale=4), 32, 3, 1_517_571),
    ],
)
def test_networks_have_the_published_numbers_of_parameters(module, size, channels, published):
    assert parameters(module, 1, size, size, channels) == published


@pytest.mark.slow
@pytest.mark.parametrize("side", [16, 34, 70])
def test_a_logit_sees_a_patch(side):
    """And nothing outside of it: the gradient of the middle one is 0 elsewhere."""
    module = patch.Discriminator(patch=side, features=2, spectral_norm=True)
    x = jax.random.normal(jax.random.key(1), (1, 2 * side - side % 4 + 8, 96, 3))
    variables = module.init(jax.random.key(0), x, train=True)
    height = module.apply(variables, x).shape[1]
    seen = jax.grad(lambda x: module.apply(variables, x)[0, height // 2, height // 2])(x)
    rows = np.flatnonzero(np.abs(seen).sum((0, 2, 3)))
    assert rows.max() - rows.min() + 1 == side


@pytest.mark.slow
def test_instance_norm_by_hand():
    x = jnp.asarray([[1.0, 5.0], [3.0, 7.0]]).reshape(1, 2, 2, 1) * jnp.ones((2, 1, 1, 3))
    np.testing.assert_allclose(instance_norm(x).mean((1, 2)), 0, atol=1e-6)
    np.testing.assert_allclose(instance_norm(x)[0, 0, 0], (1 - 4) / np.sqrt(5), rtol=1e-4)


def test_pixel_shuffle_by_hand():
    x = jnp.arange(8.0).reshape(1, 1, 2, 4)
    assert pixel_shuffle(x, 2)[0, ..., 0].tolist() == [[0, 1, 4, 5], [2, 3, 6, 7]]


@pytest.mark.slow
@pytest.mark.parametrize("name", OWN)
def test_pairs_are_cut_and_mirrored_alike(name):
    """Where a method learns from pairs; where it does not, each set goes its own way."""
    config = config_of(name, flip=True, batch_size=8)
    paired = config.options.DATA != "unpaired"
    scale = getattr(config.options, "scale", 1)
    y, x = np.mgrid[:12, :12]
    positions = np.stack([10 * y, 10 * x, 0 * x], -1).astype(np.uint8)
    small = np.repeat(positions[None], 8, 0)
    batch = {"source": small, "image": small.repeat(scale, 1).repeat(scale, 2)}
    config = config.replace(image_size=(8 * scale, 8 * scale))
    cut = cut_and_mirrored(batch, Rng(random_key(3, 0)), config, paired)
    assert cut["source"].shape[1:3] == (8, 8) and cut["image"].shape[1:3] == (8 * scale,) * 2
    same = np.allclose(cut["source"].repeat(scale, 1).repeat(scale, 2), cut["image"])
    assert same == paired
    assert len({picture.tobytes() for picture in np.asarray(cut["source"])}) > 4, "all differ"


@pytest.mark.slow
def test_the_pool_shows_half_of_the_results_later():
    pool = image_pool.ImagePool.empty(4, (1, 1, 1))
    shown = []
    for step in range(40):
        fakes = jnp.full((2, 1, 1, 1), 10.0 * step) + jnp.arange(2.0).reshape(2, 1, 1, 1)
        pool, seen = image_pool.exchanged(pool, fakes, Rng(jax.random.key(step)))
        shown += [(value, float(value) in (10.0 * step, 10.0 * step + 1)) for value in seen.ravel()]
    assert all(is_new for _, is_new in shown[:4]), "until it is full"
    assert 25 < sum(not is_new for _, is_new in shown) < 55
    values = [float(value) for value, _ in shown]
    assert len(set(values)) == len(values) - 4, "each once, but the first, which it also keeps"
    assert int(pool.count) == 4
    assert image_pool.exchanged(None, fakes, Rng(jax.random.key(0)))[1] is fakes


@pytest.mark.slow
def test_patch_nce_by_hand():
    """Two places: each query is its own key turned by an angle."""
    keys = jnp.asarray([[[1.0, 0.0], [0.0, 1.0]]])
    queries = jnp.asarray([[[0.8, 0.6], [0.0, 1.0]]])
    found = nce.patch_nce([queries], [keys], 0.5)
    first = -np.log(np.exp(0.8 / 0.5) / (np.exp(0.8 / 0.5) + np.exp(0.6 / 0.5)))
    second = -np.log(np.exp(2) / (np.exp(2) + 1))
    np.testing.assert_allclose(found, (first + second) / 2, rtol=1e-6)
    by_keys = jax.grad(lambda keys: nce.patch_nce([queries], [keys], 0.5))(keys)
    assert not np.any(by_keys), "nothing is learnt through the keys"


@pytest.mark.slow
def test_a_flat_picture_has_a_gradient():
    projector, maps = nce.Projector(), [jnp.zeros((1, 4, 3))]
    params = projector.init(jax.random.key(0), maps)
    loss = lambda p: nce.patch_nce(*[projector.apply(p, maps)] * 2, 0.07)  # noqa: E731
    assert all(jnp.isfinite(x).all() for x in jax.tree.leaves(jax.grad(loss)(params)))


@pytest.mark.slow
def test_places_are_each_drawn_once():
    maps = [jnp.zeros((2, 3, 4, 5)), jnp.zeros((2, 30, 30, 1))]
    few, many = nce.places(maps, 100, jax.random.key(0))
    assert sorted(few.tolist()) == list(range(12)) and len(set(many.tolist())) == 100


class Mean(nn.Module):
    """A discriminator whose only logit is a weight times the mean of a picture."""

    axis: str | None = None

    @nn.compact
    def __call__(self, x, labels=None, *, train=False, rng=None):
        weight = self.param("weight", nn.initializers.constant(2.0), ())
        return weight * x.mean((1, 2, 3))[:, None, None]


@pytest.mark.slow
@pytest.mark.parametrize(
    "loss, formula",
    [
        ("bce", lambda r, f: 0.5 * (np.log1p(np.exp(-r)) + np.log1p(np.exp(f)))),
        ("lsgan", lambda r, f: 0.5 * ((r - 1) ** 2 + f**2)),
        ("hinge", lambda r, f: 0.5 * (max(0, 1 - r) + max(0, 1 + f))),
    ],
)
def test_the_discriminators_loss_by_hand(loss, formula):
    config = config_of("cyclegan", loss=loss)
    x = jnp.zeros((1, 4, 4, 3))
    network = create_network(Mean(), jax.random.key(0), x, None, adam(config, 0.1, 1))
    parts = (jnp.full_like(x, 0.3),), (jnp.full_like(x, -0.1),)
    _, _, metrics = discriminator_gradients(network, *parts, Rng(jax.random.key(0)), config)
    np.testing.assert_allclose(metrics["d_loss"], formula(0.6, -0.2), rtol=1e-5)
    assert metrics["d_fake_accuracy"] == 1


@jax.jit
def applied(network, x):
    return network.train_mode(x)[0]


def stepped(method, state, batch, config, stage=0):
    step = functools.partial(METHODS[method].train_step, config=config, stage=stage)
    return jax.jit(step)(state, batch)


@pytest.mark.slow
def test_the_loss_of_pix2pix_by_hand():
    config = config_of("pix2pix", dropout=0.0, generator="resnet", ema=0)
    method = METHODS["pix2pix"]
    state, batch = jax.jit(lambda: method.create_state(config))(), batch_of(config)
    after, metrics = stepped(config.method, state, batch, config)
    source, image = (jnp.asarray(batch[k], jnp.float32) / 127.5 - 1 for k in ("source", "image"))
    fake = applied(state.generator, source)
    real_logits = applied(state.discriminator, jnp.concatenate([source, image], -1))
    fake_logits = applied(state.discriminator, jnp.concatenate([source, fake], -1))
    d_loss = 0.5 * (
        jnp.log1p(jnp.exp(-real_logits)).mean() + jnp.log1p(jnp.exp(fake_logits)).mean()
    )
    np.testing.assert_allclose(metrics["d_loss"], d_loss, rtol=1e-5)
    np.testing.assert_allclose(metrics["l1_loss"], jnp.abs(fake - image).mean(), rtol=1e-5)
    # by the discriminator that has just learnt
    logits = applied(after.discriminator, jnp.concatenate([source, fake], -1))
    np.testing.assert_allclose(metrics["g_loss"], jnp.log1p(jnp.exp(-logits)).mean(), rtol=1e-5)


@pytest.mark.slow
def test_the_loss_of_cyclegan_by_hand():
    config = config_of("cyclegan", ema=0)
    method = METHODS["cyclegan"]
    state, batch = jax.jit(lambda: method.create_state(config))(), batch_of(config)
    _, metrics = stepped(config.method, state, batch, config)
    a, b = (jnp.asarray(batch[k], jnp.float32) / 127.5 - 1 for k in ("source", "image"))
    there, back = (lambda x, n=n: applied(n, x) for n in (state.generator, state.generator_back))
    expected = {
        "g_loss": jnp.square(applied(state.discriminator, there(a)) - 1).mean(),
        "g_back_loss": jnp.square(applied(state.discriminator_back, back(b)) - 1).mean(),
        "cycle_loss": jnp.abs(back(there(a)) - a).mean() + jnp.abs(there(back(b)) - b).mean(),
        "identity_loss": jnp.abs(there(b) - b).mean() + jnp.abs(back(a) - a).mean(),
    }
    for name, value in expected.items():
        np.testing.assert_allclose(metrics[name], value, rtol=1e-4, err_msg=name)


@pytest.mark.slow
@pytest.mark.parametrize("mirrored", [False, True])
def test_the_loss_of_cut_by_hand(mirrored):
    """All places are compared, so that it does not matter which are drawn."""
    config = config_of("cut", ema=0, patches=4096, flip_equivariance=mirrored, batch_size=1)
    method = METHODS["cut"]
    state, batch = jax.jit(lambda: method.create_state(config))(), batch_of(config, 1)
    _, metrics = stepped(config.method, state, batch, config)
    a, b = (jnp.asarray(batch[k], jnp.float32) / 127.5 - 1 for k in ("source", "image"))

    def encoded(x):
        maps = jax.jit(lambda x: state.generator.train_mode(x)[2])(x)["maps"]
        return applied(state.projector, [m.reshape(len(m), -1, m.shape[-1]) for m in maps])

    def nce_of(taken):
        made = applied(state.generator, taken)
        scores = [q[0] @ k[0].T / 0.07 for q, k in zip(encoded(made), encoded(taken), strict=True)]
        return np.mean([-np.diag(jax.nn.log_softmax(s, 1)).mean() for s in scores])

    # a mirrored source, its features mirrored back, is the same but for what padding does
    np.testing.assert_allclose(metrics["nce_loss"], nce_of(a), rtol=0.05 if mirrored else 1e-4)
    np.testing.assert_allclose(metrics["identity_nce_loss"], nce_of(b), rtol=1e-4)
    fake = applied(state.generator, a)
    if not mirrored:
        judged = jnp.square(applied(state.discriminator, fake) - 1).mean()
        np.testing.assert_allclose(metrics["g_loss"], judged, rtol=1e-4)


@pytest.mark.slow
def test_sizes_change_with_a_blur():
    ramp = jnp.arange(8.0)[None, :, None, None] * jnp.ones((1, 8, 4, 2))
    np.testing.assert_allclose(halved(ramp)[0, :, 0, 0], [0.5, 2, 4, 6])  # mirrored: 1, 0, 1
    spike = jnp.zeros((1, 4, 4, 1)).at[0, 2, 2].set(1.0)
    np.testing.assert_allclose(halved(spike)[0, :, :, 0], [[0, 0], [0, 0.25]])
    x = jnp.asarray(np.random.default_rng(0).normal(size=(2, 3, 5, 2)), jnp.float32)
    want = jax.image.resize(x, (2, 6, 10, 2), "linear")
    np.testing.assert_allclose(doubled(x), want, atol=1e-6)


@pytest.mark.slow
def test_the_loss_of_srgan_by_hand():
    config = config_of("srgan", ema=0)
    method = METHODS["srgan"]
    state, batch = jax.jit(lambda: method.create_state(config))(), batch_of(config)
    state = with_frozen(state, frozen(config))
    assert [method.stage(config, step) for step in range(3)] == [0, 1, 1]
    after, metrics = stepped(config.method, state, batch, config, 0)
    a, b = (jnp.asarray(batch[k], jnp.float32) / 127.5 - 1 for k in ("source", "image"))
    made = applied(state.generator, a)
    np.testing.assert_allclose(metrics["l1_loss"], jnp.abs(made - b).mean(), rtol=1e-5)
    assert metrics.keys() == {"l1_loss"}, "the discriminator has not joined"
    for x, y in zip(*(jax.tree.leaves(s.discriminator) for s in (state, after)), strict=True):
        assert (x == y).all()
    later, metrics = stepped(config.method, state, batch, config, 1)
    assert {"g_loss", "d_loss", "perceptual_loss", "l1_loss"} <= metrics.keys()
    assert int(later.step) == 1
    maps = [perceptual.maps(state.features, x) for x in (made, b)]
    np.testing.assert_allclose(metrics["perceptual_loss"], perceptual.distance(*maps), rtol=1e-4)
