r"""HFS: the support of q(z) drawn to a product of intervals (Roth et al. 2023).

$$
\mathcal{L} = -\mathbb{E}_{q(z|x)} \log p(x|z)
+ \beta \sum_d \mathrm{KL}(q(z_d|x) \,\|\, \mathcal{N}(0, 1))
+ \gamma \sum_{a < b} d_H(Z_a \times Z_b, Z_{ab})^2
$$

"Disentanglement of Correlated Factors via Hausdorff Factorized Support": latents may
be correlated as the factors are, but every combination of the values they take must
be taken somewhere. Defaults are those of the example in the authors' code, which is
of Shapes3D: beta 0, gamma 300. Small images in one colour gain less from their
codes than the distance then costs, and all get nearly one code (it is said at the end
of a run); the authors' grids for dSprites begin at gamma 0.1. There, after 2,500 steps
of 32, gamma 300 had one latent in use (400 nats), gamma 1 all ten (103 nats).
"""

import itertools
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from disentangle.data.space import FactorSpace
from disentangle.errors import UserError
from disentangle.fields import settings, static, swept
from disentangle.methods import gaussian_vae
from disentangle.methods.base import Logs, Method, Recipe
from disentangle.methods.gaussian_vae import Terms


@settings
class Settings(gaussian_vae.Settings):
    """Of HFS; defaults are those of the example of the authors' code."""

    pairs: int = static(
        25,
        "pairs of latents that a step looks at, drawn anew each time; of 10 latents "
        "there are 45. 0, or more than there are, is all: the sum of the paper",
        source="Roth et al. 2023, code",
        least=0,
    )
    beta: float = swept(
        0.0,
        "weight of the KL; at 0 the criterion stands alone",
        source="Roth et al. 2023, code; their grid: 0, 1, 2, 4, 6, 8, 10, 16",
    )
    gamma: float = swept(
        300.0,
        "weight of the distance, per drawn pair",
        source="Roth et al. 2023, code; grids: 0.1 .. 10,000, at beta 0 80 .. 2,000",
    )

    def __post_init__(self) -> None:
        if self.latents < 2:
            raise UserError("hfs_vae needs at least 2 latents: it compares pairs")


def hausdorff(a: jax.Array, b: jax.Array) -> jax.Array:
    """max_ij min_k (a_i - a_k)^2 + (b_j - b_k)^2 for two latents of one batch.

    The squared Hausdorff distance between the points (a_k, b_k) and all their
    recombinations (a_i, b_j); the other half of that distance is 0, because each
    point is its own recombination. Squared as in the authors' code. The gradient
    is that of the one distance found, so nothing of size B^3 is kept for it.

    Args:
      a: (B,).
      b: (B,).

    Returns:
      Scalar, in squared units of the latents.
    """
    still = jax.lax.stop_gradient((a, b))
    rows, columns = (jnp.square(v[:, None] - v[None]) for v in still)
    nearest = (rows[:, :, None] + columns[:, None]).min(0)  # over k: (B, B) at [i, j]
    i, j = jnp.unravel_index(nearest.argmax(), nearest.shape)
    distances = jnp.square(a[i] - a) + jnp.square(b[j] - b)
    return distances.min()


def draw_pairs(latents: int, count: int, key: jax.Array) -> jax.Array:
    """`count` different pairs of latents, (count, 2) int32; 0 or too many: all."""
    every = np.asarray(list(itertools.combinations(range(latents), 2)), np.int32)
    if count == 0 or count >= len(every):
        return jnp.asarray(every)
    return jax.random.permutation(key, jnp.asarray(every))[:count]


def objective(
    terms: Terms, hyper: Settings, *, key: jax.Array, step: Any, pairs: int
) -> tuple[jax.Array, Logs]:
    """-E log p(x|z) + beta KL + gamma sum_pairs d_H(Z_a x Z_b, Z_ab).

    Z is the posterior means of the batch. At beta 0 nothing fixes their scale, and the
    distance can be had small by small means with smaller sigmas: watch the KL, which
    then grows without end. The scale losses of the paper's appendix C, made against
    that, are not built: their weight is 0 in the authors' code and grids.
    """
    del step
    kl = terms.kl.sum()
    chosen = draw_pairs(terms.mean.shape[1], pairs, key)
    codes = terms.mean.T[chosen]  # (P, 2, B)
    distance = jax.vmap(hausdorff)(codes[:, 0], codes[:, 1]).sum()
    loss = terms.reconstruction + hyper.beta * kl + hyper.gamma * distance
    return loss, {"elbo": -(terms.reconstruction + kl), "hausdorff": distance}


def build(
    settings: Settings, space: FactorSpace, shape: tuple[int, int, int]
) -> Method:
    """The HFS VAE of `settings` for images of `shape`."""
    del space
    loss = partial(objective, pairs=settings.pairs)
    return gaussian_vae.gaussian_vae(settings, shape, loss)


RECIPE = Recipe(
    build,
    Settings,
    "factorised support, HFS (Roth et al. 2023)",
    published="the authors' grids for dSprites are beta 0, 1, 2, 4, 6, 8, 10, 16 with "
    "gamma 0.1 to 10,000, and beta 0 with gamma 80 to 2,000; which they report, and "
    "their steps, are not known here",
)
