r"""CPGGAN and CDPGGAN: growing GANs that are told attributes, from a fashion project.

$$
\mathcal{L}_D = \mathbb{E}_{x,c} (D(x, c) - 1)^2
+ \mathbb{E}_{z,c} (D(G(z, c), c) + 1)^2 + \mathbb{E}_{x,c'} (D(x, c') + 1)^2, \qquad
\mathcal{L}_G = \mathbb{E}_{z,c} D(G(z, c), c)^2
$$

x real images, c their attributes, c' those of another image ("wrong class"). This is
the text of the project (hg1722/fashionista, README): the least-squares losses of Mao et
al. 2017 with a = -1, b = 1, c = 0. Its code has another GAN, `loss="wasserstein"`:

$$
\mathcal{L}_D = -(\mathbb{E} D(x, c) - \mathbb{E} D(G, c)) - (\mathbb{E} D(x, c)
- \mathbb{E} D(x, c')) + \lambda [\mathbb{E} \max(0, |\nabla_{\hat x} D| - 1)^2
+ \mathbb{E} \max(0, |\nabla_c D| - 1)^2], \quad \mathcal{L}_G = -\mathbb{E} D(G, c)
$$

with x-hat on the line between a real and a generated image and lambda = 200. Both have
the conditioning augmentation of StackGAN (Zhang et al. 2017, Eq. 2) where `augmented`,
the size of c~, is not 0: the generator is told c~ = mu(c) + sigma(c) eps, and pays
`augmentation` times the mean over dimensions of KL(N(mu, sigma^2) || N(0, 1)).

CDPGGAN adds L_category, for each factor in `consistent`:

$$
\lambda_i \, \mathbb{E}_{v} \, \mathbb{E}_{x_1, x_2 \sim G(\cdot | f_i = v)}
\| \phi(x_1) - \phi(x_2) \|_1
$$

phi = "pixel" is what is printed; its optimum is one picture per value, so look at the
diversity within classes beside any other score. phi = "features" is the hidden layer of
a head on the critic's features that learns the factor's values from real images. The
L1 distance is a mean over pixels or features.

Resolution grows by stages: `resolution` 4, 8, 16, ..., each stage started from the one
before; 0 is the images' own. In the first `fade` of a stage's steps its layers fade in
(nn/growing.py); evaluation is with them whole. The critic is told c by a layer of 128
beside its features; the project tiles it over the 4x4 maps.

Where we differ: no augmentation unless asked for, which with the project's weight of 5
hides c from the generator (below); R1 (`gamma`; 0 is the project) with the
least-squares losses, without which small GANs here gave one picture for every
condition; rates of 1e-3 (theirs 2e-6); averages of the generator; equalised kernels
(Karras et al. 2018); no minibatch statistics; the attributes of the condition once, not
as a padded list.

What was seen, on 16x16 bars told the place (chance .25) and the shape (.5), gamma 1,
width 16: grown in 300, 500 and 1,000 steps .66 and .92 of 400 requests are obeyed
(tests/methods/test_gans_learn.py). A c~ of 32 with the project's weight was not obeyed.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from disentangle.data.samplers import Batch
from disentangle.data.space import FactorSpace
from disentangle.errors import unknown
from disentangle.fields import settings, static, swept
from disentangle.methods import growing_gan
from disentangle.methods.base import Method, Output, Params, Recipe
from disentangle.methods.conditions import Condition, condition
from disentangle.methods.gan_losses import GAN_LOSSES, mean_where
from disentangle.methods.gan_model import (
    Model,
    critic_loss,
    generator_loss,
    method_of,
    noise,
    players,
    r1_term,
    signed,
)
from disentangle.methods.gaussian_vae import kl_to_prior
from disentangle.methods.growing_gan import (
    FLAT,
    Nets,
    Settings,
    Shape,
    augmented,
    faded,
    grown,
    model_at,
    networks,
    one_sided_term,
    shrunk,
    side,
)
from disentangle.nn import linear

PHI = ("pixel", "features")
HEAD = 64  # units of the hidden layer of the attribute head


@settings
class Consistent(growing_gan.Settings):
    """Of CDPGGAN."""

    consistent: tuple[str, ...] = static(
        (), "factors whose images are to be alike; () is the condition's first"
    )
    phi: str = static("pixel", "what is to be alike", choices=PHI)
    consistency: float = swept(0.5, "weight of the distance of what is alike")


class Alike(NamedTuple):
    """What CDPGGAN adds to CPGGAN: factors, and phi of images in [-1, 1].

    Attributes:
      columns: of the factors in `consistent`.
      sizes: how many values each has.
      phi: phi(gan, params, images) -> (B, ...).
      learn: learn(gan, params, images, batch) -> (), what the critic pays for the head
        that phi is read from.
    """

    columns: tuple[int, ...] = ()
    sizes: tuple[int, ...] = ()
    phi: Callable[..., jax.Array] = lambda gan, params, images: images
    learn: Callable[..., jax.Array] = lambda gan, params, images, batch: jnp.float32(0)


def consistency(
    gan: Model, alike: Alike, params: Params, batch: Batch, fake: Any, *, key: Any
) -> jax.Array:
    """sum_i E |phi(x1) - phi(x2)|_1, x1 and x2 generated with the same value of i.

    x1 are the images `fake` of the batch's conditions; x2 have the value of factor i,
    and everything else of the next row. Rows whose value of i is missing take no part.
    """
    total, held = jnp.float32(0.0), batch.get("known")
    for number, column in enumerate(alike.columns):
        keep = lambda rows, i=column: jnp.roll(rows, 1, axis=0).at[:, i].set(rows[:, i])
        z = noise(gan, batch, key=jax.random.fold_in(key, number))
        told = keep(batch["factors"]), None if held is None else keep(held)
        c = gan.given.encode(*told) if gan.given else None
        second, _ = gan.draw(params, z, c, train=True)
        gap = alike.phi(gan, params, fake) - alike.phi(gan, params, second)
        each = jnp.abs(gap).mean(tuple(range(1, gap.ndim)))
        total += mean_where(each, None if held is None else held[:, column])
    return total


def attribute_head(nets: Nets, columns: Sequence[int], sizes: Sequence[int]) -> Alike:
    """phi of a head on the critic's features, which learns values of real images."""

    def phi(gan: Model, params: Params, images: jax.Array) -> jax.Array:
        h = gan.features(params, images)
        return jax.nn.leaky_relu(nets["hidden"].apply(params["hidden"], h), 0.2)

    def learn(gan: Model, params: Params, images: jax.Array, batch: Batch) -> Any:
        logits = nets["values"].apply(params["values"], phi(gan, params, images))
        ends = np.cumsum(sizes)[:-1].tolist()
        known = batch.get("known")
        total = jnp.float32(0.0)
        for column, part in zip(columns, jnp.split(logits, ends, axis=1), strict=True):
            own = batch["factors"][:, column, None]
            chance = jnp.take_along_axis(jax.nn.log_softmax(part), own, axis=1)[:, 0]
            total -= mean_where(chance, None if known is None else known[:, column])
        return total

    return Alike(tuple(columns), tuple(sizes), phi, learn)


