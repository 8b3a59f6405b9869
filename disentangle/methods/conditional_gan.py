r"""Conditional GANs: generator and critic are told the values of some factors.

$$
\mathcal{L}_D = -\mathbb{E}_{x,c} \log \sigma(D(x, c))
- \mathbb{E}_{z,c} \log(1 - \sigma(D(G(z, c), c)))
+ \frac{\gamma}{2} \mathbb{E} |\nabla_x D(x, c)|^2, \qquad
\mathcal{L}_G = -\mathbb{E}_{z,c} \log \sigma(D(G(z, c), c))
$$

Mirza & Osindero 2014, Eq. 2, with the generator's loss that does not saturate
(Goodfellow et al. 2014) and the penalty R1 (Mescheder et al. 2018), which the paper
does not have. c are the values of the factors in `condition` and joins z in front of
the generator. How the critic sees it is `label_in`:

* "projection": D(x, c) = w h(x) + (V c) h(x), h the critic's features (Miyato & Koyama
  2018, Eq. 3), the one with which attributes were seen to be obeyed soonest;
* "embed_channel": a linear layer gives one more channel of the image, of c;
* "maps": every number of c is a constant channel of the image;
* "concatenate": c joins h in front of a hidden layer of `hidden` units.

`dcgan` is the same without a condition: Radford et al. 2016, without the batch norm of
their critic (R1 needs scores of single images), with 4x4 windows.

`multi_conditional_gan` is told several attributes: all factors where `condition` is
(), each as a one-hot or, with `encoding`, as its number. `join` says how c meets z:
"concatenate", or "multiply", z times a linear layer of c. Its critic has c in front of
a hidden layer of 512, and real images have the target `smooth` (the code of a project
on fashion attributes that was its source: 300 epochs of 5,000 images, batches of 32,
Adam(0.5), 2e-4 and 4e-4).
"""

from collections.abc import Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

from disentangle.data.space import FactorSpace
from disentangle.errors import UserError
from disentangle.fields import settings, static
from disentangle.fields.define import WIDEST
from disentangle.methods import gan_model
from disentangle.methods.base import Method, Params, Recipe
from disentangle.methods.conditions import ENCODINGS, Condition, condition
from disentangle.methods.gan_losses import GAN_LOSSES
from disentangle.methods.gan_model import (
    Model,
    critic_loss,
    generator_loss,
    method_of,
    players,
    through,
)
from disentangle.nn import generator, image_critic, linear, output_width, perceptron

LABEL_IN = ("projection", "embed_channel", "maps", "concatenate")
JOINS = ("concatenate", "multiply")
Shape = tuple[int, int, int]


@settings
class Settings(gan_model.Settings):
    """Of the conditional GAN."""

    condition: tuple[str, ...] = static(
        (), "factors that are given; () is the first", distinct=True
    )
    encoding: str = static("one_hot", "how c says a value", choices=ENCODINGS)
    label_in: str = static("projection", "how the critic sees c", choices=LABEL_IN)
    join: str = static("concatenate", "how c meets z", choices=JOINS)
    hidden: int = static(
        512, "units of the layer behind 'concatenate'", least=1, most=WIDEST
    )
    wrong: bool = static(
        False,
        "whether the critic is shown real images with another's condition",
        source="Reed et al. 2016",
    )
    smooth: float = static(1.0, "target of real images; 1 is none", above=0.5, most=1.0)


@settings
class Several(Settings):
    """Of the multi-conditional GAN, whose defaults are its own."""

    condition: tuple[str, ...] = static(
        (), "factors that are given; () is all", distinct=True
    )
    label_in: str = static("concatenate", "how the critic sees c", choices=LABEL_IN)
    smooth: float = static(0.9, "target of real images; 1 is none", above=0.5, most=1.0)


def critic_nets(
    chosen: gan_model.Settings, shape: Shape, width: int, label_in: str, hidden: int
) -> dict[str, Any]:
    """The critic's networks for a condition of `width` numbers."""
    height, breadth, channels = shape
    more = {"embed_channel": 1, "maps": width}.get(label_in, 0)
    seen = (height, breadth, channels + more)
    nets = {"critic": image_critic(chosen.critic, seen, chosen.width)}
    features = output_width(nets["critic"], seen)
    if label_in == "concatenate":
        return nets | {"score": perceptron(features + width, (hidden,), 1)}
    nets["score"] = linear(features, 1)
    if label_in == "projection":
        nets["label"] = linear(width, features)
    if label_in == "embed_channel":
        nets["label"] = linear(width, height * breadth)
    return nets


