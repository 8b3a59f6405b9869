r"""Diffusion that is told the values of some factors, or a caption of them.

$$
\mathcal{L} = \mathbb{E}_{x, c, \epsilon, t} |v_\theta(x_t, t, S(c)) - v_t|^2
$$

Ho et al. 2020 with v in place of epsilon (Salimans & Ho 2022), see
diffusion_process.py. c are the values of the factors in `condition`, all of them where
it is (); for a share `drop` of the images nothing is told, so that drawing can be
guided (Ho & Salimans 2022):

$$
v = v_\theta(x_t, t, \emptyset)
+ w (v_\theta(x_t, t, S(c)) - v_\theta(x_t, t, \emptyset))
$$

What S is says `code`:

* "one_hot": a block of K numbers per factor, one of them 1;
* "numbers": one number per factor, with mean 0 and variance 1 over its values;
* "text": the words of a caption, captions.py.

`conditioning` says how S is told (diffusion_model.py): "film" as one vector, linear in
S (of a caption the mean of its words' vectors), "attention" as a token per factor or
word. `rotation` turns S by a fixed random orthogonal matrix: the information is the
same, but no block of the turned code is of one factor (`python -m
benchmarks.rotated_codes` asks what becomes of edits).

`edit` inverts DDIM: from the picture with the factors that it has to the noise that it
is drawn from, and back with those wanted. Codes are means of the middle maps of the
network, of clean pictures with the mean condition.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from disentangle.data.samplers import Batch
from disentangle.data.space import FactorSpace
from disentangle.errors import UserError
from disentangle.fields import settings, static
from disentangle.methods import diffusion_model
from disentangle.methods.base import Method, Params, Recipe
from disentangle.methods.captions import captions
from disentangle.methods.conditions import at_random, condition
from disentangle.methods.diffusion_model import (
    MOVES,
    Model,
    Shape,
    averages,
    model,
    player,
)
from disentangle.nn.tokens import word_tokens

CODES = ("one_hot", "numbers", "text")


@settings
class Settings(diffusion_model.Settings):
    """Of the conditional diffusion model."""

    condition: tuple[str, ...] = static(
        (), "factors that are given; () is all", distinct=True
    )
    code: str = static("one_hot", "how they are said", choices=CODES)


class Told(NamedTuple):
    """A model, and the codes of factors.

    Attributes:
      made: the networks.
      names: (T,) of the factors.
      encode: encode(factors (B, F), known (B, F) or None) -> codes (B, S), turned.
      nothing: (S,) the code of missing values, turned.
      blocks: (T,) numbers of the code of each factor, before it is turned; of a
        caption one per word.
    """

    made: Model
    names: tuple[str, ...]
    encode: Callable[..., jax.Array]
    nothing: np.ndarray
    blocks: tuple[int, ...]


def told(settings: Settings, space: FactorSpace, shape: Shape) -> Told:
    """The model of `settings`: also the way to draw codes of one's own.

    Raises:
      UserError: as `conditions.condition` and `diffusion_model.model`, or a caption is
        to be turned.
    """
    names = settings.condition or space.names
    if settings.code == "text":
        if settings.rotation:
            raise UserError(
                f"rotation={settings.rotation} turns numbers, and code='text' are "
                "words: set rotation=0"
            )
        said = captions(names, space)
        length, count = said.length, len(said.vocabulary)
        net = lambda size, mean: word_tokens(count, length, size, mean=mean)
        made = model(settings, shape, (1,) * length, net)
        nothing = np.zeros(length, np.float32)
        return Told(made, said.names, said.encode, nothing, (1,) * length)
    is_number = settings.code == "numbers"
    given = condition(names, space, "raw_ids" if is_number else "one_hot")
    blocks = (1,) * len(given.sizes) if is_number else given.sizes
    turn = np.float32(diffusion_model.rotation(given.width, settings.rotation))
    spread = np.sqrt((np.array(given.sizes) ** 2 - 1) / 12).astype(np.float32)

    def encode(factors: jax.Array, known: jax.Array | None = None) -> jax.Array:
        code = given.encode(factors, known)
        if is_number:
            code = (code - given.uniform[None]) / spread[None]
            if known is not None:  # missing: the mean
                code = jnp.where(known[:, given.columns], code, 0.0)
        return code @ turn.T if settings.rotation else code

    nothing = np.zeros(len(blocks), np.float32) if is_number else given.uniform
    made = model(settings, shape, blocks)
    return Told(made, given.names, encode, nothing @ turn.T, blocks)


def build(settings: Settings, space: FactorSpace, shape: Shape) -> Method:
    """The method that is told these factors."""
    found = told(settings, space, shape)
    made = found.made

    def code_of(params: Params, batch: Batch) -> jax.Array:
        del params
        return found.encode(batch["factors"], batch.get("known"))

    def generate(params: Params, factors: jax.Array, *, key: jax.Array) -> jax.Array:
        noise = jax.random.normal(key, (factors.shape[0], *shape))
        return made.draw(params, found.encode(factors), noise)

    def edit(
        params: Params, images: jax.Array, factors: jax.Array, wanted: jax.Array
    ) -> jax.Array:
        """From the noise that the images come from; of `condition` alone."""
        old, new = found.encode(factors), found.encode(wanted)
        return made.redraw(params, images, old, new)

    def represent(params: Params, images: jax.Array) -> jax.Array:
        whole = (images.shape[0], found.nothing.size)
        code = jnp.broadcast_to(found.nothing[None], whole)
        return made.features(params, images, code)

    return Method(
        nets=made.nets,
        players={"diffusion": player(made, code_of, MOVES)},
        represent=represent,
        averages=averages(MOVES),
        sample=at_random(generate, space),
        edit=edit,
        generate=generate,
        given=found.names,
    )


RECIPE = Recipe(
    build,
    Settings,
    "diffusion, some factors or a caption given (Ho & Salimans 2022)",
    supervision="given",
)
