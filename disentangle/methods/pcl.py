r"""PCL, permutation-contrastive learning (Hyvarinen & Morioka 2017).

$$
\mathcal{L} = -\tfrac{1}{2} \mathbb{E} \log s(r(x_t, x_{t-1}))
- \tfrac{1}{2} \mathbb{E} \log (1 - s(r(x_t, x_{t^*}))), \qquad
s(r) = \frac{1}{1 + e^{-r}}
$$

$$
r(x, x') = c + \sum_d \Big[ (\bar a_d h_d(x) + \bar b_d)^2
- |a_d h_d(x) + a'_d h_d(x') + b_d| \Big]
$$

"Nonlinear ICA of temporally dependent stationary sources" (AISTATS 2017), Eq. 7 to 9:
a logistic regression tells pairs that follow one another from pairs whose partner
comes from another time, t* a random one. Its regression function is a sum of functions
of one component each, and where the sources are independent, uniformly dependent and
not quasi-Gaussian, the best h is the sources, each up to a function of its own
(their theorem 1). The terms are those of their experiments, for sources with Laplace
innovations: r is then log p(s_t | s_{t-1}) - log p(s_t), of which the bars are the
first part, and the squares stand for the second.

Nothing is decoded, and no density learned. Where we differ: their h is a maxout
network trained by momentum on whole sequences; here it is any encoder, and x_{t*} is
the partner of the next pair of the batch, which is as random as the batch is.
"""

from typing import Any

import jax
import jax.numpy as jnp

from disentangle.data.samplers import Batch
from disentangle.data.space import FactorSpace
from disentangle.fields import settings, static
from disentangle.fields.define import WIDEST
from disentangle.methods.base import LOCATELLO, Logs, Method, Params, Player, Recipe
from disentangle.methods.likelihood import softplus
from disentangle.methods.transitions import LAPLACE, TRANSITIONS, transitions
from disentangle.nn import ENCODERS, Net, encoder

PAPER = "Hyvarinen & Morioka 2017"


@settings
class Settings:
    """Of PCL."""

    latents: int = static(
        10, "size D of the code", source=LOCATELLO, least=1, most=WIDEST
    )
    encoder: str = static(
        "locatello", "h, network of images", source=LOCATELLO, choices=ENCODERS
    )
    transitions: str = static(
        LAPLACE,
        "which pairs: factors that move by a Laplace distribution, or some drawn again",
        source=PAPER,
        choices=TRANSITIONS,
    )
    data_rate: float = static(
        1.0,
        "of the Laplace moves of the factors, per step between values",
        least=0.0,
        most=100.0,
    )


def start(latents: int) -> dict[str, jax.Array]:
    """a = 1, a' = -1: at first r falls with the distance of the two codes."""
    one, none = jnp.ones(latents, jnp.float32), jnp.zeros(latents, jnp.float32)
    own = {"scale": 0.1 * one, "shift": none}
    both = {"now": one, "before": -one, "offset": none}
    return {**both, **own, "constant": jnp.float32(0.0)}


def log_odds(params: Params, now: jax.Array, before: jax.Array) -> jax.Array:
    """r of B pairs of codes, (B, D) each: (B,)."""
    p = {name: value[None] for name, value in params.items()}
    both = jnp.abs(p["now"] * now + p["before"] * before + p["offset"])
    own = jnp.square(p["scale"] * now + p["shift"])
    return (own - both).sum(1) + params["constant"]


def regression(latents: int) -> Net:
    """The Net (h(x), h(x')), (B, D) each -> r (B,)."""
    return Net(
        init=lambda key: start(latents),
        apply=lambda params, pair: log_odds(params, *pair),
    )


def build(
    settings: Settings, space: FactorSpace, shape: tuple[int, int, int]
) -> Method:
    """The PCL of `settings`; codes are h(x), nats per pair are lowered."""
    nets = {
        "encoder": encoder(settings.encoder, shape, settings.latents),
        "regression": regression(settings.latents),
    }

    def represent(params: Params, images: jax.Array) -> jax.Array:
        return nets["encoder"].apply(params["encoder"], images)

    def loss(
        params: Params, hyper: Any, batch: Batch, *, key: jax.Array, step: Any
    ) -> tuple[jax.Array, Logs]:
        del hyper, key, step
        before, now = jnp.split(represent(params, batch["images"]), 2)
        other = jnp.roll(before, 1, axis=0)
        r = lambda partner: nets["regression"].apply(
            params["regression"], (now, partner)
        )
        real, shuffled = r(before), r(other)
        value = 0.5 * (softplus(-real).mean() + softplus(shuffled).mean())
        right = jnp.concatenate([real > 0, shuffled < 0]).mean(dtype=jnp.float32)
        return value, {"accuracy": right}

    return Method(
        nets=nets,
        players={"regression": Player(("encoder", "regression"), loss)},
        represent=represent,
        collate=transitions(space, settings.transitions, settings.data_rate),
    )


RECIPE = Recipe(
    build,
    Settings,
    "PCL, permutation-contrastive learning (Hyvarinen & Morioka 2017)",
    supervision="pairs",
)