def assembled(
    chosen: Settings,
    space: FactorSpace,
    shape: Shape,
    nets: Nets,
    given: Condition,
    alike: Alike,
) -> Method:
    """Both players, and the method of the whole stage."""
    size = side(chosen, shape)
    losses = GAN_LOSSES[chosen.loss]
    regular = one_sided_term if chosen.loss == "wasserstein" else r1_term
    at = lambda alpha: model_at(chosen, nets, given, alpha)
    small = lambda batch: batch | {"images": shrunk(batch["images"], size)}

    def critic(
        params: Params, hyper: Any, batch: Batch, *, key: jax.Array, step: Any
    ) -> Output:
        gan, batch = at(faded(hyper, step)), small(batch)
        plain = critic_loss(gan, losses.critic, wrong=True, regular=regular)
        found = plain(params, hyper, batch, key=key, step=step)
        head = alike.learn(gan, params, signed(batch["images"]), batch)
        return found._replace(loss=found.loss + head)

    def generates(
        params: Params, hyper: Any, batch: Batch, *, key: jax.Array, step: Any
    ) -> Output:
        gan, batch = at(faded(hyper, step)), small(batch)
        plain = generator_loss(gan, losses.generator)
        found = plain(params, hyper, batch, key=key, step=step)
        total, logs = found.loss, {}
        c = given.encode(batch["factors"], batch.get("known"))
        if chosen.augmented:
            kl = kl_to_prior(*augmented(nets, params, c)).mean()
            total, logs = total + hyper.augmentation * kl, {"kl": kl}
        if alike.columns:
            fake, _ = gan.draw(params, noise(gan, batch, key=key), c, train=True)
            gap = consistency(gan, alike, params, batch, fake, key=key)
            total, logs = total + hyper.consistency * gap, logs | {"distance": gap}
        return Output(total, logs, found.state)

    whole = at(jnp.float32(1.0))

    def draw(
        params: Params, z: jax.Array, c: jax.Array, *, train: bool
    ) -> tuple[jax.Array, dict[str, Any]]:
        image, state = whole.draw(params, z, c, train=train)
        return jnp.clip(grown(image, shape[0]), -1.0, 1.0), state

    features = lambda params, x: whole.features(params, shrunk(x, size))
    shown = whole._replace(draw=draw, features=features)
    return method_of(shown, players(whole, critic, generates), space)


def build(settings: Settings, space: FactorSpace, shape: Shape) -> Method:
    """CPGGAN; codes are the critic's features."""
    given = condition(settings.condition or space.names[:1], space, settings.encoding)
    nets = networks(settings, shape[2], side(settings, shape), given)
    return assembled(settings, space, shape, nets, given, Alike())


def build_consistent(settings: Consistent, space: FactorSpace, shape: Shape) -> Method:
    """CDPGGAN.

    Raises:
      UserError: a factor in `consistent` that is not given.
    """
    given = condition(settings.condition or space.names[:1], space, settings.encoding)
    names = settings.consistent or given.names[:1]
    for name in names:
        if name not in given.names:
            raise unknown("given factor", name, given.names)
    columns = tuple(space.position(name) for name in names)
    sizes = tuple(space.sizes[column] for column in columns)
    nets = networks(settings, shape[2], side(settings, shape), given)
    alike = Alike(columns, sizes)
    if settings.phi == "features":
        nets |= {"hidden": linear(FLAT * settings.width, HEAD)}
        nets |= {"values": linear(HEAD, sum(sizes))}
        alike = attribute_head(nets, columns, sizes)
    return assembled(settings, space, shape, nets, given, alike)


CPGGAN = Recipe(
    build,
    Settings,
    "CPGGAN, a growing GAN that is told attributes (after Karras et al. 2018)",
    supervision="given",
)
CDPGGAN = Recipe(
    build_consistent,
    Consistent,
    "CDPGGAN, images of one attribute value alike (after Karras et al. 2018)",
    supervision="given",
)
