r"""StyleGAN at small size: a mapping to styles, and a synthesis that is told them.

$$
w = f(z), \quad x = g(w_1, ..., w_L, \text{noise}), \qquad
\mathcal{L}_D = \mathbb{E} \, \zeta(D(g)) + \mathbb{E} \, \zeta(-D(x))
+ \frac{\gamma}{2} \mathbb{E} |\nabla_x D(x)|^2, \qquad
\mathcal{L}_G = \mathbb{E} \, \zeta(-D(g))
$$

with zeta the softplus (Karras et al. 2019; R1 by Mescheder et al. 2018). In training
a share `mixing` of the images have two latents: the layers before one drawn uniformly
from 2 .. L have the style of the first, the others that of the second. In evaluation
all layers have one style, and

$$
w' = \bar w + \psi (w - \bar w)
$$

with `truncation` psi and the average w-bar that the mapping keeps; psi = 1 is none,
psi = 0 one picture up to its noise. Theirs are drawn with 0.7.

The critic is 4x4 convolutions of stride 2 with equalised rates, the deviation within
the batch beside its features (`nn/style_synthesis.py`), and a dense layer.

`conditional_style_gan` is told factors: a linear layer of their one-hots joins z, and
the critic has a score per value, of which those that the image is to have are added up
(their "label switch", for several factors).

Codes are w, as an encoder reads it off images: a third player, which the paper does not
have, lowers the squared error of w on generated images, mean over its numbers. `decode`
draws codes without noise. What is drawn, with which noise, is in `Method.latents`.

Where we differ: no growing; widths; gamma 5 where theirs is 10; truncation acts on all
layers; averages of the generator with decay `decay`.
"""

from typing import Any

import jax
import jax.numpy as jnp
import optax

from disentangle.data.samplers import Batch
from disentangle.data.space import FactorSpace
from disentangle.fields import settings, static, swept
from disentangle.fields.define import WIDEST
from disentangle.methods.base import (
    Logs,
    Method,
    Params,
    Player,
    Recipe,
)
from disentangle.methods.conditions import Condition, condition
from disentangle.methods.gan_losses import GAN_LOSSES
from disentangle.methods.gan_model import (
    Model,
    conditions,
    critic_loss,
    generator_loss,
    method_of,
    noise,
    players,
    unsigned,
)
from disentangle.methods.ways import Latents
from disentangle.nn import CRITICS, ENCODERS, encoder, linear, output_width, perceptron
from disentangle.nn.critics import image_critic
from disentangle.nn.style_synthesis import (
    average_style,
    batch_deviation,
    layers_of,
    mapping,
    noise_of,
    synthesis,
)

HIDDEN = 128  # units of the critic's dense layer
SOURCE = "Karras et al. 2019"
Shape = tuple[int, int, int]


@settings
class Settings:
    """Of StyleGAN."""

    latents: int = static(64, "size of z; theirs 512", least=1, most=WIDEST)
    styles: int = static(
        64, "size of w, and of the mapping's layers; theirs 512", least=1, most=WIDEST
    )
    mapping: int = static(4, "layers of the mapping; theirs 8", least=1, most=64)
    width: int = static(
        16, "channels of the maps next to the image", least=1, most=WIDEST
    )
    critic: str = static("equalised", "network of images", choices=CRITICS)
    encoder: str = static("locatello", "network that reads w", choices=ENCODERS)
    mixing: float = static(
        0.9, "share of images with two latents", source=SOURCE, least=0.0, most=1.0
    )
    truncation: float = static(
        1.0, "psi, in evaluation; 1 is none", least=0.0, most=10.0
    )
    gamma: float = swept(5.0, "weight of R1, the critic's squared gradient")
    decay: float = swept(0.99, "of the generator's average", least=0.0, most=0.9999)
    b1: float = swept(0.0, "of all Adams", source=SOURCE, least=0.0, most=0.999)
    b2: float = swept(0.99, "of all Adams", source=SOURCE, least=0.0, most=0.9999)
    critic_learning_rate: float = swept(
        1e-3, "of the critic's Adam", source=SOURCE, above=0.0
    )
    generator_learning_rate: float = swept(
        1e-3, "of the generator's Adam", source=SOURCE, above=0.0
    )
    encoder_learning_rate: float = swept(1e-3, "of the encoder's Adam", above=0.0)


