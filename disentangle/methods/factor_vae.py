r"""FactorVAE: the VAE with the total correlation of its codes penalised.

$$
\mathcal{L} = -\mathbb{E}_{q(z|x)} \log p(x|z)
+ \sum_d \mathrm{KL}(q(z_d|x) \,\|\, \mathcal{N}(0, 1))
+ \gamma \, \mathbb{E}_{q(z)} \log \frac{D(z)}{1 - D(z)}
$$

Kim & Mnih 2018, Eq. 2 and Alg. 2. Two players: the VAE, and a discriminator that
estimates the total correlation (methods/density_ratio.py).

`batches=2` is the paper: what the discriminator sees permuted comes from a second
batch, drawn independently of the first, so that its two kinds of samples share no
image. `batches=1` is the variant of Locatello et al. 2019, both from one batch; it
saves an encoder pass. Their code counts a step for each player, so that its 300,000
steps are 150,000 updates: `steps=150_000, batches=1` trains as long as theirs.

The discriminator moves first in a step, where Alg. 2 names it last: the players
alternate all the same, and both encode the first batch with the same encoder, which
XLA then does once.
"""

from typing import Any

import jax

from disentangle.data.samplers import Batch
from disentangle.data.space import FactorSpace
from disentangle.fields import settings, swept
from disentangle.methods import density_ratio
from disentangle.methods.base import Logs, Method, Params, Player, Recipe
from disentangle.methods.density_ratio import (
    COLLATES,
    critic_rate,
    discriminator_player,
    first_and_last,
    log_ratio,
    sample_codes,
)
from disentangle.methods.gaussian_vae import forward, method_of, model, shown
from disentangle.nn import discriminator


@settings
class Settings(density_ratio.Settings):
    """Of FactorVAE."""

    gamma: float = swept(
        35.0,
        "weight of the total correlation",
        source="Kim & Mnih 2018: best on dSprites; Locatello et al. 2019: 10 .. 100",
    )
    discriminator_learning_rate: float = critic_rate()


def build(
    settings: Settings, space: FactorSpace, shape: tuple[int, int, int]
) -> Method:
    """-ELBO + gamma * TC(z), nats; TC as the discriminator has it.

    That estimate, "total_correlation" in the log, is negative where the critic is
    wrong: it steers training, and is no measurement of the codes.
    """
    del space
    vae = model(settings, shape)
    net = discriminator(settings.latents, settings.discriminator)

    def samples(
        params: Params, batch: Batch, *, key: jax.Array
    ) -> tuple[jax.Array, jax.Array]:
        first, last = first_and_last(batch, settings.batches)
        z = sample_codes(vae, params, first["images"], key=key)
        if settings.batches == 1:
            return z, z
        own = jax.random.fold_in(key, 1)
        return z, sample_codes(vae, params, last["images"], key=own)

    def loss(
        params: Params, hyper: Any, batch: Batch, *, key: jax.Array, step: Any
    ) -> tuple[jax.Array, Logs]:
        del step
        images = first_and_last(batch, settings.batches)[0]["images"]
        terms = forward(vae, params, images, key=key)
        tc = log_ratio(net, params, terms.z).mean()
        elbo = -(terms.reconstruction + terms.kl.sum())
        logs = {"elbo": elbo, "total_correlation": tc}
        return -elbo + hyper.gamma * tc, shown(terms) | logs

    return method_of(
        vae,
        {
            "discriminator": discriminator_player(net, samples),
            "vae": Player(("encoder", "decoder"), loss),
        },
        nets={"discriminator": net},
        collate=COLLATES[settings.batches],
    )


RECIPE = Recipe(
    build,
    Settings,
    "FactorVAE (Kim & Mnih 2018)",
    protocol={"steps": 300_000},
    published="Kim & Mnih 2018 for 2D shapes; the code of Locatello et al. 2019 "
    "(gamma 10, 20, 30, 40, 50, 100) stops at 150,000 steps, of one batch each",
)
