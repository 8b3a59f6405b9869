r"""CVAE: encoder and decoder are told some factors (Sohn et al. 2015).

$$
\mathcal{L} = -\mathbb{E}_{q(z|x,c)} \log p(x|z, c)
+ \beta \sum_d \mathrm{KL}(q(z_d|x, c) \,\|\, \mathcal{N}(0, 1))
$$

q(z|x, c) and p(x|z, c), c the one-hot values of the factors in `condition`. What c
says need not be coded again, so z learns the rest. c joins the encoder's last
features, in the linear layer that gives mean and log-variance, and joins z in front
of the decoder.

Here the prior is p(z) = N(0, I), which Sohn et al. name as an alternative to a network
p(z|c): the given factors are independent of the others, so z has nothing to learn
about itself from c.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from disentangle.data.samplers import Batch
from disentangle.data.space import FactorSpace
from disentangle.fields import settings, static, swept
from disentangle.methods import beta_vae, gaussian_vae
from disentangle.methods.base import Logs, Method, Params, Player, Recipe
from disentangle.methods.conditions import Condition, at_random, condition
from disentangle.methods.gaussian_vae import Terms, kl_to_prior, sample_posterior, shown
from disentangle.methods.likelihood import LIKELIHOODS
from disentangle.nn import Net, decoder, encoder, linear, output_width


@settings
class Settings(gaussian_vae.Settings):
    """Of the CVAE."""

    condition: tuple[str, ...] = static(
        (), "factors that are given; () is the first", distinct=True
    )
    beta: float = swept(
        1.0,
        "weight of the KL; 1 is the conditional evidence lower bound",
        source="Sohn et al. 2015",
    )


class Conditional(NamedTuple):
    """The networks, and the ways through them where c (B, C) is known."""

    nets: dict[str, Net]
    given: Condition
    # one_hot(factors (B, F), known (B, F) or None) -> c (B, C)
    one_hot: Callable[..., jax.Array]
    uniform: np.ndarray  # (C,) the mean of c: 1 / K for each value
    # posterior(params, images (B, H, W, C), c) -> mean (B, D), logvar (B, D)
    posterior: Callable[[Params, jax.Array, jax.Array], tuple[jax.Array, jax.Array]]
    # logits(params, z (B, D), c) -> (B, H, W, C); their sigmoid is the image
    logits: Callable[[Params, jax.Array, jax.Array], jax.Array]


def conditional(
    settings: Settings, space: FactorSpace, shape: tuple[int, int, int]
) -> Conditional:
    """The model of `settings`: also the way to decode codes with a c of one's choice.

    Raises:
      UserError: on a factor that does not exist, or is named twice.
    """
    given = condition(settings.condition or space.names[:1], space)
    shared = encoder(settings.encoder, shape, None)
    features = output_width(shared, shape)
    nets = {
        "encoder": shared,
        "posterior": linear(features + given.width, 2 * settings.latents),
        "decoder": decoder(settings.decoder, shape, settings.latents + given.width),
    }

    def posterior(
        params: Params, images: jax.Array, c: jax.Array
    ) -> tuple[jax.Array, jax.Array]:
        features = nets["encoder"].apply(params["encoder"], images)
        both = jnp.concatenate([features, c], axis=1)
        mean, logvar = jnp.split(
            nets["posterior"].apply(params["posterior"], both), 2, 1
        )
        return mean, logvar

    def logits(params: Params, z: jax.Array, c: jax.Array) -> jax.Array:
        return nets["decoder"].apply(params["decoder"], jnp.concatenate([z, c], axis=1))

    return Conditional(nets, given, given.encode, given.uniform, posterior, logits)


def build(
    settings: Settings, space: FactorSpace, shape: tuple[int, int, int]
) -> Method:
    """-E_q(z|x,c) log p(x|z, c) + beta KL(q(z|x, c) || N(0, I)), nats per image.

    Codes and images are asked for without a c; c is then uniform over its values.
    For the codes this is exact: mean and log-variance are linear in c, so theirs is
    the average over every c. The decoder is not linear, and an image decoded with
    the uniform c is a blend, no average: choose c with `conditional`.
    """
    vae = conditional(settings, space, shape)

    def loss(
        params: Params, hyper: Any, batch: Batch, *, key: jax.Array, step: Any
    ) -> tuple[jax.Array, Logs]:
        c = vae.one_hot(batch["factors"], batch.get("known"))
        mean, logvar = vae.posterior(params, batch["images"], c)
        z = sample_posterior(mean, logvar, key=key)
        logits = vae.logits(params, z, c)
        reconstruction = LIKELIHOODS[settings.likelihood](logits, batch["images"])
        terms = Terms(reconstruction, kl_to_prior(mean, logvar), mean, logvar, z)
        value, logs = beta_vae.objective(terms, hyper, key=key, step=step)
        return value, shown(terms) | logs

    def anyway(x: jax.Array) -> jax.Array:
        return jnp.broadcast_to(vae.uniform[None], (x.shape[0], vae.uniform.size))

    def posterior(params: Params, images: jax.Array) -> tuple[jax.Array, jax.Array]:
        return vae.posterior(params, images, anyway(images))

    def generate(params: Params, factors: jax.Array, *, key: jax.Array) -> jax.Array:
        """z of the prior, decoded with the c of these factors."""
        z = jax.random.normal(key, (factors.shape[0], settings.latents))
        return jax.nn.sigmoid(vae.logits(params, z, vae.one_hot(factors)))

    def edit(
        params: Params, images: jax.Array, factors: jax.Array, wanted: jax.Array
    ) -> jax.Array:
        """Coded with the factors that they have, decoded with those of `wanted`.

        Only the factors in `condition` change.
        """
        mean, _ = vae.posterior(params, images, vae.one_hot(factors))
        return jax.nn.sigmoid(vae.logits(params, mean, vae.one_hot(wanted)))

    return Method(
        nets=vae.nets,
        players={"vae": Player(tuple(vae.nets), loss)},
        represent=lambda params, images: posterior(params, images)[0],
        posterior=posterior,
        decode=lambda params, z: jax.nn.sigmoid(vae.logits(params, z, anyway(z))),
        sample=at_random(generate, space),
        edit=edit,
        generate=generate,
        given=vae.given.names,
    )


RECIPE = Recipe(
    build,
    Settings,
    "CVAE, some factors given (Sohn et al. 2015)",
    supervision="given",
)
