"""A method of a few numbers, whose gradients are known: two players on two slopes."""

import jax.numpy as jnp
import optax

from disentangle.fields import settings, static, swept
from disentangle.methods.base import Method, Player, Recipe
from disentangle.nn import Net

OWN_RATE = 0.25
TOWARDS = {"a": (3.0, 4.0), "b": (6.0, 8.0)}  # the gradients, of norms 5 and 10


@settings
class Slopes:
    """Of the toy."""

    slope: float = swept(1.0, "that gradients are multiplied by")
    layers: int = static(0, "further numbers of the net a, which stay", least=0)
    nets: str = static("ab", "names of the two nets")


def build(settings, space, shape):
    """Two players whose gradients are constant; the second has its own optimiser and
    moves on every second step."""
    del space, shape
    a, b = settings.nets
    layers = {
        f"layer_{i}": jnp.full(i, float(i)) for i in range(1, settings.layers + 1)
    }
    nets = {
        a: Net(lambda key: {"w": jnp.zeros(2)} | layers, lambda params, x: x),
        b: Net(lambda key: {"w": jnp.zeros(2)}, lambda params, x: x),
    }

    def loss(name, towards):
        def value(params, hyper, batch, *, key, step):
            del key, step
            down = params[name]["w"] * jnp.array(TOWARDS[towards])
            return hyper.slope * down.sum(), {f"{towards}/seen": batch["images"].mean()}

        return value

    def represent(params, images):
        return images.reshape(images.shape[0], -1)[:, :2] + params[a]["w"][None]

    own = lambda hyper: optax.sgd(OWN_RATE)
    players = {
        "first": Player((a,), loss(a, "a")),
        "second": Player((b,), loss(b, "b"), every=2, optimizer=own),
    }
    return Method(nets, players, represent)


RECIPE = Recipe(build, Slopes, "two slopes")
