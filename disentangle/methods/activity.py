"""Which latents tell images apart: the active units of Burda et al. 2016, for codes.

A latent whose code is the same for all images carries nothing, whatever its KL: a
posterior that moves for all images alike buys nats that tell none of them apart. A
method can lower its loss so, with one code for all images; `is_active` sees it.
"""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

ACTIVE = 0.01  # Var_x(E[z|x]) of an active unit is above it (Burda et al. 2016)


def is_active(variance: Any, noise: Any = None) -> Any:
    """Whether codes carry their images, latent by latent.

    Args:
      variance: (..., D) of the codes over images: Var_x(E[z_d | x]).
      noise: (..., D) mean variance of the posteriors, E_x[Var(z_d | x)]; None for codes
        that are points.

    Returns:
      (..., D) bool: the variance is above ACTIVE; with `noise`, its share of the whole,
      variance / (variance + noise), which is the same where q(z) is as wide as the
      prior and does not depend on the unit of the latent. 1/2 log(1 + variance /
      noise) nats is what a Gaussian of that variance could carry: 0.005 at ACTIVE.
    """
    if noise is None:
        return variance > ACTIVE
    return variance > ACTIVE * (variance + noise)


def measured(method: Any, codes: Any) -> Any:
    """Codes (..., B, D) in the unit in which `is_active` judges them.

    As they are; features of a critic, which have no unit, in their root mean square.
    """
    if not method.has_features:
        return codes
    square = (codes * codes).mean((-2, -1), keepdims=True)
    return codes / (square + 1e-12) ** 0.5


def moments(method: Any, params: Any, images: jax.Array) -> dict[str, jax.Array]:
    """Means over images (B, H, W, C) of the codes, their squares, and the noise, (D,).

    "noise" is absent where the method's codes are no Gaussians. Moments of equal
    batches are averaged before `code_logs` reads them.
    """
    if method.posterior is None:
        codes, extra = measured(method, method.represent(params, images)), {}
    else:
        codes, logvar = method.posterior(params, images)
        extra = {"noise": jnp.exp(logvar).mean(0)}
    return {"mean": codes.mean(0), "square": jnp.square(codes).mean(0)} | extra


def code_logs(found: dict[str, Any]) -> dict[str, Any]:
    """What the log of a test has of `moments`: `code_std` and `active`, (D,) each."""
    variance = jnp.maximum(found["square"] - jnp.square(found["mean"]), 0.0)
    active = is_active(variance, found.get("noise"))
    return {"code_std": jnp.sqrt(variance), "active": active.astype(jnp.float32)}


def collapsed(logs: Mapping[str, Any]) -> dict[int, str]:
    """The members none of whose latents is active, and why, in words.

    Args:
      logs: of a test, with a leading axis P: `code_std`, `active`, and perhaps `kl`.
    """
    found = {}
    for member in np.flatnonzero(~(np.asarray(logs["active"]) > 0).any(1)):
        most = float(np.max(logs["code_std"][member]))
        words = (
            f"no latent tells images apart, the codes' largest deviation is {most:.2g}"
        )
        if "kl" in logs:
            words += f" at a KL of {float(logs['kl'][member]):.2g} nats"
        found[int(member)] = words
    return found
