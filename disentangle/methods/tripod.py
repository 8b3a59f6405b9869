r"""Tripod: quantised, independent, non-interfering latents (Hsu et al. 2024).

With the mean over the pixels that the paper takes, and P of them,

$$
\mathcal{L} / P = \mathrm{BCE}(x, g(q)) + \lambda_m I(q) + \lambda_h \mathrm{NHP}(g, q),
$$

q = tanh(f(x)) rounded to V levels, the gradient straight through (FSQ, Mentzer et al.
2024); I the multi-information of the latents by kernel density estimates over the
batch; NHP the normalised Hessian penalty of the decoder.

Defaults are those of the authors' Shapes3D runs (`configs` of their repository): V =
12, D twice the number of factors, lambda_m 1e-4, two probes of length 0.1, a learning
rate of 2e-4 without weight decay; 250,000 `steps`. Only lambda_h is 1e-3, theirs 1e-2
(for other data sets between 1e-10 and 1e-2): on dSprites, which they do not have, and
with our networks 1e-2 leaves one latent in use after 2,000 steps of 64 images, 1e-3
eight (`benchmarks.tripod_strengths`; its arguments stand in benchmarks/README.md).

NHP is the sum over the hidden layers of the decoder, the image left out, as theirs.
A hidden layer must bend: of a piecewise-linear one (ReLU) the second differences are
kinks, whose gradient grows as 1 / std(z) and drowns all else where codes lie close,
so such decoders are refused. Theirs is a residual network with 512 to 64 channels; the
default here, `normalised` for encoder and decoder, does the same in four small layers
(nn/normalised.py), three feature maps and the vector in front of them.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import optax

from disentangle.data.samplers import Batch
from disentangle.data.space import FactorSpace
from disentangle.errors import UserError
from disentangle.fields import settings, static, swept
from disentangle.fields.define import WIDEST
from disentangle.methods import quantised
from disentangle.methods.base import Logs, Method, Params, Player, Recipe
from disentangle.methods.quantised import (
    adamw,
    are_any,
    method_of,
    model,
    straight_through,
)


@settings
class Settings(quantised.Settings):
    """Of Tripod.

    The optimiser is the method's own: `optimizer.learning_rate` moves nothing here.
    """

    values: int = static(
        12,
        "V, distinct values of each latent",
        source="Hsu et al. 2024",
        least=2,
        most=WIDEST,
    )
    probes: int = static(
        2,
        "K of the Hessian penalty, each of two kinds; a variance over one would be 0",
        source="Hsu et al. 2024",
        least=2,
        most=100,
    )
    multi_information: float = swept(1e-4, "lambda_m", source="Hsu et al. 2024")
    hessian: float = swept(
        1e-3, "lambda_h; the authors' 1e-2 collapses on dSprites with our networks"
    )
    epsilon: float = swept(
        0.1,
        "length of a probe, in standard deviations of a latent",
        source="Hsu et al. 2024",
        above=0.0,
    )
    marginal_bandwidth: float = swept(
        1.0,
        "of the marginals' kernels, in standard deviations; Silverman's rule for one "
        "dimension (0.46 for 64 images) stands beside it in their code",
        source="Hsu et al. 2024, code",
        above=0.0,
    )
    weight_decay: float = swept(0.0, "of the kernels", source="Hsu et al. 2024")
    adamw_learning_rate: float = swept(
        2e-4, "of the method's AdamW", source="Hsu et al. 2024", above=0.0
    )


Layers = Callable[[jax.Array], tuple[jax.Array, ...]]


def levels(z: jax.Array, values: int) -> jax.Array:
    """z in [-1, 1] at the nearest of `values` equally spaced levels, ends included."""
    return 2.0 * jnp.round((z + 1.0) / 2.0 * (values - 1)) / (values - 1) - 1.0


def spread(z: jax.Array) -> jax.Array:
    """Standard deviation of each latent, at least 1e-6: (B, D) -> (D,).

    The authors' code adds 1e-6 to the standard deviation, whose gradient is NaN
    where tanh is saturated for the whole batch; here a variance of 1e-12 is added.
    """
    return jnp.sqrt(z.var(0) + 1e-12)


def silverman(count: int, dimensions: int) -> float:
    """Bandwidth of a Gaussian kernel in standard deviations (Silverman 1986, 4.15)."""
    return (4 / ((dimensions + 2) * count)) ** (1 / (dimensions + 4))


def log_kernels(z: jax.Array, bandwidth: jax.Array) -> jax.Array:
    """log N(z_ik; z_jk, bandwidth_k^2): (B, D), (D,) -> (B, B, D)."""
    distance = (z[:, None] - z[None]) / bandwidth[None, None]
    constant = jnp.log(bandwidth) + 0.5 * jnp.log(2 * jnp.pi)
    return -0.5 * jnp.square(distance) - constant[None, None]


def multi_information(z: jax.Array, joint: jax.Array, marginal: jax.Array) -> jax.Array:
    """mean_i [log q(z_i) - sum_k log q_k(z_ik)], q and q_k kernel density estimates.

    Args:
      z: (B, D), the points; each is also one of the kernels' centres.
      joint: (D,) bandwidths of the product kernels of q.
      marginal: (D,) bandwidths of q_k.

    Returns:
      Scalar, nats. With equal bandwidths q_k are the marginals of q, and it tends
      with B to 0 for independent latents.
    """
    log_count = jnp.log(z.shape[0])
    sums = lambda logs: jax.scipy.special.logsumexp(logs, axis=1) - log_count
    log_q = sums(log_kernels(z, joint).sum(-1))
    return (log_q - sums(log_kernels(z, marginal)).sum(-1)).mean()


def curvature_spread(
    f: Layers, z: jax.Array, v: jax.Array, epsilon: Any
) -> list[jax.Array]:
    """Variance over probes of v^T H v / epsilon^2, H the Hessian of each output of f.

    v^T H v is the second difference f(z + v) - 2 f(z) + f(z - v) (Peebles et al. 2020).

    Args:
      f: (N, D) -> layers, (N, ...) each, row by row.
      z: (B, D).
      v: (K, B, D), the probes.
      epsilon: their scale.

    Returns:
      (B,) for each layer, mean over its outputs.
    """
    count, batch = v.shape[:2]
    rows = jnp.concatenate([z[None] + v, z[None] - v]).reshape(-1, z.shape[1])
    found = []
    for near, here in zip(f(rows), f(z), strict=True):
        around = near.reshape(2, count, batch, -1)
        second = around[0] - 2.0 * here.reshape(1, batch, -1) + around[1]
        found.append((second / jnp.square(epsilon)).var(0).mean(-1))
    return found


def normalised_hessian_penalty(
    f: Layers,
    z: jax.Array,
    scale: jax.Array,
    epsilon: Any,
    probes: int,
    *,
    key: jax.Array,
) -> jax.Array:
    """How much of the decoder's curvature couples two latents.

    With v = epsilon * scale * r, the variance of v^T H v is 2 sum_{i != j} H_ij^2 for
    r = +-1 (Rademacher) and 2 sum_ij H_ij^2 for Gaussian r (H in units of `scale`).

    Args:
      f: (N, D) -> the hidden layers, (N, ...) each, row by row.
      z: (B, D).
      scale: (D,), standard deviations of the latents.
      epsilon: length of a probe in units of `scale`.
      probes: of each kind.
      key: of the probes.

    Returns:
      Scalar, the sum over the layers of the mean over images of the ratio of the two,
      each a mean over the layer's outputs; of the expectations a ratio lies in [0, 1],
      of `probes` samples it may not. 0 for sums of functions of one latent each, and
      (by a 1e-10 added below) for a linear f.
    """
    signs, normals = jax.random.split(key)
    shape = (probes, *z.shape)
    step = (epsilon * scale)[None, None]
    mixed = step * jax.random.rademacher(signs, shape, z.dtype)
    whole = step * jax.random.normal(normals, shape, z.dtype)
    off_diagonal = curvature_spread(f, z, mixed, epsilon)
    total = curvature_spread(f, z, whole, epsilon)
    ratios = [a / (b + 1e-10) for a, b in zip(off_diagonal, total, strict=True)]
    return jnp.stack([ratio.mean() for ratio in ratios]).sum()


def build(
    settings: Settings, space: FactorSpace, shape: tuple[int, int, int]
) -> Method:
    """The Tripod autoencoder of `settings`; codes (B, D) are levels in [-1, 1]."""
    ae = model(settings, space, shape)
    layers = ae.nets["decoder"].layers
    if layers is None:
        raise UserError(
            f"method.decoder={settings.decoder!r} is piecewise linear, of which "
            "Tripod's Hessian penalty sees the kinks alone: take a smooth decoder, "
            "'normalised' or 'chen'"
        )

    def loss(
        params: Params,
        hyper: Settings,
        batch: Batch,
        *,
        key: jax.Array,
        step: Any,
    ) -> tuple[jax.Array, Logs]:
        """Reconstruction and the two penalties, on quantised codes."""
        del step
        z = jnp.tanh(ae.encode(params, batch["images"]))
        q = straight_through(z, levels(z, settings.values))
        scale = spread(z)
        joint = scale * silverman(*z.shape)
        information = multi_information(q, joint, scale * hyper.marginal_bandwidth)
        hidden = lambda z: layers(params["decoder"], z)[:-1]
        hessian = normalised_hessian_penalty(
            hidden, q, scale, hyper.epsilon, settings.probes, key=key
        )
        reconstruction = ae.likelihood(ae.logits(params, q), batch["images"])
        penalty = hyper.multi_information * information + hyper.hessian * hessian
        return reconstruction + ae.numbers * penalty, {
            "reconstruction": reconstruction,
            "multi_information": information,
            "hessian": hessian,
        }

    def optimizer(hyper: Settings) -> optax.GradientTransformation:
        return adamw(hyper.adamw_learning_rate, hyper.weight_decay, ae.numbers, are_any)

    return method_of(
        ae,
        Player(
            ("encoder", "decoder"),
            loss,
            optimizer=optimizer,
            rate="adamw_learning_rate",
        ),
        represent=lambda params, images: levels(
            jnp.tanh(ae.encode(params, images)), settings.values
        ),
    )


RECIPE = Recipe(
    build,
    Settings,
    "Tripod, latent quantisation (Hsu et al. 2024)",
    protocol={"steps": 250_000},
    published="the authors' Shapes3D runs; they have none of dSprites, and their "
    "networks, residual with 512 to 64 channels, are not built here",
)
