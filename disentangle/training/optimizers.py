"""Optimisers by name; the learning rate is traced, the rest is static."""

from collections.abc import Callable, Mapping

import optax

from disentangle.errors import unknown
from disentangle.training.state import Optimizer


def adam(settings: Mapping[str, float]) -> Optimizer:
    """Adam (Kingma & Ba 2015)."""
    b1, b2, eps = settings["b1"], settings["b2"], settings["eps"]
    return lambda learning_rate: optax.adam(learning_rate, b1=b1, b2=b2, eps=eps)


def sgd(settings: Mapping[str, float]) -> Optimizer:
    """Stochastic gradient descent with heavy-ball momentum."""
    momentum = settings["momentum"]
    return lambda learning_rate: optax.sgd(learning_rate, momentum=momentum)


OPTIMIZERS: dict[str, Callable[[Mapping[str, float]], Optimizer]] = {
    "adam": adam,
    "sgd": sgd,
}

# Locatello et al. 2019 for Adam; plain SGD for "sgd".
DEFAULTS: dict[str, dict[str, float]] = {
    "adam": {"learning_rate": 1e-4, "b1": 0.9, "b2": 0.999, "eps": 1e-8},
    "sgd": {"learning_rate": 1e-2, "momentum": 0.0},
}


def build(settings: Mapping) -> Optimizer:
    """The optimiser of a config's `optimizer` section."""
    name = settings["name"]
    if name not in OPTIMIZERS:
        raise unknown("optimizer", name, OPTIMIZERS)
    return OPTIMIZERS[name](settings)