@settings
class Conditional(Settings):
    """Of the StyleGAN that is told factors."""

    condition: tuple[str, ...] = static(
        (), "factors that are given; () is the first", distinct=True
    )


class Parts:
    """The networks and what they make of all random numbers of a picture.

    A row of these, z (B, size), is the latent, a second one for mixing, the noise of
    every layer, and two numbers that say whether and where styles are mixed.
    """

    def __init__(self, chosen: Any, shape: Shape, given: Condition | None):
        self.chosen, self.given = chosen, given
        self.layers, self.noise = layers_of(shape), noise_of(shape)
        self.size = 2 * chosen.latents + self.noise + 2
        told = chosen.latents if given else 0
        inputs = chosen.latents + told
        self.nets: dict[str, Any] = {
            "mapping": mapping(inputs, chosen.mapping, chosen.styles),
            "generator": synthesis(shape, chosen.styles, chosen.width),
        }
        if given:
            self.nets["embedding"] = linear(given.width, told)
        self.generators = tuple(self.nets)
        self.nets["critic"] = image_critic(chosen.critic, shape, chosen.width)
        features = output_width(self.nets["critic"], shape) + 1
        outputs = given.width if given else 1
        self.nets["score"] = perceptron(features, (HIDDEN,), outputs)
        self.nets["encoder"] = encoder(chosen.encoder, shape, chosen.styles)

    def mapped(
        self, params: Params, z: jax.Array, c: Any, *, train: bool = False
    ) -> tuple[jax.Array, Any]:
        """w (B, W) of a latent (B, Z), and the mapping's new state."""
        if self.given:
            told = self.nets["embedding"].apply(params["embedding"], c)
            z = jnp.concatenate([z, told], axis=1)
        net, own = self.nets["mapping"], params["mapping"]
        return net.train(own, z) if train else (net.apply(own, z), {})

    def truncated(self, params: Params, w: jax.Array) -> jax.Array:
        """w-bar + psi (w - w-bar); w itself where psi is 1."""
        psi = self.chosen.truncation
        if psi == 1.0:
            return w
        centre = average_style(params["mapping"])[None]
        return centre + psi * (w - centre)

    def mixed(self, first: jax.Array, second: jax.Array, z: jax.Array) -> jax.Array:
        """(B, L, W): the first style up to a layer, and the second from there on."""
        chance = jax.scipy.stats.norm.cdf(z[:, -2:])
        place = 1 + jnp.floor(chance[:, 0] * (self.layers - 1)).astype(jnp.int32)
        place = jnp.where(chance[:, 1] < self.chosen.mixing, place, self.layers)
        return crossed(first, second, place, self.layers)

    def picture(self, params: Params, styles: jax.Array, z: jax.Array) -> jax.Array:
        """(B, H, W, C), not bounded, of styles (B, L, W) and the noise in z."""
        start = 2 * self.chosen.latents
        x = {"styles": styles, "noise": z[:, start : start + self.noise]}
        return self.nets["generator"].apply(params["generator"], x)

    def alike(self, w: jax.Array) -> jax.Array:
        """(B, W) -> (B, L, W), one style for all layers."""
        shape = (w.shape[0], self.layers, w.shape[1])
        return jnp.broadcast_to(w[:, None], shape)

    def judge(self, params: Params, x: jax.Array, c: Any) -> jax.Array:
        """(B,) D(x), or D(x, c)."""
        h = self.features(params, x)
        h = jnp.concatenate([h, batch_deviation(h)], axis=1)
        found = self.nets["score"].apply(params["score"], h)
        return found[:, 0] if c is None else (found * c).sum(1)

    def features(self, params: Params, x: jax.Array) -> jax.Array:
        """(B, n) of the critic."""
        return self.nets["critic"].apply(params["critic"], x)


def crossed(
    first: jax.Array, second: jax.Array, place: jax.Array, layers: int
) -> jax.Array:
    """Styles of two latents, split at a layer.

    Args:
      first, second: w, (B, W).
      place: (B,) the first layer, from 0, that has the second one's style; 0 is all of
        them, `layers` none.
      layers: L.

    Returns:
      (B, L, W).
    """
    before = jnp.arange(layers)[None, :, None] < place[:, None, None]
    return jnp.where(before, first[:, None], second[:, None])


