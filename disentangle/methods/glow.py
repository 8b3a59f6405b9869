r"""Glow: an invertible network whose likelihood is exact (Kingma & Dhariwal 2018).

$$
\mathcal{L} = -\frac{1}{D \ln 2} \Big[ \log p(f(v)) + \log \Big| \det
\frac{\partial f(v)}{\partial v} \Big| - D \ln 2^b \Big], \qquad
v = \frac{\lfloor 255 x / 2^{8-b} \rfloor + u}{2^b} - \frac12, \quad u \sim U(0, 1)^D
$$

f is the flow of nn/flow.py, b the field `bits`, D the numbers of an image. The loss
is in bits per dimension and logged as `bits_per_dimension`: the probability of images
of 2^b levels (Theis et al. 2016), so it compares with models of the same b and images
alone. As a mean over u it is an upper bound of what the discrete images cost, as
everywhere in the literature. Images of 0 and 1 have `bits=1`; more bits are
allowed there, and their density is then on two of 2^b levels.

The code of an image is eps, as many numbers as the image has, of v with u = 1/2;
`decode` is the inverse, the middle of level k being k / (2^b - 1). An edit adds a
difference of class means to it (the editor `directions`). Scores that compare columns
read principal components (`Method.components`). `sample` draws eps ~ N(0, T^2) with
the field `temperature` T, and gives levels.

Images whose sides are no multiples of 2^L get rows and columns of level 0, whose bits
count while D does not.

Theirs for 32x32: L = 3, K = 32, width 512, Adamax 1e-3 with a warm-up of 10 epochs,
batches of 64 per device. The defaults here are for one CPU. An average of the
parameters with d = min(`decay`, (1 + t) / (10 + t)) is evaluated; theirs is over an
epoch. With their class-conditional prior it is `conditional_glow`.
"""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from disentangle.data.samplers import Batch, Split, draw, take
from disentangle.data.space import FactorSpace
from disentangle.errors import UserError
from disentangle.fields import settings, static, swept
from disentangle.fields.define import WIDEST
from disentangle.methods.base import Logs, Method, Params, Player, Recipe
from disentangle.nn.flow import Flow, flow, sizes_of
from disentangle.nn.flow_steps import TURNS

GLOW = "Kingma & Dhariwal 2018"
BEGIN = 256  # images that actnorms are started with
COMPONENTS = 64  # of a code, that scores read
Shape = tuple[int, int, int]


@settings
class Settings:
    """Of Glow.

    The optimiser is the method's own: `optimizer.learning_rate` moves nothing here.
    """

    bits: int = static(5, "b, of a pixel: images have 2^b levels", least=1, most=8)
    levels: int = static(3, "L, each halves the image", source=GLOW, least=1, most=8)
    depth: int = static(4, "K, steps of a level", least=1, most=WIDEST)
    width: int = static(
        64, "channels of the maps within a coupling", least=1, most=WIDEST
    )
    turn: str = static(
        "plu", "the 1x1 convolution as P L U, or dense", source=GLOW, choices=TURNS
    )
    temperature: float = static(
        1.0, "T of samples; theirs are shown at 0.7", least=0.0, most=10.0
    )
    decay: float = swept(
        0.999, "of the average that is evaluated", least=0.0, most=0.9999
    )
    adamax_learning_rate: float = swept(
        1e-3, "of the method's Adamax", source=GLOW, above=0.0
    )


def level(images: jax.Array, bits: int) -> jax.Array:
    """0 .. 2^bits - 1 as float32, of images in [0, 1]."""
    found = jnp.floor(jnp.round(255.0 * images) / 2.0 ** (8 - bits))
    return jnp.clip(found, 0.0, 2.0**bits - 1.0)


def dequantised(images: jax.Array, bits: int, noise: Any) -> jax.Array:
    """v in [-1/2, 1/2), of images in [0, 1] and noise in [0, 1)."""
    return (level(images, bits) + noise) / 2.0**bits - 0.5


def shown(v: jax.Array, bits: int) -> jax.Array:
    """Images in [0, 1]: the middle of level k is k / (2^b - 1).

    A coupling's inverse divides by a sigmoid, so that a code far from those of images
    may leave float32 on the way: what is NaN then is grey.
    """
    v = jnp.nan_to_num(v, nan=0.0, posinf=1.0, neginf=-1.0)
    return jnp.clip(((v + 0.5) * 2.0**bits - 0.5) / (2.0**bits - 1.0), 0.0, 1.0)


