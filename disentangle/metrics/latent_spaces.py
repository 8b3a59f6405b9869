"""What the scores of a generator's latents are given."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Steps:
    """Pictures at both ends of small steps in one space of latents.

    Attributes:
      before, after: (M, E) features of the pictures at t and at t + epsilon.
    """

    before: np.ndarray
    after: np.ndarray


@dataclass(frozen=True)
class LatentSpaces:
    """The latents of a generator's pictures, and what an oracle sees there.

    An oracle is a network that reads the factors off images. Spaces are "z", of the
    latents as they are drawn, and "w", as the layers are told them.

    Attributes:
      codes: space -> (N, D) float, of N pictures.
      log_probabilities: F arrays (N, K), log p(value | picture).
      full: space -> steps from anywhere between two latents.
      end: space -> steps from one of two latents.
      epsilon: the length of a step, as a share of the way between two latents.
      factor_names: F names.
    """

    codes: dict[str, np.ndarray]
    log_probabilities: tuple[np.ndarray, ...]
    full: dict[str, Steps]
    end: dict[str, Steps]
    epsilon: float
    factor_names: tuple[str, ...]
