r"""JL1-VAE: few pixels for each latent (Rhodes & Lee 2021).

$$
\mathcal{L} = -\mathbb{E}_{q(z|x)} \log p(x|z)
+ r(t) \beta \sum_d \mathrm{KL}(q(z_d|x) \,\|\, \mathcal{N}(0, 1))
+ r(t) \gamma \, \mathbb{E}_{q(z|x)}
\sum_d \Big\| \frac{\partial g(z)}{\partial z_d} \Big\|_1
$$

"Local disentanglement in variational auto-encoders using Jacobian L1 regularization"
(NeurIPS 2021): g(z) is the mean image, r grows from 0 to 1 over a third of the run. The
sum of absolute values is not the same after a rotation of the code, as the KL to
N(0, I) is; where every factor moves pixels of its own, it is least on the axes.

Derivatives are exact (nn/jacobian.py); the authors' code has differences of 1e-3. As
there, z is a constant in the last term, which so moves the decoder and not the
posterior. `columns` is ours: of a random few latents for each image the same in
expectation, for a decoder that is dear. The weights are those of their runs on images
of three dots (gamma 0.05, 0.1, 0.2 and 0.4); on MPI3D both are 0.01.
"""

from typing import Any

import jax
import jax.numpy as jnp

from disentangle.data.samplers import Batch
from disentangle.data.space import FactorSpace
from disentangle.fields import settings, static, swept
from disentangle.fields.define import WIDEST
from disentangle.methods import gaussian_vae
from disentangle.methods.base import Logs, Method, Params, Player, Recipe
from disentangle.methods.gaussian_vae import forward, method_of, model, shown
from disentangle.nn.jacobian import along

PAPER = "Rhodes & Lee 2021, code"


@settings
class Settings(gaussian_vae.Settings):
    """Of JL1-VAE."""

    columns: int = static(
        0,
        "latents drawn for each image at each step, whose derivatives stand for all; "
        "0 takes all",
        least=0,
        most=WIDEST,
    )
    beta: float = swept(4.0, "weight of the KL", source=PAPER)
    gamma: float = swept(0.1, "weight of the L1 norm of the Jacobian", source=PAPER)
    ramp: float = swept(
        1 / 3, "when both weights are whole", source=PAPER, above=0.0, share=True
    )


def directions(z: jax.Array, columns: int, *, key: jax.Array) -> jax.Array:
    """Unit vectors of the latents to look along: (D or `columns`, B, D)."""
    batch, latents = z.shape
    if columns == 0:
        every = jnp.eye(latents, dtype=z.dtype)[:, None]
        return jnp.broadcast_to(every, (latents, batch, latents))
    drawn = jax.random.randint(key, (columns, batch), 0, latents)
    return jax.nn.one_hot(drawn, latents, dtype=z.dtype)


def jacobian_l1(decode: Any, z: jax.Array, columns: int, *, key: jax.Array) -> Any:
    """sum_d |dg/dz_d|_1, mean over the batch, exact or of `columns` drawn latents.

    Args:
      decode: (B, D) -> images (B, H, W, C), row by row.
      z: (B, D).
      columns: see `Settings`.
      key: of the latents drawn.

    Returns:
      Scalar; pixels and channels are summed.
    """
    v = directions(z, columns, key=key)
    found = jnp.abs(along(decode, z, v)).sum() / z.shape[0]
    return found * (z.shape[1] / v.shape[0])


def build(
    settings: Settings, space: FactorSpace, shape: tuple[int, int, int]
) -> Method:
    """The JL1-VAE of `settings` for images of `shape`."""
    del space
    vae = model(settings, shape)

    def loss(
        params: Params, hyper: Any, batch: Batch, *, key: jax.Array, step: Any
    ) -> tuple[jax.Array, Logs]:
        terms = forward(vae, params, batch["images"], key=key)
        held, own = jax.lax.stop_gradient(terms.z), jax.random.fold_in(key, 1)
        decode = lambda z: vae.decode(params, z)
        norm = jacobian_l1(decode, held, settings.columns, key=own)
        grown = jnp.minimum(1.0, jnp.asarray(step, jnp.float32) / hyper.ramp)
        kl = terms.kl.sum()
        value = terms.reconstruction + grown * (hyper.beta * kl + hyper.gamma * norm)
        logs = {"elbo": -(terms.reconstruction + kl), "jacobian": norm}
        return value, shown(terms) | logs

    return method_of(vae, {"vae": Player(("encoder", "decoder"), loss)})


RECIPE = Recipe(
    build,
    Settings,
    "JL1-VAE, L1 norm of the decoder's Jacobian (Rhodes & Lee 2021)",
    protocol={"steps": 300_000},
    published="the code of Rhodes & Lee 2021 for images of three dots",
)