def model_of(parts: Parts) -> Model:
    """The networks as `gan_model` takes them; z are all random numbers of a picture."""
    latents = parts.chosen.latents

    def draw(
        params: Params, z: jax.Array, c: Any, *, train: bool
    ) -> tuple[jax.Array, dict[str, Any]]:
        w, state = parts.mapped(params, z[:, :latents], c, train=train)
        if not train:
            styles = parts.alike(parts.truncated(params, w))
            return jnp.clip(parts.picture(params, styles, z), -1.0, 1.0), {}
        second, _ = parts.mapped(params, z[:, latents : 2 * latents], c)
        styles = parts.mixed(w, second, z)
        return parts.picture(params, styles, z), {"mapping": state}

    return Model(
        parts.nets,
        ("critic", "score"),
        parts.generators,
        parts.size,
        parts.given,
        draw,
        lambda params, x, c, *, train: (parts.judge(params, x, c), {}),
        parts.features,
    )


def reading_loss(parts: Parts, gan: Model) -> Any:
    """|E(g(w)) - w|^2 of generated images, mean over the numbers of w and the batch."""

    def loss(
        params: Params, hyper: Any, batch: Batch, *, key: jax.Array, step: Any
    ) -> tuple[jax.Array, Logs]:
        del hyper, step
        z, c = noise(gan, batch, key=key), conditions(gan, batch)
        w, _ = parts.mapped(params, z[:, : parts.chosen.latents], c)
        x = jnp.clip(parts.picture(params, parts.alike(w), z), -1.0, 1.0)
        found = parts.nets["encoder"].apply(params["encoder"], unsigned(x))
        error = jnp.square(found - w).mean()
        return error, {"explained": 1.0 - error / jnp.maximum(w.var(0).mean(), 1e-8)}

    return loss


def latents_of(parts: Parts) -> Latents:
    """What the method offers of its latents."""

    def mapped(params: Params, z: jax.Array, factors: jax.Array) -> jax.Array:
        c = parts.given.encode(factors) if parts.given else None
        return parts.mapped(params, z[:, : parts.chosen.latents], c)[0]

    def draw(params: Params, styles: jax.Array, z: jax.Array) -> jax.Array:
        return unsigned(jnp.clip(parts.picture(params, styles, z), -1.0, 1.0))

    sizes = parts.size, parts.chosen.latents, parts.layers
    return Latents(*sizes, mapped, draw, parts.truncated)


def assembled(parts: Parts, space: FactorSpace) -> Method:
    """All three players."""
    gan, losses = model_of(parts), GAN_LOSSES["logistic"]
    moves = players(
        gan, critic_loss(gan, losses.critic), generator_loss(gan, losses.generator)
    )
    moves["encoder"] = Player(
        ("encoder",),
        reading_loss(parts, gan),
        optimizer=lambda h: optax.adam(h.encoder_learning_rate, b1=h.b1, b2=h.b2),
        rate="encoder_learning_rate",
    )
    ways = latents_of(parts)

    def decode(params: Params, codes: jax.Array) -> jax.Array:
        z = jnp.zeros((codes.shape[0], parts.size), jnp.float32)
        return ways.draw(params, parts.alike(codes), z)

    read = lambda params, x: parts.nets["encoder"].apply(params["encoder"], x)
    plain = method_of(gan, moves, space)
    return plain._replace(represent=read, decode=decode, latents=ways)


def build(settings: Settings, space: FactorSpace, shape: Shape) -> Method:
    """StyleGAN."""
    return assembled(Parts(settings, shape, None), space)


def build_conditional(
    settings: Conditional, space: FactorSpace, shape: Shape
) -> Method:
    """The StyleGAN that is told factors; errors as `conditions.condition`."""
    given = condition(settings.condition or space.names[:1], space)
    return assembled(Parts(settings, shape, given), space)


RECIPE = Recipe(build, Settings, "StyleGAN, small (Karras et al. 2019)")
CONDITIONAL = Recipe(
    build_conditional,
    Conditional,
    "StyleGAN that is told factors, small (Karras et al. 2019)",
    supervision="given",
)