def shown(nets: Any, label_in: str, params: Params, x: jax.Array, c: Any) -> jax.Array:
    """The image with the channels that tell the critic c, if there are any."""
    if label_in not in ("embed_channel", "maps"):
        return x
    if label_in == "maps":
        size = (*x.shape[:3], c.shape[1])
        return jnp.concatenate([x, jnp.broadcast_to(c[:, None, None], size)], axis=3)
    channel = nets["label"].apply(params["label"], c).reshape(*x.shape[:3], 1)
    return jnp.concatenate([x, channel], axis=3)


def scored(nets: Any, label_in: str, params: Params, h: jax.Array, c: Any) -> jax.Array:
    """(B,) D(x, c) of the critic's features h."""
    if label_in == "concatenate":
        h = jnp.concatenate([h, c], axis=1)
    found = nets["score"].apply(params["score"], h)[:, 0]
    if label_in != "projection":
        return found
    return found + (nets["label"].apply(params["label"], c) * h).sum(1)


def model(
    chosen: gan_model.Settings,
    shape: Shape,
    given: Condition | None = None,
    *,
    label_in: str = "",
    join: str = "",
    hidden: int = 0,
) -> Model:
    """The networks of `chosen` for images of `shape`.

    Args:
      chosen: the fields that all GANs have.
      shape: of the images.
      given: what c is; None for a model without a condition.
      label_in, join, hidden: as in `Settings`; "" without a condition.
    """
    width = given.width if given else 0
    critics = critic_nets(chosen, shape, width, label_in, hidden)
    inputs = chosen.latents + (width if join == "concatenate" else 0)
    made = {"generator": generator(chosen.generator, shape, inputs, chosen.width)}
    if join == "multiply":
        made["embedding"] = linear(width, chosen.latents)
    nets = made | critics

    def draw(
        params: Params, z: jax.Array, c: Any, *, train: bool
    ) -> tuple[jax.Array, dict[str, Any]]:
        if join == "multiply":
            z = z * nets["embedding"].apply(params["embedding"], c)
        elif join == "concatenate":
            z = jnp.concatenate([z, c], axis=1)
        return through(nets, params, "generator", z, train=train)

    def judge(
        params: Params, x: jax.Array, c: Any, *, train: bool
    ) -> tuple[jax.Array, dict[str, Any]]:
        seen = shown(nets, label_in, params, x, c)
        h, state = through(nets, params, "critic", seen, train=train)
        return scored(nets, label_in, params, h, c), state

    def features(params: Params, x: jax.Array) -> jax.Array:
        c = None
        if given is not None:
            c = jnp.broadcast_to(given.uniform[None], (x.shape[0], width))
        seen = shown(nets, label_in, params, x, c)
        return nets["critic"].apply(params["critic"], seen)

    return Model(
        nets, tuple(critics), tuple(made), chosen.latents, given, draw, judge, features
    )


def told(chosen: Settings, names: Sequence[str], space: FactorSpace) -> Condition:
    """The condition of these names.

    Raises:
      UserError: as `condition`; or `smooth` is set of a loss that has no target.
    """
    if chosen.smooth != 1.0 and chosen.loss != "logistic":
        raise UserError(
            f"smooth={chosen.smooth:g} is a target of the loss 'logistic', not of "
            f"{chosen.loss!r}: set smooth=1"
        )
    return condition(names, space, chosen.encoding)


def of(
    chosen: Settings, names: Sequence[str], space: FactorSpace, shape: Shape
) -> Method:
    """The method that is told these factors."""
    gan = model(
        chosen,
        shape,
        told(chosen, names, space),
        label_in=chosen.label_in,
        join=chosen.join,
        hidden=chosen.hidden,
    )
    losses = GAN_LOSSES[chosen.loss]
    value_of: Any = losses.critic
    if chosen.loss == "logistic":
        value_of = partial(value_of, smooth=chosen.smooth)
    critic = critic_loss(gan, value_of, wrong=chosen.wrong)
    generates = generator_loss(gan, losses.generator)
    return method_of(gan, players(gan, critic, generates), space)


def build(settings: Settings, space: FactorSpace, shape: Shape) -> Method:
    """The conditional GAN; codes are the critic's features, of the uniform c."""
    return of(settings, settings.condition or space.names[:1], space, shape)


def build_several(settings: Several, space: FactorSpace, shape: Shape) -> Method:
    """The multi-conditional GAN."""
    return of(settings, settings.condition or space.names, space, shape)


RECIPE = Recipe(
    build,
    Settings,
    "conditional GAN (Mirza & Osindero 2014)",
    supervision="given",
)
SEVERAL = Recipe(
    build_several,
    Several,
    "multi-conditional GAN, several attributes given (Mirza & Osindero 2014)",
    supervision="given",
)
