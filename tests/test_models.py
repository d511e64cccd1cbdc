import jax
import jax.numpy as jnp
import pytest

from flaxgan.config import Config
from flaxgan.fields import parse_image_size
from flaxgan.methods import state_shape
from flaxgan.methods.gan import create_state
from flaxgan.models import ARCHITECTURES
from flaxgan.models.sizes import base_size, stage_widths
from flaxgan.rng import Rng
from flaxgan.system.errors import UserError

pytestmark = pytest.mark.usefixtures("own_convolutions")


def count(tree):
    return sum(leaf.size for leaf in jax.tree.leaves(tree))


def test_parameter_counts_are_pytorchs():
    """The DCGAN tutorial's networks have 3,576,704 and 2,765,568 parameters."""
    state = state_shape(Config.make(image_size=64, channels=3))
    assert count(state.generator.params) == 3_576_704
    assert count(state.discriminator.params) == 2_765_568


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_the_discriminator_may_have_a_width_of_its_own(architecture):
    wide, narrow, mixed = (
        state_shape(Config.make(image_size=16, channels=3, architecture=architecture, **fields))
        for fields in ({"features": 8}, {"features": 4}, {"features": 4, "d_features": 8})
    )
    assert count(wide.discriminator.params) > 2 * count(narrow.discriminator.params)
    assert count(mixed.discriminator.params) == count(wide.discriminator.params)
    assert count(mixed.generator.params) == count(narrow.generator.params)


@pytest.mark.parametrize(
    ("size", "base", "widths"),
    [
        ((64, 64), (4, 4), [64, 128, 256, 512]),
        ((28, 28), (7, 7), [64, 128]),
        ((32, 32), (4, 4), [64, 128, 256]),
        ((48, 64), (6, 8), [64, 128, 256]),
        ((128, 128), (4, 4), [64, 128, 256, 512, 512]),
        ((16, 40), (4, 10), [64, 128]),
    ],
)
def test_stages_follow_from_the_size(size, base, widths):
    assert base_size(size) == base
    assert stage_widths(size, 64) == widths


@pytest.mark.parametrize(
    "size", [(30, 30), (8, 8), (65, 65), (100, 100), (64, 1), (1, 1), (270, 270), (520, 520)]
)
def test_sizes_that_cannot_be_built_say_why_and_what_can(size):
    with pytest.raises(UserError, match="halv.*try") as error:
        base_size(size)
    for word in str(error.value).split("like ")[-1].split(" or "):
        base_size(parse_image_size(word))


@pytest.mark.parametrize(("size", "channels"), [((28, 28), 1), ((16, 40), 3), ((32, 32), 3)])
@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("num_classes", [None, 3])
def test_shapes(size, channels, architecture, num_classes):
    networks = ARCHITECTURES[architecture]
    options = {"features": 4, "num_classes": num_classes, "attention": base_size(size)[0] * 2}
    labels = None if num_classes is None else jnp.array([0, 2, 1])

    def shape(module, *of):
        return jax.eval_shape(
            lambda x: module.init_with_output(jax.random.key(1), x, labels, train=True)[0],
            jnp.zeros(of),
        ).shape

    assert shape(networks.Generator(size, channels=channels, latent_dim=8, **options), 3, 8) == (
        3,
        *size,
        channels,
    )
    assert shape(networks.Discriminator(size, **options), 3, *size, channels) == (3,)


@pytest.mark.slow
@pytest.mark.parametrize("size", [(64, 64), (48, 64), (128, 128), (256, 256)])
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_larger_sizes_too(size, architecture):
    config = Config.make(
        image_size=size, channels=3, architecture=architecture, attention=min(base_size(size)) * 4
    )
    state = state_shape(config)

    def both(state):
        images = state.generator.train_mode(jnp.zeros((2, 100)))[0]
        d = state.discriminator
        return images, d.train_mode(images)[0]

    images, logits = jax.eval_shape(both, state)
    assert (images.shape, logits.shape) == ((2, *size, 3), (2,))


@pytest.mark.slow
def test_weights_begin_as_in_the_paper():
    state = jax.jit(lambda: create_state(Config.make(image_size=64, channels=3, features=32)))()
    for network in (state.generator, state.discriminator):
        for path, leaf in jax.tree.leaves_with_path(network.params):
            name = path[-1].key
            mean, deviation = {"kernel": (0, 0.02), "scale": (1, 0.02), "bias": (0, 0)}[name]
            assert abs(float(leaf.mean()) - mean) < 0.005
            assert abs(float(leaf.std()) - deviation) < 0.005


