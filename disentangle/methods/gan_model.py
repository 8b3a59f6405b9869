"""What the GANs here share: the networks, the ways through them, both players.

A generator draws images in [-1, 1] of noise z ~ N(0, I) and a condition c; what leaves
the method is in [0, 1]. A critic D(x, c) is shown real images, generated ones and, with
`wrong`, real images with the condition of another image of the batch.

Settings are those that were seen to learn at 32x32 in a thousand steps of 32 images:
Adam(0.5, 0.99) at 5e-4 for both, R1 with gamma 5, averages of the generator with decay
0.99. With gamma 0.1 or twice the critic's rate the generator gave one picture for every
condition. The R1 penalty is taken of the first quarter of every batch, which costs as
little as one of a whole batch on every fourth step, and does not depend on the step.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from disentangle.data.samplers import Batch
from disentangle.data.space import FactorSpace
from disentangle.fields import settings, static, swept
from disentangle.fields.define import WIDEST
from disentangle.methods.base import Logs, Method, Output, Params, Player
from disentangle.methods.conditions import Condition, at_random
from disentangle.methods.gan_losses import GAN_LOSSES, Scores, r1
from disentangle.nn import CRITICS, GENERATORS

QUARTER = 4  # the penalty is of a batch's first 1 / QUARTER images


@settings
class Settings:
    """What every GAN can be told."""

    latents: int = static(64, "size of the noise z", least=1, most=WIDEST)
    generator: str = static("dcgan", "network of z and c", choices=GENERATORS)
    critic: str = static("dcgan", "network of images", choices=CRITICS)
    width: int = static(
        32, "channels of the maps next to the image", least=1, most=WIDEST
    )
    loss: str = static("logistic", "both players' losses", choices=GAN_LOSSES)
    gamma: float = swept(
        5.0, "weight of R1, the critic's squared gradient", source="Mescheder 2018"
    )
    decay: float = swept(0.99, "of the generator's average", least=0.0, most=0.9999)
    b1: float = swept(
        0.5, "of both Adams", source="Radford et al. 2016", least=0.0, most=0.999
    )
    b2: float = swept(0.99, "of both Adams", least=0.0, most=0.9999)
    critic_learning_rate: float = swept(5e-4, "of the critic's Adam", above=0.0)
    generator_learning_rate: float = swept(5e-4, "of the generator's Adam", above=0.0)


class Model(NamedTuple):
    """The networks, and the ways through them.

    Attributes:
      nets: by name.
      critics: names of those that the critic moves.
      generators: names of those that the generator moves.
      latents: size of z.
      given: what c is; None for a model without a condition.
      draw: draw(params, z (B, latents), c, *, train) -> (images (B, H, W, C) in
        [-1, 1], states); c is None where there is no condition.
      judge: judge(params, images, c, *, train) -> (scores (B,), states).
      features: features(params, images) -> (B, n), the critic's own of real images.
    """

    nets: dict[str, Any]
    critics: tuple[str, ...]
    generators: tuple[str, ...]
    latents: int
    given: Condition | None
    draw: Callable[..., tuple[jax.Array, dict[str, Any]]]
    judge: Callable[..., tuple[jax.Array, dict[str, Any]]]
    features: Callable[[Params, jax.Array], jax.Array]


def through(
    nets: dict[str, Any], params: Params, name: str, x: Any, *, train: bool
) -> tuple[Any, dict[str, Any]]:
    """(output, {name: new state}) of one network; no state where it is not trained."""
    if not train:
        return nets[name].apply(params[name], x), {}
    y, state = nets[name].train(params[name], x)
    return y, {name: state}


def signed(images: jax.Array) -> jax.Array:
    """[0, 1] to [-1, 1]."""
    return 2.0 * images - 1.0


def unsigned(images: jax.Array) -> jax.Array:
    """[-1, 1] to [0, 1]."""
    return 0.5 * (images + 1.0)


def conditions(gan: Model, batch: Batch) -> jax.Array | None:
    """c (B, C) of a batch; None of a model without a condition."""
    if gan.given is None:
        return None
    return gan.given.encode(batch["factors"], batch.get("known"))


def noise(gan: Model, batch: Batch, *, key: jax.Array) -> jax.Array:
    """z (B, latents) ~ N(0, I), as many as the batch has images."""
    return jax.random.normal(key, (batch["images"].shape[0], gan.latents))


def mismatched(c: jax.Array) -> tuple[jax.Array, jax.Array]:
    """(each row's condition of the next, (B,) where that is another one)."""
    other = jnp.roll(c, 1, axis=0)
    return other, (other != c).any(axis=1)


def r1_term(
    gan: Model,
    params: Params,
    hyper: Any,
    x: jax.Array,
    fake: jax.Array,
    c: Any,
    *,
    key: jax.Array,
) -> tuple[jax.Array, Logs]:
    """gamma R1 on the first quarter of real images (`gan_losses.r1`)."""
    del fake, key
    few = max(1, x.shape[0] // QUARTER)
    own = None if c is None else c[:few]
    score = lambda x: gan.judge(params, x, own, train=False)[0].sum()
    steep = r1(jax.grad(score)(x[:few]))
    return hyper.gamma * steep, {"r1": steep}


def critic_loss(
    gan: Model,
    value_of: Callable[[Scores], jax.Array],
    *,
    wrong: bool = False,
    regular: Callable[..., tuple[jax.Array, Logs]] = r1_term,
) -> Callable:
    """L_D and a term that keeps the critic regular.

    Args:
      gan: the networks.
      value_of: L_D of scores, as `GanLoss.critic`.
      wrong: whether real images with another's condition are shown.
      regular: regular(gan, params, hyper, x, fake, c, *, key) -> (term, logs).
    """

    def loss(
        params: Params, hyper: Any, batch: Batch, *, key: jax.Array, step: Any
    ) -> Output:
        del step
        x, c = signed(batch["images"]), conditions(gan, batch)
        fake, _ = gan.draw(params, noise(gan, batch, key=key), c, train=True)
        real, state = gan.judge(params, x, c, train=True)
        on_fake, _ = gan.judge(params, fake, c, train=True)
        scores = Scores(real, on_fake)
        if wrong and c is not None:
            other, is_wrong = mismatched(c)
            on_wrong, _ = gan.judge(params, x, other, train=True)
            scores = Scores(real, on_fake, on_wrong, is_wrong)
        own = jax.random.fold_in(key, 1)
        term, logs = regular(gan, params, hyper, x, fake, c, key=own)
        logs = logs | {"real": real.mean(), "fake": on_fake.mean()}
        logs |= {} if scores.wrong is None else {"wrong": scores.wrong.mean()}
        return Output(value_of(scores) + term, logs, state)

    return loss


def generator_loss(gan: Model, value_of: Callable[[jax.Array], jax.Array]) -> Callable:
    """L_G of the scores of generated images, as `GanLoss.generator`."""

    def loss(
        params: Params, hyper: Any, batch: Batch, *, key: jax.Array, step: Any
    ) -> Output:
        del hyper, step
        c = conditions(gan, batch)
        fake, state = gan.draw(params, noise(gan, batch, key=key), c, train=True)
        scores, _ = gan.judge(params, fake, c, train=False)
        return Output(value_of(scores), {}, state)

    return loss


def players(gan: Model, critic: Callable, generator: Callable) -> dict[str, Player]:
    """The critic moves first in a step, then the generator."""
    return {
        "critic": Player(
            gan.critics,
            critic,
            optimizer=lambda h: optax.adam(h.critic_learning_rate, b1=h.b1, b2=h.b2),
            rate="critic_learning_rate",
        ),
        "generator": Player(
            gan.generators,
            generator,
            optimizer=lambda h: optax.adam(h.generator_learning_rate, b1=h.b1, b2=h.b2),
            rate="generator_learning_rate",
        ),
    }


def method_of(gan: Model, moves: dict[str, Player], space: FactorSpace) -> Method:
    """The Method: codes are the critic's features, and generators have averages."""

    def generate(params: Params, factors: jax.Array, *, key: jax.Array) -> jax.Array:
        z = jax.random.normal(key, (factors.shape[0], gan.latents))
        c = None if gan.given is None else gan.given.encode(factors)
        return unsigned(gan.draw(params, z, c, train=False)[0])

    def alone(params: Params, *, key: jax.Array, n: int) -> jax.Array:
        z = jax.random.normal(key, (n, gan.latents))
        return unsigned(gan.draw(params, z, None, train=False)[0])

    return Method(
        nets=gan.nets,
        players=moves,
        represent=lambda params, images: gan.features(params, signed(images)),
        averages=dict.fromkeys(gan.generators, lambda hyper, step: hyper.decay),
        sample=alone if gan.given is None else at_random(generate, space),
        generate=None if gan.given is None else generate,
        given=() if gan.given is None else gan.given.names,
    )
