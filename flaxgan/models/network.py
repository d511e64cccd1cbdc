"""What every architecture's two networks are told, and what goes in and out of them."""

import flax.linen as nn
import jax.numpy as jnp
from jax import Array
from jax.nn.initializers import Initializer
from jax.typing import DTypeLike

from flaxgan.models.batch_norm import BatchNorm, BatchNormOfClass, BatchNormOfText
from flaxgan.models.layers import DCGAN_INIT, Dense, Embedding

TEXT_WIDTH = 128  # numbers that a sentence becomes beside z (Reed et al. 2016, arXiv:1605.05396)


class _Network(nn.Module):
    image_size: tuple[int, int]
    features: int = 64
    dtype: DTypeLike = jnp.float32  # what it computes in; parameters are float32
    num_classes: int | None = None  # that a condition is one of; None: it is none
    text: int | None = None  # length of the vector of a sentence that is the condition, or None
    attention: int | None = None  # the resolution with self-attention
    axis: str | None = None  # of pmap, whose devices share batch statistics

    def attends(self, x: Array) -> bool:
        return self.attention == min(x.shape[1:3])


class GeneratorNetwork(_Network):
    """A generator: z (N, latent_dim) -> images (N, H, W, C) in (-1, 1), float32.

    Its condition is a class, int32 (N,), a sentence's vector, float32 (N, D), or None.
    """

    channels: int = 3
    latent_dim: int = 100

    def normalised(self, x: Array, z: Array, condition: Array | None, train: bool) -> Array:
        """Normalise by batch norm, with scale and bias of the class, or of sentence and z.

        z counts as much as the sentence: of that alone its pictures grow alike.
        """
        options = (train, self.dtype, self.axis)
        if self.num_classes is None and self.text is None:
            return BatchNorm(*options)(x)
        assert condition is not None, "a conditional network takes a condition"
        if self.num_classes is None:
            vectors = jnp.concatenate([condition, z / self.latent_dim**0.5], -1)
            return BatchNormOfText(*options)(x, vectors)
        return BatchNormOfClass(self.num_classes, *options)(x, condition)

    def with_text(self, z: Array, condition: Array | None) -> Array:
        """Append TEXT_WIDTH numbers to z that a dense layer makes of a sentence, if there are any.

        Reed et al. 2016, arXiv:1605.05396, section 4.1.
        """
        if self.text is None:
            return z
        assert condition is not None, "a network of sentences takes one"
        # of vectors of length 1 numbers of about 1, as those of z
        init = nn.initializers.normal(1.0)
        words = nn.Dense(TEXT_WIDTH, dtype=self.dtype, kernel_init=init, name="words")(condition)
        return jnp.concatenate([z, nn.leaky_relu(words, 0.2)], -1)

    def with_class(self, z: Array, condition: Array | None) -> Array:
        """Append an embedding of the class to z, as long, if there are classes; or the sentence.

        Of classes (N, latent_dim) becomes (N, 2 * latent_dim).
        """
        if self.num_classes is None:
            return self.with_text(z, condition)
        embedding = nn.Embed(
            self.num_classes, self.latent_dim, embedding_init=nn.initializers.normal(1.0)
        )
        return jnp.concatenate([z, embedding(condition)], -1)


class DiscriminatorNetwork(_Network):
    """A discriminator: images (N, H, W, C) in [-1, 1] -> logits (N,), float32, higher for real.

    Its condition is as a generator's. Of K sentences for each picture, (N, K, D), logits are
    (N, K), for hardly more than those of one.

    It takes an `rng` for dropout, and sows its last feature map (N, h, w, features) as "features".
    """

    norm: str = "batch"  # batch, layer or none
    spectral_norm: bool = False
    dropout: float = 0.0
    groups: int = 1  # of images, which take turns in the batch, each with its own statistics

    @property
    def biased(self) -> bool:
        """Tell whether convolutions have biases, as they need without normalisation.

        Without both, half the contrast is half the logit: a generator whose pictures are found out,
        with logits below 0, best fades them to grey.
        """
        return self.norm == "none"

    def normalised(self, x: Array, train: bool) -> Array:
        """Normalise as `norm` says: by batch norm, by layer norm or not at all.

        Layer norm is over height, width and channels of each image.
        """
        if self.norm == "batch":
            return BatchNorm(train, self.dtype, self.axis, self.groups)(x)
        return nn.GroupNorm(num_groups=1, dtype=self.dtype)(x) if self.norm == "layer" else x

    def logits(
        self, x: Array, condition: Array | None, kernel_init: Initializer = DCGAN_INIT
    ) -> Array:
        """Compute logits from the last features (N, H, W, C), which are sown.

        The condition adds its embedding times the features, summed over the picture (Miyato &
        Koyama 2018, equation 3). A class's is learnt, a sentence's a dense layer's.

        In float32 whatever `dtype` is: in bfloat16 logits that differ by less than a hundredth part
        would be the same.
        """
        self.sow("features", "last", x)
        x = x.astype(jnp.float32)
        logits = Dense(1, jnp.float32, self.spectral_norm, kernel_init)(x.reshape(len(x), -1))[:, 0]
        if self.num_classes is None and self.text is None:
            return logits
        assert condition is not None, "a conditional network takes a condition"
        options = (x.shape[-1], jnp.float32, self.spectral_norm)
        if self.num_classes is None:
            words = Dense(*options, name="words")(condition)
            sums = x.sum((1, 2))
            if condition.ndim == 2:
                return logits + (words * sums).sum(-1)
            return logits[:, None] + (words * sums[:, None]).sum(-1)
        embedding = Embedding(*options)(self.num_classes)
        return logits + (embedding[condition] * x.sum((1, 2))).sum(-1)