def padded_shape(shape: Shape, levels: int) -> Shape:
    """The smallest shape from `shape` on whose sides are multiples of 2^levels.

    Raises:
      UserError: it would have more than four times the pixels.
    """
    unit = 2**levels
    height, width = (-(-side // unit) * unit for side in shape[:2])
    if height * width > 4 * shape[0] * shape[1]:
        raise UserError(
            f"method.levels={levels} halves images of {shape[0]}x{shape[1]} below one "
            "pixel: take fewer"
        )
    return height, width, shape[2]


def bits_per_dimension(log_p: jax.Array, dimensions: int) -> jax.Array:
    """Nats per image (B,) as bits per number of an image, mean over the batch: ()."""
    return -log_p.mean() / (dimensions * jnp.log(2.0))


class Model(NamedTuple):
    """A flow of the levels of images of one shape.

    Attributes:
      flow: the flow.
      top: (H, W, C) of what is left at the end, the first numbers of eps.
      numbers: of an image.
      width: D, of eps: `numbers` and those of the padding.
      code: code(params, images (B, H, W, C)) -> eps (B, D) of the middles of levels.
      density: density(params, images, key=) -> (eps (B, D), log P (B,) nats of the
        levels of images, with one draw of u).
      decode: decode(params, eps (B, D)) -> images in [0, 1].
      drawn: the same, each number the nearest level.
      begin: `Method.begin`.
    """

    flow: Flow
    top: Shape
    numbers: int
    width: int
    code: Callable[[Params, jax.Array], jax.Array]
    density: Callable[..., tuple[jax.Array, jax.Array]]
    decode: Callable[[Params, jax.Array], jax.Array]
    drawn: Callable[[Params, jax.Array], jax.Array]
    begin: Callable[[Params, Split], Params]


def model(settings: Settings, shape: Shape) -> Model:
    """The flow of `settings`, its variables being params["flow"].

    Raises:
      UserError: images that cannot be halved so often.
    """
    whole, bits = padded_shape(shape, settings.levels), settings.bits
    sides = {"levels": settings.levels, "depth": settings.depth}
    own = flow(whole, **sides, width=settings.width, turn=settings.turn)
    missing = [(0, a - b) for a, b in zip(whole[:2], shape[:2], strict=True)]

    def padded(images: jax.Array) -> jax.Array:
        return jnp.pad(images, ((0, 0), *missing, (0, 0)))

    def code(params: Params, images: jax.Array) -> jax.Array:
        v = dequantised(padded(images), bits, 0.5)
        return own.net.apply(params["flow"], v)

    def density(
        params: Params, images: jax.Array, *, key: jax.Array
    ) -> tuple[jax.Array, jax.Array]:
        noise = jax.random.uniform(key, (images.shape[0], *whole))
        v = dequantised(padded(images), bits, noise)
        eps, log_p = own.density(params["flow"], v)
        return eps, log_p - v[0].size * bits * jnp.log(2.0)

    def decode(params: Params, codes: jax.Array) -> jax.Array:
        v = own.inverse(params["flow"], codes)
        return shown(v, bits)[:, : shape[0], : shape[1]]

    def drawn(params: Params, codes: jax.Array) -> jax.Array:
        top = 2.0**bits - 1.0
        return jnp.round(decode(params, codes) * top) / top

    def begin(params: Params, split: Split) -> Params:
        return started(own, padded, bits, params, split)

    counts = sizes_of(whole, settings.levels)[-1], math.prod(shape), math.prod(whole)
    return Model(own, *counts, code, density, decode, drawn, begin)


def build(settings: Settings, space: FactorSpace, shape: Shape) -> Method:
    """The Glow of `settings`; codes (B, D) are eps, D with the padding."""
    del space
    made = model(settings, shape)

    def loss(
        params: Params, hyper: Any, batch: Batch, *, key: jax.Array, step: Any
    ) -> tuple[jax.Array, Logs]:
        del hyper, step
        _, log_p = made.density(params, batch["images"], key=key)
        found = bits_per_dimension(log_p, made.numbers)
        return found, {"bits_per_dimension": found}

    def log_prob(params: Params, images: jax.Array, *, key: jax.Array) -> jax.Array:
        return made.density(params, images, key=key)[1]

    def sample(params: Params, *, key: jax.Array, n: int) -> jax.Array:
        eps = settings.temperature * jax.random.normal(key, (n, made.width))
        return made.drawn(params, eps)

    return Method(
        nets={"flow": made.flow.net},
        players={"glow": Player(("flow",), loss, optimizer=adamax, rate=RATE)},
        represent=made.code,
        decode=made.decode,
        components=COMPONENTS,
        averages={"flow": decay},
        sample=sample,
        log_prob=log_prob,
        begin=made.begin,
    )


RATE = "adamax_learning_rate"


def adamax(hyper: Settings) -> optax.GradientTransformation:
    """Adamax (Kingma & Ba 2015) at the method's own rate."""
    return optax.adamax(hyper.adamax_learning_rate)


def decay(hyper: Settings, step: Any) -> Any:
    """min(d, (1 + t) / (10 + t)): an average of few steps is of the last of them."""
    done = jnp.asarray(step, jnp.float32)
    return jnp.minimum(hyper.decay, (1.0 + done) / (10.0 + done))


def started(own: Flow, padded: Any, bits: int, params: Params, split: Split) -> Params:
    """The parameters with actnorms of the statistics of `BEGIN` training images."""
    chosen, noise = jax.random.split(jax.random.key(0))
    images = padded(take(split.data, draw(split, chosen, BEGIN))["images"])
    u = jax.random.uniform(noise, images.shape)
    begun = own.begin(params["flow"], dequantised(images, bits, u))
    return params | {"flow": begun}


RECIPE = Recipe(
    build,
    Settings,
    "Glow, an invertible flow (Kingma & Dhariwal 2018)",
    published="MNIST 8 bit, L 3, K 32, width 512: 1.05 bits per dimension",
)
