"""Total correlation by a density ratio: a critic learns it from samples.

TC(z) = KL(q(z) || prod_d q(z_d)) needs the ratio of two densities nobody can write
down, but both can be sampled: q(z) by encoding images, the product by shuffling each
dimension of a batch of codes on its own. A discriminator D(z), the probability that z
came from q(z), gives the ratio: TC = E_q(z) log[D(z) / (1 - D(z))] where D is the
best there is (Kim & Mnih 2018, Eq. 3 and Alg. 1).

D is a network with two logits, D(z) = softmax(l)_0, so log[D / (1 - D)] = l_0 - l_1.
In the discriminator's own loss Locatello et al. 2019 clip D to [1e-6, 1 - 1e-6]; here
-log D is softplus(l_1 - l_0), equal to theirs for |l_0 - l_1| < 13.8, and beyond
that a loss whose gradient does not vanish.
"""

from typing import Any

import jax
import jax.numpy as jnp
import optax

from disentangle.data.samplers import Batch, Collate, alone, halves, with_second
from disentangle.fields import settings, static, swept
from disentangle.fields.define import WIDEST
from disentangle.methods import gaussian_vae
from disentangle.methods.base import Logs, Loss, Params, Player
from disentangle.methods.gaussian_vae import Model, sample_posterior
from disentangle.methods.likelihood import softplus
from disentangle.nn import Net


@settings
class Settings(gaussian_vae.Settings):
    """Of a VAE with a critic, which has an Adam of its own."""

    batches: int = static(
        2,
        "2: the discriminator has a batch of its own, 1: that of the VAE",
        source="Kim & Mnih 2018; Locatello et al. 2019 have 1",
        choices=(1, 2),
    )
    discriminator: tuple[int, ...] = static(
        (1000,) * 6,
        "hidden widths of the discriminator",
        source="Kim & Mnih 2018",
        least=1,
        most=WIDEST,
    )


def critic_rate() -> Any:
    """The field `discriminator_learning_rate`, of `discriminator_player`."""
    return swept(
        1e-4, "of the discriminator's Adam", source="Kim & Mnih 2018", above=0.0
    )


COLLATES: dict[int, Collate] = {1: alone, 2: with_second}


def first_and_last(batch: Batch, batches: int) -> tuple[Batch, Batch]:
    """The VAE's images and the discriminator's: the same where there is one batch."""
    return halves(batch) if batches == 2 else (batch, batch)


def permute_dims(z: jax.Array, *, key: jax.Array) -> jax.Array:
    """Samples of prod_d q(z_d): each column of (B, D) in a random order of its own."""
    return jax.random.permutation(key, z, axis=0, independent=True)


def log_ratio(net: Net, params: Params, z: jax.Array) -> jax.Array:
    """log[q(z) / prod_d q(z_d)] as the discriminator has it: (B, D) -> (B,), nats."""
    logits = net.apply(params["discriminator"], z)
    return logits[:, 0] - logits[:, 1]


def sample_codes(
    vae: Model, params: Params, images: jax.Array, *, key: jax.Array
) -> jax.Array:
    """z ~ q(z|x) for each image, (B, D)."""
    return sample_posterior(*vae.posterior(params, images), key=key)


def discriminator_player(net: Net, samples: Any) -> Player:
    """The player "discriminator" of Kim & Mnih 2018, Alg. 2: Adam(b1 0.5, b2 0.9).

    -(1/2) E_q(z) log D(z) - (1/2) E_prod q(z_d) log(1 - D(z)), nats; log 2 where D
    sees no difference. It moves the discriminator alone, so nothing is
    differentiated through the encoder.

    Args:
      net: the discriminator.
      samples: `samples(params, batch, *, key) -> (z, z')`, (B, D) each, of q(z);
        z' is what gets permuted.
    """
    return Player(
        ("discriminator",),
        discriminator_loss(net, samples),
        optimizer=lambda hyper: optax.adam(
            hyper.discriminator_learning_rate, b1=0.5, b2=0.9
        ),
        rate="discriminator_learning_rate",
    )


def discriminator_loss(net: Net, samples: Any) -> Loss:
    """The loss of `discriminator_player`; both kinds of codes in one pass."""

    def loss(
        params: Params, hyper: Any, batch: Batch, *, key: jax.Array, step: Any
    ) -> tuple[jax.Array, Logs]:
        del hyper, step
        z, other = samples(params, batch, key=key)
        permuted = permute_dims(other, key=jax.random.fold_in(key, 2))
        ratio = log_ratio(net, params, jnp.concatenate([z, permuted]))
        joint, product = ratio[: len(z)], ratio[len(z) :]
        value = 0.5 * softplus(-joint).mean() + 0.5 * softplus(product).mean()
        right = jnp.concatenate([joint > 0, product < 0]).mean(dtype=jnp.float32)
        return value, {"accuracy": right}

    return loss
