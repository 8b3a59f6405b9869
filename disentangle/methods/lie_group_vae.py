r"""Commutative Lie Group VAE: latents are coordinates of a matrix group.

$$
g(t) = \exp\Big(\sum_i t_i A_i\Big), \qquad
\mathcal{L} = -\mathbb{E}_{q(t|x)} \log p(x|g(t))
+ \beta \, \mathrm{KL}(q(t|x) \,\|\, p(t))
+ \lambda_r \mathbb{E} \| h(x) - g(t) \|_F^2
$$

$$
\quad + \frac{1}{D^2} \sum_{i \ne j} \Big( \lambda_h \| A_i A_j \|_F^2
+ \lambda_c \| A_i A_j - A_j A_i \|_F^2 \Big)
$$

"Commutative Lie group VAE for disentanglement learning" (Zhu, Xu & Tao, ICML 2021). An
image is first a group element h(x), a matrix m x m, then its coordinates t in the
basis A_i of a learned Lie algebra; the decoder is given the matrix g(t). Where the A_i
commute, g(t) is the product of the exp(t_i A_i), so that a latent does the same
wherever the others are; where A_i A_j = 0, the Hessian of g has no mixed terms (their
propositions 1 and 2), which is stronger.

The weights are those of the authors' code for dSprites: 0.1, 40 and 0, bases that start
at 0.001 N(0, 1), m = 10 (of Shapes3D lambda_h = 20, m = 20). As there the image is
decoded from h(x) itself in a share of the steps. Where we differ: their term of
lambda_c takes (A_i A_j)^T for A_j A_i, which is so of symmetric matrices alone, and has
the weight 0; q(t|x) reads h(x) through one hidden layer, whose width is ours; their
subgroups (blocks of g with latents of their own), of which they train one, are left
out.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from disentangle.data.samplers import Batch
from disentangle.data.space import FactorSpace
from disentangle.fields import settings, static, swept
from disentangle.methods import gaussian_vae
from disentangle.methods.base import Logs, Method, Params, Player, Recipe
from disentangle.methods.gaussian_vae import (
    Model,
    Terms,
    kl_to_prior,
    method_of,
    sample_posterior,
    shown,
    single,
)
from disentangle.methods.likelihood import LIKELIHOODS
from disentangle.nn import Net, decoder, encoder, relu_layers

PAPER = "Zhu et al. 2021, code"
HIDDEN = 256  # of q(t|h(x))
TERMS, SQUARINGS = 8, 6  # of the exponential


@settings
class Settings(gaussian_vae.Settings):
    """Of the commutative Lie group VAE."""

    size: int = static(
        10, "m, rows and columns of a group element", source=PAPER, least=2, most=100
    )
    start: float = static(
        0.001, "deviation of the bases at the start", source=PAPER, least=0.0, most=10.0
    )
    beta: float = swept(1.0, "weight of the KL", source=PAPER)
    group: float = swept(0.1, "lambda_r, of h(x) from g(t)", source=PAPER)
    hessian: float = swept(40.0, "lambda_h", source=PAPER)
    commutator: float = swept(0.0, "lambda_c", source=PAPER)
    direct: float = swept(
        0.2, "share of the steps that decode h(x)", source=PAPER, least=0.0, most=1.0
    )


def algebra(latents: int, size: int, start: float) -> Net:
    """The Net t (B, D) -> g(t) (B, m, m); its parameters are the bases A (D, m, m)."""

    def init(key: jax.Array) -> Params:
        return {"bases": start * jax.random.normal(key, (latents, size, size))}

    def apply(params: Params, t: jax.Array) -> jax.Array:
        count = params["bases"].shape[0]
        flat = t @ params["bases"].reshape(count, size * size)
        return exponential(flat.reshape(-1, size, size))

    return Net(init, apply)


def exponential(matrices: jax.Array) -> jax.Array:
    """exp(M) of (B, m, m), by its series at M / 64 and six squarings.

    SciPy's way solves a linear system, for which export has no rule and a batch on a
    GPU no fast program. E = exp(M / 64) - I is what is squared, as 2 E + E^2, so that
    nothing of a small M is rounded away; eight terms are exact in float32 for norms
    up to 32.
    """
    small = matrices / 2.0**SQUARINGS
    e = small / TERMS
    for n in range(TERMS - 1, 0, -1):
        e = (small + small @ e) / n
    for _ in range(SQUARINGS):
        e = 2.0 * e + e @ e
    return e + jnp.eye(matrices.shape[-1], dtype=matrices.dtype)[None]


def pair_penalties(bases: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Sums over i != j of |A_i A_j|_F^2 and |A_i A_j - A_j A_i|_F^2, by D^2.

    Args:
      bases: (D, m, m); both are 0 for D = 1.
    """
    count = bases.shape[0]
    products = jnp.einsum("iab,jbc->ijac", bases, bases)
    apart = (1.0 - jnp.eye(count, dtype=bases.dtype)) / count**2
    mean = lambda x: (apart * jnp.square(x).sum((2, 3))).sum()
    return mean(products), mean(products - products.transpose(1, 0, 2, 3))


