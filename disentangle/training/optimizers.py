"""Optimisers by name; the learning rate can be swept, the rest is static."""

from typing import Any

import jax
import optax

from disentangle.fields import settings, static, swept
from disentangle.methods.base import LOCATELLO


@settings
class Adam:
    """Adam (Kingma & Ba 2015)."""

    b1: float = static(
        0.9, "decay of the first moment", source=LOCATELLO, least=0.0, below=1.0
    )
    b2: float = static(
        0.999, "decay of the second moment", source=LOCATELLO, least=0.0, below=1.0
    )
    eps: float = static(
        1e-8, "added to the root of the second moment", source=LOCATELLO, above=0.0
    )
    learning_rate: float = swept(
        1e-4, "of every player without an optimiser of its own", source=LOCATELLO
    )

    def build(self, learning_rate: jax.Array) -> optax.GradientTransformation:
        """The transformation at this learning rate."""
        return optax.adam(learning_rate, b1=self.b1, b2=self.b2, eps=self.eps)


@settings
class Sgd:
    """Stochastic gradient descent with heavy-ball momentum."""

    momentum: float = static(0.0, "share of the last update", least=0.0, below=1.0)
    learning_rate: float = swept(
        1e-2, "of every player without an optimiser of its own"
    )

    def build(self, learning_rate: jax.Array) -> optax.GradientTransformation:
        """The transformation at this learning rate."""
        return optax.sgd(learning_rate, momentum=self.momentum)


OPTIMIZERS: dict[str, Any] = {"adam": Adam, "sgd": Sgd}
