"""What the scores of generated images are given."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from disentangle.errors import UserError


@dataclass(frozen=True)
class Generated:
    """Images that a model drew, and real ones, as an oracle sees both.

    An oracle is a network that reads the factors off images, and was trained on real
    ones. Rows are in random order.

    Attributes:
      wanted: (N, F) int64, the factor values that each image was to have.
      given: (T,) the columns of those that the model was told; the others were free.
      log_probabilities: F arrays (N, K), log p(value | generated image).
      features: (N, E) float, the oracle's last hidden features of generated images.
      real_features: (M, E) float, of real images.
      real_factors: (M, F) int64, their factor values.
      pixels: (N, ...) float in [0, 1], the generated images.
      real_pixels: (M, ...) float in [0, 1], the real ones.
      accuracy: (F,) the share of real images that the oracle reads rightly.
      factor_names: F names.
      equal: equal(found (N, F), wanted (N, F)) -> (N, F) bool, which values are the
        same: up to a step of a position, and the symmetry of what is turned
        (editing/equality.py); None is value by value.
    """

    wanted: np.ndarray
    given: tuple[int, ...]
    log_probabilities: tuple[np.ndarray, ...]
    features: np.ndarray
    real_features: np.ndarray
    real_factors: np.ndarray
    pixels: np.ndarray
    real_pixels: np.ndarray
    accuracy: tuple[float, ...]
    factor_names: tuple[str, ...]
    equal: Callable[[np.ndarray, np.ndarray], np.ndarray] | None = None

    def readings(self) -> np.ndarray:
        """(N, F) int64, the most probable values."""
        return np.stack([p.argmax(axis=1) for p in self.log_probabilities], axis=1)

    def same(self, found: np.ndarray) -> np.ndarray:
        """(N, F) bool, whether values (N, F) are those that were wanted."""
        if self.equal is None:
            return np.asarray(found == self.wanted)
        return self.equal(found, self.wanted)

    def asked(self, metric: str) -> list[int]:
        """The columns that were given; UserError, for `metric`, where none was."""
        if not self.given:
            raise UserError(
                f"{metric} is of the factors that a model was given, and this one was "
                "given none"
            )
        return list(self.given)
