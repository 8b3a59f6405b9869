"""ControlVAE and the methods beside it that came after Locatello et al. 2019."""

import numpy as np

from equations.objectives import parts
from equations.reference import Case, Inputs, kl64


def control(inputs: Inputs) -> dict[str, float]:
    """beta(1) of Shao et al. 2020, Alg. 1, from I(0) = 0 and beta(0) = 0."""
    reconstruction, mean, logvar, _ = parts(inputs)
    h, kl = inputs.hyper, kl64(mean, logvar).sum(1).mean()
    wanted = h.kl_start + min(1, inputs.step / h.ramp) * (h.kl - h.kl_start)
    error = wanted - kl
    integral = -h.integral * error if error < 0 else 0.0  # beta(0) is below the least
    beta = h.proportional / (1 + np.exp(error)) + integral + h.beta_min
    beta = min(max(beta, h.beta_min), h.beta_max)
    return {"vae": reconstruction + beta * kl}


CASES = {
    "control_vae": [
        Case({"kl": 5.0}, control, step=50_000),
        Case({"kl": 0.01, "kl_start": 0.0, "proportional": 9.0}, control, 10**6),
        Case({"kl_start": 0.01, "integral": 700.0, "beta_max": 3.0}, control),
    ],
}
