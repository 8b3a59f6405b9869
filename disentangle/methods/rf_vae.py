r"""RF-VAE: the Relevance-Factor VAE (Kim, Wang, Sahu & Pavlovic 2019).

$$
\mathcal{L} = -\mathbb{E}_{q(z|x)} \log p(x|z) + \sum_d \lambda(r_d) \, \mathrm{KL}_d
+ \gamma \, \mathrm{TC}(r z) + \eta_S \sum_d r_d + \eta_H \sum_d H(r_d)
$$

Learns, with the codes, which latents are relevant: r_d = sigmoid(a_d), a_d moved by
the VAE player and its optimiser as in the authors' code, which also gives the start
a_d ~ 0.001 N(0, 1), r_d nearly 1/2, and the weights. Adam at a learning rate of 1e-4
moves a_d by about 1 in 10,000 steps at most: a short run leaves r undecided.

Where r goes is a race. The loss falls with a_d while 9.9 KL_d > 1 - 100 a_d (at the
defaults, the total correlation aside), and before the first latents are in use no KL
is that large: all a_d sink, and the entropy then holds them there. At the authors'
learning rate of 1e-4 they have sunk little when the KLs rise; at 1e-3 they sink
ten times as far a step. `relevance_start` lets r rest at 1/2 until the latents are in
use.
"""

from typing import Any

import jax
import jax.numpy as jnp

from disentangle.data.samplers import Batch
from disentangle.data.space import FactorSpace
from disentangle.errors import UserError
from disentangle.fields import settings, swept
from disentangle.methods import rf_vae_0
from disentangle.methods.base import Logs, Method, Params, Player, Recipe
from disentangle.methods.density_ratio import critic_rate, first_and_last
from disentangle.methods.gaussian_vae import model
from disentangle.methods.likelihood import softplus
from disentangle.methods.rf_vae_0 import CriticSettings, gated_method, loss_given
from disentangle.nn import Net, discriminator


@settings
class Settings(CriticSettings):
    """Of RF-VAE."""

    eta_s: float = swept(
        1.0,
        "weight of sum_d r_d: few latents are relevant",
        source="Kim et al. 2019, code",
    )
    eta_h: float = swept(
        100.0,
        "weight of the entropy of r: each latent is relevant or is not",
        source="Kim et al. 2019, code",
    )
    discriminator_learning_rate: float = critic_rate()
    relevance_start: float = swept(
        0.0, "when r begins to move", source="Kim et al. 2019, code", share=True
    )


def relevance_net(latents: int) -> Net:
    """z (B, D) -> r z, its parameters {"logits": a (D,)}, r = sigmoid(a)."""

    def init(key: jax.Array) -> Params:
        return {"logits": 0.001 * jax.random.normal(key, (latents,))}

    def apply(params: Params, z: jax.Array) -> jax.Array:
        return jax.nn.sigmoid(params["logits"])[None] * z

    return Net(init, apply)


def relevance(method: Method, params: Params) -> jax.Array:
    """r (D,) in [0, 1] of one model of a method that has it, learned or given.

    For member i of a Run: `relevance(run.method, run.member(i))`.

    Raises:
      UserError: the method knows no relevance.
    """
    if "relevance" not in method.nets:
        raise UserError("this method has no relevance of its latents: rf_vae has")
    return method.nets["relevance"].apply(params["relevance"], jnp.ones((1, 1)))[0]


def build(
    settings: Settings, space: FactorSpace, shape: tuple[int, int, int]
) -> Method:
    """`loss_given`'s loss + eta_s sum_d r_d + eta_h sum_d H(r_d), nats per image.

    H(r) = -r log r - (1 - r) log(1 - r), which is least, 0, at 0 and at 1; in terms
    of a it is log(1 + e^a) - r a. The sign matters: one reimplementation adds
    -H, which holds r at 1/2.
    """
    del space
    vae = model(settings, shape)
    net = discriminator(settings.latents, settings.discriminator)

    def loss(
        params: Params, hyper: Any, batch: Batch, *, key: jax.Array, step: Any
    ) -> tuple[jax.Array, Logs]:
        images = first_and_last(batch, settings.batches)[0]["images"]
        a = params["relevance"]["logits"]
        rests = jnp.asarray(step, jnp.float32) < hyper.relevance_start
        a = jnp.where(rests, jax.lax.stop_gradient(a), a)
        r = jax.nn.sigmoid(a)
        given, logs = loss_given(r, vae, net, params, hyper, images, key=key)
        entropy = softplus(a) - r * a
        value = given + hyper.eta_s * r.sum() + hyper.eta_h * entropy.sum()
        return value, logs | {"relevance_entropy": entropy.sum()}

    player = Player(("encoder", "decoder", "relevance"), loss)
    return gated_method(settings, vae, net, relevance_net(settings.latents), player)


RECIPE = Recipe(
    build,
    Settings,
    "RF-VAE, relevance (Kim et al. 2019)",
    protocol=rf_vae_0.PROTOCOL,
    published=rf_vae_0.PUBLISHED,
)
