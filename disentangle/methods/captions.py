"""Captions of pictures by template: a phrase per factor, as numbers of words.

    red floor , orange wall , small green cube , turned 3

Words of a value are the data set's (`Factor.words`), else those of `WORDS` for factors
of known data sets, else its number. Of FashionSprites captions are sentences of their
own (data/fashion_captions.py). Word 0 is "", which stands where a value is missing and
at the end of a short caption.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from disentangle.data import fashion_captions
from disentangle.data.space import FactorSpace
from disentangle.data.worlds import WORLDS
from disentangle.methods.conditions import condition

_WARM, _COLD = ("red", "orange", "lime", "green"), ("mint", "cyan", "azure", "blue")
_HUES = (*_WARM, *_COLD, "violet", "pink")
_SIZES = ("tiny", "very small", "small", "smallish", "largish", "large", "very large")
# (factor, how many values it has) -> a word of each, and what follows it.
WORDS: dict[tuple[str, int], tuple[tuple[str, ...], str]] = {
    ("floor_hue", 10): (_HUES, "floor"),
    ("wall_hue", 10): (_HUES, "wall"),
    ("object_hue", 10): (_HUES, ""),
    ("scale", 8): ((*_SIZES, "huge"), ""),
    ("shape", 4): (("cube", "cylinder", "ball", "capsule"), ""),
    ("shape", 3): (("square", "ellipse", "heart"), ""),
}


class Captions(NamedTuple):
    """Captions of factors.

    Attributes:
      names: (T,) factors that they speak of.
      vocabulary: the word of each number; that of 0 is "".
      length: words of a caption, N.
      encode: encode(factors (B, F), known (B, F) or None) -> (B, N) float32.
    """

    names: tuple[str, ...]
    vocabulary: tuple[str, ...]
    length: int
    encode: Callable[..., jax.Array]

    def text(self, factors: np.ndarray) -> str:
        """The caption of one image's factors (F,)."""
        numbers = np.asarray(self.encode(jnp.asarray(factors)[None]))[0]
        return " ".join(filter(None, (self.vocabulary[int(i)] for i in numbers)))


def captions(names: Sequence[str], space: FactorSpace) -> Captions:
    """Captions of some factors; of FashionSprites those of all its attributes.

    Raises:
      UserError: as `conditions.condition`.
    """
    fashion = WORLDS.get("fashion_sprites")
    if fashion is not None and fashion.attributes.space == space:
        own = fashion.attributes
        if set(own.names) <= set(names):
            columns = tuple(space.position(name) for name in own.names)
            return _sentences(own.names, columns, own.widths)
    given = condition(names, space)
    pairs = zip(names, given.sizes, strict=True)
    phrases = [_phrases(name, size) for name, size in pairs]
    for place, name in enumerate(given.names):
        if space[name].words:
            phrases[place] = [f"{word} {name}".split() for word in space[name].words]
    vocabulary = ("", *sorted({w for own in phrases for words in own for w in words}))
    tables = [_table(own, vocabulary) for own in phrases]

    def encode(factors: jax.Array, known: jax.Array | None = None) -> jax.Array:
        parts = []
        for column, table in zip(given.columns, tables, strict=True):
            part = jnp.asarray(table)[factors[:, column]]
            if known is not None:
                part = jnp.where(known[:, column, None], part, 0.0)
            parts.append(part)
        return jnp.concatenate(parts, axis=1)

    length = sum(table.shape[1] for table in tables)
    return Captions(given.names, vocabulary, length, encode)


def _phrases(name: str, size: int) -> list[list[str]]:
    """The words of each value."""
    words, noun = WORDS.get((name, size), ((), name))
    values = words or tuple(str(value) for value in range(size))
    return [f"{value} {noun}".split() for value in values]


def _table(phrases: list[list[str]], vocabulary: Sequence[str]) -> np.ndarray:
    """(K, N) float32, the numbers of the words of each value, 0 behind them."""
    table = np.zeros((len(phrases), max(map(len, phrases))), np.float32)
    for row, words in zip(table, phrases, strict=True):
        row[: len(words)] = [vocabulary.index(word) for word in words]
    return table


def _sentences(
    names: tuple[str, ...], columns: tuple[int, ...], widths: tuple[int, ...]
) -> Captions:
    """The captions of FashionSprites, one per combination of its attributes."""
    table = fashion_captions.tokens().astype(np.float32)
    sizes = fashion_captions.TUPLES
    after = [int(np.prod(sizes[i + 1 :])) for i in range(len(sizes))]
    strides = np.array(after, np.int32)

    def encode(factors: jax.Array, known: jax.Array | None = None) -> jax.Array:
        pairs = zip(columns, widths, strict=True)
        values = jnp.stack([factors[:, c] // w for c, w in pairs], axis=1)
        found = jnp.asarray(table)[(values * strides[None]).sum(1)]
        if known is None:
            return found
        return jnp.where(known[:, columns].all(1, keepdims=True), found, 0.0)

    return Captions(names, fashion_captions.vocabulary(), table.shape[1], encode)
