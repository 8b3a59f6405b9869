r"""Attribute StackGAN: a small image first, then one of twice its size.

$$
\mathcal{L}_D = \tfrac12 [-\mathbb{E}_{x,c} \log \sigma(D(x, c))
- \tfrac12 (\mathbb{E}_{z,c} \log(1 - \sigma(D(G(z, c), c)))
+ \mathbb{E}_{x,c'} \log(1 - \sigma(D(x, c'))))]
+ \frac{\gamma}{2} \mathbb{E} |\nabla_x D|^2, \qquad
\mathcal{L}_G = -\mathbb{E}_{z,c} \log \sigma(D(G(z, c), c))
$$

After Zhang et al. 2017 and notebooks of a fashion project, which give attributes in
place of text. Stage I draws images of half the data set's size of noise and c; stage II
draws whole ones of those and c. Both critics have c beside their features, are shown
real images with another's condition c' (that of the next image of the batch), and real
images have the target `smooth`. Stage I is frozen in stage II, whose job is

```python
dt.train("stack_gan", data, stages=[{"method.stage": 1}, {"method.stage": 2}])
```

so that stage II starts with the averages of stage I.

Where we differ: R1 (Mescheder et al. 2018; 0 is theirs); stage II is told c, as in
Zhang et al. 2017 and unlike in the notebooks; the small image is added to its output
before the tanh; no conditioning augmentation, as in the notebooks.
"""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

from disentangle.data.samplers import Batch
from disentangle.data.space import FactorSpace
from disentangle.errors import UserError
from disentangle.fields import settings, static
from disentangle.fields.define import WIDEST
from disentangle.methods import conditional_gan, gan_model
from disentangle.methods.base import Method, Output, Params, Recipe
from disentangle.methods.conditional_gan import Shape
from disentangle.methods.conditions import ENCODINGS, condition
from disentangle.methods.gan_losses import logistic_generator, stacked_critic
from disentangle.methods.gan_model import (
    Model,
    critic_loss,
    generator_loss,
    method_of,
    players,
    through,
)
from disentangle.nn import refiner
from disentangle.nn.generators import doubled, halved_mean

SECOND = {"critic": "critic_2", "score": "score_2"}  # names in stage II


@settings
class Settings(gan_model.Settings):
    """Of the StackGAN."""

    stage: int = static(1, "1: half the images' size; 2: theirs", choices=(1, 2))
    condition: tuple[str, ...] = static(
        (), "factors that are given; () is all", distinct=True
    )
    encoding: str = static("one_hot", "how c says a value", choices=ENCODINGS)
    hidden: int = static(
        512, "units of the critics' last hidden layer", least=1, most=WIDEST
    )
    smooth: float = static(0.9, "target of real images; 1 is none", above=0.5, most=1.0)


def first_stage(chosen: Settings, shape: Shape, given: Any) -> Model:
    """The conditional GAN of half the size, its critic told c beside its features."""
    return conditional_gan.model(
        chosen,
        shape,
        given,
        label_in="concatenate",
        join="concatenate",
        hidden=chosen.hidden,
    )


def second_stage(chosen: Settings, shape: Shape, given: Any, first: Model) -> Model:
    """The refiner on what the frozen first stage draws, and a critic of whole images.

    Args:
      chosen: as in stage I.
      shape: of the small images.
      given: what c is.
      first: stage I.
    """
    whole = (2 * shape[0], 2 * shape[1], shape[2])
    judged = first_stage(chosen, whole, given)
    nets = {"generator": first.nets["generator"]}
    nets["refiner"] = refiner(shape, given.width, chosen.width)
    nets |= {SECOND[name]: judged.nets[name] for name in judged.critics}

    def draw(
        params: Params, z: jax.Array, c: jax.Array, *, train: bool
    ) -> tuple[jax.Array, dict[str, Any]]:
        small, _ = first.draw(params, z, c, train=False)
        maps = jnp.broadcast_to(c[:, None, None], (*small.shape[:3], c.shape[1]))
        both = jnp.concatenate([small, maps], axis=3)
        return through(nets, params, "refiner", both, train=train)

    own = lambda params: {name: params[SECOND[name]] for name in judged.critics}

    def judge(
        params: Params, x: jax.Array, c: jax.Array, *, train: bool
    ) -> tuple[jax.Array, dict[str, Any]]:
        found, state = judged.judge(own(params), x, c, train=train)
        return found, {SECOND[name]: held for name, held in state.items()}

    features = lambda params, x: judged.features(own(params), x)
    return Model(
        nets,
        tuple(SECOND[name] for name in judged.critics),
        ("refiner",),
        first.latents,
        given,
        draw,
        judge,
        features,
    )


def build(settings: Settings, space: FactorSpace, shape: Shape) -> Method:
    """One stage of the StackGAN; codes are its critic's features.

    Images of stage I are shown with every pixel four times.

    Raises:
      UserError: images whose height or width is odd.
    """
    if shape[0] % 2 or shape[1] % 2:
        raise UserError(
            f"stack_gan halves images, which {shape[0]}x{shape[1]} pixels cannot be"
        )
    given = condition(settings.condition or space.names, space, settings.encoding)
    small = (shape[0] // 2, shape[1] // 2, shape[2])
    gan = first = first_stage(settings, small, given)
    if settings.stage == 2:
        gan = second_stage(settings, small, given, first)
    value_of = partial(stacked_critic, smooth=settings.smooth)
    critic = sized(critic_loss(gan, value_of, wrong=True), settings.stage)
    generates = sized(generator_loss(gan, logistic_generator), settings.stage)
    is_second = settings.stage == 2
    shown = gan if is_second else _doubled(gan)
    found = method_of(shown, players(gan, critic, generates), space)
    return found._replace(whole=first.generators if is_second else ())


def sized(loss: Any, stage: int) -> Any:
    """A loss on the images of a stage."""

    def of_stage(
        params: Params, hyper: Any, batch: Batch, *, key: jax.Array, step: Any
    ) -> Output:
        if stage == 1:
            batch = batch | {"images": halved_mean(batch["images"])}
        found: Output = loss(params, hyper, batch, key=key, step=step)
        return found

    return of_stage


def _doubled(gan: Model) -> Model:
    """Stage I for images of the data set's size."""

    def draw(
        params: Params, z: jax.Array, c: jax.Array, *, train: bool
    ) -> tuple[jax.Array, dict[str, Any]]:
        small, state = gan.draw(params, z, c, train=train)
        return doubled(small), state

    features = lambda params, x: gan.features(params, halved_mean(x))
    return gan._replace(draw=draw, features=features)


RECIPE = Recipe(
    build,
    Settings,
    "attribute StackGAN, two stages (after Zhang et al. 2017)",
    supervision="given",
)
