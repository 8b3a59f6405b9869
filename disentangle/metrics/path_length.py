r"""Perceptual path length: how much a picture changes along a way between two latents.

Karras et al. 2019, section 4.1. Features are an oracle's last hidden ones, each
picture's scaled to length 1, where the paper has those of VGG (LPIPS), and pictures are
whole, where the paper crops faces: the numbers cannot be compared with theirs, nor with
those of another oracle. As in the authors' code, steps below the first and above the
99th percentile are left out.
"""

import numpy as np

from disentangle.errors import UserError
from disentangle.metrics.base import LatentSpaces, Result, Settings
from disentangle.metrics.latent_spaces import Steps
from disentangle.metrics.metric import Metric, Part
from disentangle.metrics.protocols import NOT_THERE, Protocols

LEAST = 10  # steps
OUTSIDE = (1.0, 99.0)  # percentiles that are left out


def length(steps: Steps, epsilon: float) -> float:
    """The mean of |f' - f|^2 / epsilon^2 without the outer percentiles."""
    gaps = np.asarray(steps.after, np.float64) - np.asarray(steps.before, np.float64)
    lengths = np.square(gaps).sum(axis=1) / epsilon**2
    low = np.percentile(lengths, OUTSIDE[0], method="lower")
    high = np.percentile(lengths, OUTSIDE[1], method="higher")
    return float(lengths[(lengths >= low) & (lengths <= high)].mean())


def path_length(given: LatentSpaces, settings: Settings) -> Result:
    r"""Perceptual path length in z and in w.

    $$
    l_w = \mathbb{E} \frac{1}{\epsilon^2} d\big(g(\mathrm{lerp}(w_1, w_2; t)),
    g(\mathrm{lerp}(w_1, w_2; t + \epsilon))\big)
    $$

    with d the squared distance of features; l_z likewise of f and g, on the great
    circle between two latents. "full" has t ~ U(0, 1), "end" t in {0, 1}.

    Args:
      given: reads `full`, `end` and `epsilon`.
      settings: not read.

    Returns:
      `z_full`, `w_full`, `z_end`, `w_end`, each from 0.

    Raises:
      UserError: fewer than 10 steps.
    """
    del settings
    count = min(len(one.before) for one in (*given.full.values(), *given.end.values()))
    if count < LEAST:
        raise UserError(f"path_length needs at least {LEAST} steps, not {count}")
    found = {
        f"{space}_{name}": length(steps, given.epsilon)
        for name, ways in (("full", given.full), ("end", given.end))
        for space, steps in ways.items()
    }
    return Result(
        values=found,
        metadata={
            "definition": "mean squared change of features per squared step",
            "estimator": "an oracle's last hidden features, at length 1",
            "epsilon": given.epsilon,
            "steps": count,
        },
    )


METRIC = Metric(
    path_length,
    {
        f"{space}_{end}": Part(
            f"path in {space}" + ", ends" * (end == "end"),
            f"Perceptual path length in {space}, from 0, {where}.",
            "lower",
        )
        for end, where in (
            ("full", "anywhere between two latents"),
            ("end", "at a latent"),
        )
        for space in ("z", "w")
    },
    needs="latents",
    uses_factors=False,
    protocols=Protocols(("paper",), NOT_THERE),
)