class Ways(NamedTuple):
    """The networks, and the ways through them that go by group elements."""

    nets: dict[str, Net]
    # read(params, images) -> h(x) (B, m^2), mean and log-variance of t (B, D)
    read: Callable[[Params, jax.Array], tuple[jax.Array, jax.Array, jax.Array]]
    element: Callable[[Params, jax.Array], jax.Array]  # t (B, D) -> g(t) (B, m^2)
    logits: Callable[[Params, jax.Array], jax.Array]  # g (B, m^2) -> (B, H, W, C)


def ways(settings: Settings, shape: tuple[int, int, int]) -> Ways:
    """The networks of `settings` for images of `shape`."""
    d, numbers = settings.latents, settings.size**2
    nets = {
        "encoder": encoder(settings.encoder, shape, numbers),
        "coordinates": relu_layers(numbers, (HIDDEN,), 2 * d),
        "algebra": algebra(d, settings.size, settings.start),
        "decoder": decoder(settings.decoder, shape, numbers),
    }

    def read(
        params: Params, images: jax.Array
    ) -> tuple[jax.Array, jax.Array, jax.Array]:
        element = nets["encoder"].apply(params["encoder"], images)
        out = nets["coordinates"].apply(params["coordinates"], element)
        mean, logvar = jnp.split(out, 2, axis=1)
        return element, mean, logvar

    def element(params: Params, t: jax.Array) -> jax.Array:
        return nets["algebra"].apply(params["algebra"], t).reshape(-1, numbers)

    logits = lambda params, g: nets["decoder"].apply(params["decoder"], g)
    return Ways(nets, read, element, logits)


def model(path: Ways, likelihood: Any, latents: int) -> Model:
    """The VAE whose code is t."""

    def posterior(params: Params, images: jax.Array) -> tuple[jax.Array, jax.Array]:
        _, mean, logvar = path.read(params, images)
        return mean, logvar

    logits = lambda params, t: path.logits(params, path.element(params, t))
    return Model(
        nets=path.nets,
        posterior=posterior,
        reconstruction=lambda params, t, x: likelihood(logits(params, t), x),
        represent=lambda params, images: posterior(params, images)[0],
        decode=lambda params, t: jax.nn.sigmoid(logits(params, t)),
        log_likelihood=lambda params, t, x: single(likelihood, logits(params, t), x),
        latents=latents,
    )


def build(
    settings: Settings, space: FactorSpace, shape: tuple[int, int, int]
) -> Method:
    """The Lie group VAE of `settings`; codes are the means of t."""
    del space
    path, likelihood = ways(settings, shape), LIKELIHOODS[settings.likelihood]

    def loss(
        params: Params, hyper: Any, batch: Batch, *, key: jax.Array, step: Any
    ) -> tuple[jax.Array, Logs]:
        del step
        element, mean, logvar = path.read(params, batch["images"])
        t = sample_posterior(mean, logvar, key=key)
        reached = path.element(params, t)
        direct = jax.random.uniform(jax.random.fold_in(key, 1)) < hyper.direct
        logits = path.logits(params, jnp.where(direct, element, reached))
        reconstruction = likelihood(logits, batch["images"])
        kl = kl_to_prior(mean, logvar)
        group = jnp.square(element - reached).sum(1).mean()
        hessian, commutator = pair_penalties(params["algebra"]["bases"])
        value = reconstruction + hyper.beta * kl.sum() + hyper.group * group
        value += hyper.hessian * hessian + hyper.commutator * commutator
        logs = {"group": group, "hessian": hessian, "commutator": commutator}
        return value, shown(Terms(reconstruction, kl, mean, logvar, t)) | logs

    vae = model(path, likelihood, settings.latents)
    return method_of(vae, {"vae": Player(tuple(path.nets), loss)})


RECIPE = Recipe(
    build,
    Settings,
    "Commutative Lie Group VAE (Zhu et al. 2021)",
    protocol={"batch_size": 256, "steps": 201_600},  # 70 epochs of 737,280 images
    published="the code of Zhu et al. 2021 for dSprites",
)
