r"""Glow with a class-conditional prior (Kingma & Dhariwal 2018).

$$
\mathcal{L} = -\frac{\log p(x | c)}{D \ln 2} - w \frac{\log p(y | h)}{\ln 2}, \qquad
p(h | c) = \mathcal{N}\big(h; m(c), e^{2 s(c)}\big)
$$

c are the one-hot values of the factors in `condition`. h are the numbers that the
flow of glow.py leaves at its end, whitened; in Glow they are N(0, I), here m and s are
linear in c, one number per channel at every place, zero at the start, so that a fresh
model is Glow. All other numbers are N(m, s) of those above them, as there, so what
h says of the factors moves them too. p(y | h) are classifiers of the factors, linear in
the means of h over the image; y are the values, those that are missing are left out,
and w is `label_weight`, 0.01 as theirs; log p(y | h) is a sum over the factors.

An edit keeps all that the model takes for noise: with the values y the picture has and
y' it shall have, h' = m(c') + e^{s(c') - s(c)} (h - m(c)), the other numbers stay, and
the flow goes back. Codes and `decode` are those of Glow, which ask for no labels.

Theirs are classes of CIFAR-10, one factor; their linear layers have a learned scale
that these lack.
"""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from disentangle.data.samplers import Batch
from disentangle.data.space import FactorSpace
from disentangle.fields import settings, static, swept
from disentangle.methods import glow
from disentangle.methods.adde_losses import cross_entropy
from disentangle.methods.base import Logs, Method, Params, Player, Recipe
from disentangle.methods.conditions import Condition, at_random, condition
from disentangle.nn import Net, zero_linear


@settings
class Settings(glow.Settings):
    """Of Glow with a class-conditional prior."""

    condition: tuple[str, ...] = static(
        (), "factors that are given; () is the first", distinct=True
    )
    label_weight: float = swept(
        0.01, "w, of the classifiers of what is left", source=glow.GLOW, least=0.0
    )


def names_entropy(
    given: Condition, logits: jax.Array, factors: jax.Array, known: jax.Array | None
) -> jax.Array:
    """-log p(y | h), nats: sum over the factors, mean over images that have the label.

    Args:
      given: the T factors.
      logits: (B, C), those of each factor one after the other.
      factors: (B, F) values.
      known: (B, F) bool, None where all are.
    """
    total, start = jnp.zeros(()), 0
    for column, size in zip(given.columns, given.sizes, strict=True):
        labels = factors[:, column]
        labels = labels if known is None else jnp.where(known[:, column], labels, -1)
        total += cross_entropy(logits[:, start : start + size], labels)
        start += size
    return total


class Model(NamedTuple):
    """A Glow, and the prior of the numbers that it leaves at the end.

    Attributes:
      glow: the Glow.
      given: the T factors.
      nets: the flow, m and s, and the classifiers.
      prior: prior(params, c (B, C)) -> m and s of h, (B, 1, channels) each.
      parts: eps (B, D) -> h (B, H W, channels) of the last level, all other numbers.
      joined: the inverse of `parts`.
    """

    glow: glow.Model
    given: Condition
    nets: dict[str, Net]
    prior: Callable[[Params, jax.Array], tuple[jax.Array, jax.Array]]
    parts: Callable[[jax.Array], tuple[jax.Array, jax.Array]]
    joined: Callable[[jax.Array, jax.Array], jax.Array]


def model(settings: Settings, space: FactorSpace, shape: glow.Shape) -> Model:
    """The model of `settings`.

    Raises:
      UserError: on a factor that does not exist, or is named twice.
    """
    made = glow.model(settings, shape)
    given = condition(settings.condition or space.names[:1], space)
    *_, channels = made.top
    used = math.prod(made.top)
    nets = {
        "flow": made.flow.net,
        "prior": zero_linear(given.width, 2 * channels),
        "classifiers": zero_linear(channels, given.width),
    }

    def prior(params: Params, c: jax.Array) -> tuple[jax.Array, jax.Array]:
        out = nets["prior"].apply(params["prior"], c)[:, None]
        return out[..., :channels], out[..., channels:]

    def parts(eps: jax.Array) -> tuple[jax.Array, jax.Array]:
        return eps[:, :used].reshape(-1, used // channels, channels), eps[:, used:]

    def joined(h: jax.Array, others: jax.Array) -> jax.Array:
        return jnp.concatenate([h.reshape(-1, used), others], axis=1)

    return Model(made, given, nets, prior, parts, joined)


def negative_likelihood(net: Model) -> Any:
    """Bits per dimension of images given c, and w times those of the classifiers."""

    def loss(
        params: Params, hyper: Any, batch: Batch, *, key: jax.Array, step: Any
    ) -> tuple[jax.Array, Logs]:
        del step
        factors, known = batch["factors"], batch.get("known")
        eps, log_p = net.glow.density(params, batch["images"], key=key)
        h, _ = net.parts(eps)
        mean, logs = net.prior(params, net.given.encode(factors, known))
        whitened = (h - mean) * jnp.exp(-logs)
        gained = 0.5 * (jnp.square(h) - jnp.square(whitened)) - logs
        log_p = log_p + gained.sum((1, 2))
        bits = glow.bits_per_dimension(log_p, net.glow.numbers)
        logits = net.nets["classifiers"].apply(params["classifiers"], h.mean(1))
        entropy = names_entropy(net.given, logits, factors, known)
        value = bits + hyper.label_weight * entropy / math.log(2.0)
        return value, {"bits_per_dimension": bits, "cross_entropy": entropy}

    return loss


def build(settings: Settings, space: FactorSpace, shape: glow.Shape) -> Method:
    """The Glow of `settings` and the prior of its last numbers; errors as `model`."""
    net = model(settings, space, shape)
    encode, prior = net.given.encode, net.prior

    def generate(params: Params, factors: jax.Array, *, key: jax.Array) -> jax.Array:
        eps = jax.random.normal(key, (factors.shape[0], net.glow.width))
        h, others = net.parts(settings.temperature * eps)
        mean, logs = prior(params, encode(factors))
        return net.glow.drawn(params, net.joined(mean + jnp.exp(logs) * h, others))

    def edit(
        params: Params, images: jax.Array, factors: jax.Array, wanted: jax.Array
    ) -> jax.Array:
        h, others = net.parts(net.glow.code(params, images))
        mean, logs = prior(params, encode(factors))
        other_mean, other_logs = prior(params, encode(wanted))
        moved = other_mean + jnp.exp(other_logs - logs) * (h - mean)
        return net.glow.decode(params, net.joined(moved, others))

    moves, loss = tuple(net.nets), negative_likelihood(net)
    return Method(
        nets=net.nets,
        players={"glow": Player(moves, loss, optimizer=glow.adamax, rate=glow.RATE)},
        represent=net.glow.code,
        decode=net.glow.decode,
        components=glow.COMPONENTS,
        averages=dict.fromkeys(net.nets, glow.decay),
        sample=at_random(generate, space),
        edit=edit,
        generate=generate,
        given=net.given.names,
        begin=net.glow.begin,
    )


RECIPE = Recipe(
    build,
    Settings,
    "Glow with a prior of given factors (Kingma & Dhariwal 2018)",
    supervision="given",
)
