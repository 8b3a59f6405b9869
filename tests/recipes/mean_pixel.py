"""A method of two numbers, for what is about populations: nothing takes long."""

import jax

from disentangle.fields import settings, swept
from disentangle.methods.base import Method, Player, Recipe
from disentangle.nn.net import Net


@settings
class Settings:
    """Of the method."""

    beta: float = swept(4.0, "strength of the pull")


def build(settings: Settings, space, shape) -> Method:
    """w follows the mean pixel of the batches, by the square of the distance."""
    del settings, space, shape
    net = Net(
        lambda key: {"w": jax.random.normal(key, (2,))}, lambda params, x: params["w"]
    )

    def loss(params, hyper, batch, *, key, step):
        del step
        distance = params["mean"]["w"] - batch["images"].mean()
        noise = jax.random.normal(key, (2,))
        return hyper.beta * ((distance + 0.1 * noise) ** 2).sum(), {}

    def represent(params, images):
        return images.mean((1, 2, 3))[:, None] - params["mean"]["w"][None]

    return Method({"mean": net}, {"mean": Player(("mean",), loss)}, represent)


RECIPE = Recipe(build, Settings, "follows the mean pixel")