def test_batch_norm_comes_after_every_discriminator_layer_but_the_first():
    state = state_shape(Config.make(image_size=64, channels=3))
    widths = [stats["mean"].shape for stats in state.discriminator.batch_stats.values()]
    assert widths == [(128,), (256,), (512,)]
    assert [stats["mean"].shape for stats in state.generator.batch_stats.values()] == [
        (512,),
        (256,),
        (128,),
        (64,),
    ]


@pytest.mark.slow
@pytest.mark.parametrize("norm", ["batch", "layer", "none"])
@pytest.mark.parametrize("architecture", ["dcgan", "dense"])
def test_a_discriminator_can_learn_that_grey_is_not_real(architecture, norm):
    fields = {"features": 4, "architecture": architecture, "d_norm": norm}
    config = Config.make(image_size=16, channels=3, **fields)
    d = jax.jit(lambda: create_state(config).discriminator)()
    # two of noise: batch norm of grey pictures alone makes them 0
    grey = jnp.zeros((4, 16, 16, 3)).at[2:].set(jax.random.normal(jax.random.key(0), (16, 16, 3)))

    def logit(params):
        return d.replace(params=params).train_mode(grey)[0][0]

    grads = jax.jit(jax.grad(logit))(d.params)
    assert max(jnp.abs(leaf).max() for leaf in jax.tree.leaves(grads)) > 1e-4


@pytest.mark.slow
def test_running_statistics_converge_to_the_batchs():
    """Fed the same z for long enough, both modes give the same pictures."""
    network = jax.jit(
        lambda: (
            create_state(Config.make(image_size=16, channels=3, features=4, latent_dim=8)).generator
        )
    )()
    z = jax.random.normal(jax.random.key(0), (32, 8))
    step, sample = (
        jax.jit(lambda network: network.train_mode(z)),
        jax.jit(lambda network: network.eval_mode(z)),
    )
    fed = network
    for _ in range(150):
        trained, batch_stats, _ = step(fed)
        fed = fed.replace(batch_stats=batch_stats)
    assert jnp.allclose(sample(fed), trained, atol=1e-5)
    assert not jnp.allclose(sample(network), trained, atol=1e-2)


@pytest.mark.slow
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_each_ability_is_in_every_architecture(architecture):
    fields = {
        "condition": "class",
        "num_classes": 3,
        "attention": 8,
        "spectral_norm": True,
        "dropout": 0.3,
    }
    config = Config.make(
        image_size=16, channels=3, features=4, latent_dim=8, architecture=architecture, **fields
    )
    state = jax.jit(lambda: create_state(config))()
    g, d = state.generator, state.discriminator
    names = [
        [path[-1].key for path, _ in jax.tree.leaves_with_path(tree)]
        for tree in (g.params, d.params, d.batch_stats)
    ]
    assert names[0].count("gamma") == names[1].count("gamma") == 1
    assert names[1].count("kernel") == names[2].count("singular_vector"), (
        "every layer of the discriminator is bounded"
    )

    @jax.jit
    def run(network, x, labels, **options):
        return network.train_mode(x, jnp.array(labels), **options)[0]

    z, x = (
        jnp.stack([jnp.ones(8), -jnp.ones(8)]),
        jnp.broadcast_to(jnp.linspace(-1, 1, 16)[:, None], (2, 16, 16, 3)),
    )
    rng = Rng(jax.random.key(0))
    assert abs(run(g, z, [0, 1])).max() <= 1
    assert abs(run(g, z, [0, 1]) - run(g, z, [1, 0])).max() > 1e-4
    assert abs(run(d, x, [0, 0]) - run(d, x, [1, 1])).max() > 1e-5
    assert abs(run(d, x, [0, 0]) - run(d, x, [0, 0], rng=rng)).max() > 1e-5, "dropout"


@pytest.mark.slow
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_logits_are_float32_in_bfloat16_too(architecture):
    """Rounded, many would be the same."""
    config = Config.make(
        image_size=16, channels=3, features=4, architecture=architecture, dtype="bfloat16"
    )
    discriminator = jax.jit(lambda: create_state(config))().discriminator
    logits = jax.jit(lambda x: discriminator.train_mode(x)[0])(
        jax.random.normal(jax.random.key(0), (16, 16, 16, 3))
    )
    assert logits.dtype == jnp.float32 and (logits.astype(jnp.bfloat16) != logits).mean() > 0.5
