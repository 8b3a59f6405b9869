r"""MUNIT: two domains, and every image as a content and a style (Huang et al. 2018).

$$
\mathcal{L}_G = \sum_i \mathcal{L}^{GAN}_i
+ \lambda_x \| G_i(c_i, s_i) - x_i \|_1
+ \lambda_c \| E^c_j(G_j(c_i, \tilde s_j)) - c_i \|_1
+ \lambda_s \| E^s_j(G_j(c_i, \tilde s_j)) - \tilde s_j \|_1
+ \lambda_{cyc} \| G_i(E^c_j(G_j(c_i, \tilde s_j)), s_i) - x_i \|_1
$$

with c_i and s_i the content and the style of an image x_i of domain i, j the other
domain, and s~_j ~ N(0, I) (their Eqs. 1 to 5). The distances are means over pixels or
numbers. The critics have the least-squares losses of Mao et al. 2017 with targets 0 and
1, at two scales, a score per place:

$$
\mathcal{L}_D = \sum_i \sum_{scales} \mathbb{E} D_i(G_i(c_j, \tilde s_i))^2
+ \mathbb{E} (D_i(x_i) - 1)^2, \qquad
\mathcal{L}^{GAN}_i = \sum_{scales} \mathbb{E} (D_i(G_i(c_j, \tilde s_i)) - 1)^2
$$

What the domains are, `domain` says: a factor, whose two `values` they are ("" is the
first factor), or, where another data set is beside this one and no factor is named, the
two data sets:

```python
dt.train("munit", shapes, domain="shape", values=(0, 2))
dt.train("munit", digits.with_others({"target": clothes}))
```

Codes are those of the first domain's encoders, whatever image: the means of the content
over 2 x 2 parts of the image, channel by channel, then the style. The whole
content is in `Method.translation`, which is what images are drawn of.

`edit` changes the domain alone, of a factor: an image of one gets the mean of all
styles of the other, s = 0, as it is given no exemplar; the editor "translation" takes
the style of one. Wanted values that are no domain change nothing.

Where we differ: networks (nn/translation.py); Adam at 5e-4 where theirs is 1e-4 for a
million steps of one image, and neither weight decay nor halved rates; averages of the
generators; scale 1 + s in AdaIN. Their weights are the defaults; the cycle, which they
use for some data, is 0.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from disentangle.data.samplers import Batch, part
from disentangle.data.space import FactorSpace
from disentangle.fields import settings, static, swept
from disentangle.fields.define import WIDEST
from disentangle.methods.base import (
    Method,
    Output,
    Params,
    Player,
    Recipe,
)
from disentangle.methods.domains import TARGET, TWO_SETS, by_factor
from disentangle.methods.gan_losses import (
    Scores,
    least_squares_critic,
    least_squares_generator,
)
from disentangle.methods.gan_model import signed
from disentangle.methods.munit_model import (
    Model,
    Shape,
    cells,
    editing,
    model,
    translation,
)
from disentangle.nn.translation import SHRINKS

SOURCE = "Huang et al. 2018"


@settings
class Settings:
    """Of MUNIT."""

    domain: str = static("", "the factor whose values are the domains; see above")
    values: tuple[int, ...] = static(
        (0, 1), "two of its values", least=0, most=WIDEST, filled=True, distinct=True
    )
    styles: int = static(8, "size of the style", source=SOURCE, least=1, most=WIDEST)
    width: int = static(
        16, "channels of the maps next to the image; theirs 64", least=1, most=WIDEST
    )
    blocks: int = static(2, "residual ones; theirs 4", least=1, most=64)
    scales: int = static(2, "of the critics; theirs 3", least=1, most=4)
    cycle: float = static(
        0.0, "weight of the image there and back; 0 leaves it out", least=0.0
    )
    images: float = swept(10.0, "weight of the images drawn again", source=SOURCE)
    contents: float = swept(1.0, "weight of contents read again", source=SOURCE)
    read_styles: float = swept(1.0, "weight of styles read again", source=SOURCE)
    decay: float = swept(0.99, "of the generators' averages", least=0.0, most=0.9999)
    b1: float = swept(0.5, "of both Adams", source=SOURCE, least=0.0, most=0.999)
    b2: float = swept(0.999, "of both Adams", source=SOURCE, least=0.0, most=0.9999)
    critic_learning_rate: float = swept(5e-4, "of the critics' Adam", above=0.0)
    generator_learning_rate: float = swept(5e-4, "of the others' Adam", above=0.0)


class Drawn(NamedTuple):
    """Of each domain its images, their content and style, and the translations.

    Attributes:
      x: images in [-1, 1].
      content, style: theirs.
      prior: styles s~ of the domain.
      there: images of this domain, drawn of the other one's content and `prior`.
    """

    x: list[jax.Array]
    content: list[jax.Array]
    style: list[jax.Array]
    prior: list[jax.Array]
    there: list[jax.Array]


def translated(gan: Model, params: Params, batch: Batch, *, key: jax.Array) -> Drawn:
    """Both domains through their encoders, and drawn in the other with a new style."""
    x = [signed(batch["images"]), signed(part(batch, TARGET)["images"])]
    keys = jax.random.split(key)
    content = [gan.content(params, x[d], d) for d in (0, 1)]
    style = [gan.style(params, x[d], d) for d in (0, 1)]
    prior = [jax.random.normal(keys[d], style[d].shape) for d in (0, 1)]
    there = [gan.draw(params, content[1 - d], prior[d], d) for d in (0, 1)]
    return Drawn(x, content, style, prior, there)


def critic_loss(gan: Model) -> Callable:
    """L_D."""

    def loss(
        params: Params, hyper: Any, batch: Batch, *, key: jax.Array, step: Any
    ) -> Output:
        del hyper, step
        drawn = translated(gan, params, batch, key=key)
        total = jnp.float32(0.0)
        logs: dict[str, list[jax.Array]] = {"real": [], "fake": []}
        for d in (0, 1):
            real = gan.judge(params, drawn.x[d], d)
            fake = gan.judge(params, drawn.there[d], d)
            for own, other in zip(real, fake, strict=True):
                total += least_squares_critic(Scores(own, other), a=0.0)
                logs["real"].append(own.mean())
                logs["fake"].append(other.mean())
        means = {name: jnp.stack(parts).mean() for name, parts in logs.items()}
        return Output(total, means)

    return loss


def gap(a: jax.Array, b: jax.Array) -> jax.Array:
    """() the mean absolute difference."""
    return jnp.abs(a - b).mean()


def generator_loss(gan: Model, cycle: float) -> Callable:
    """L_G, with the weight of the cycle."""

    def loss(
        params: Params, hyper: Any, batch: Batch, *, key: jax.Array, step: Any
    ) -> Output:
        del step
        drawn = translated(gan, params, batch, key=key)
        parts: dict[str, jax.Array] = {}

        def add(name: str, value: jax.Array) -> None:
            parts[name] = parts[name] + value if name in parts else value

        for d in (0, 1):
            e = 1 - d
            for scores in gan.judge(params, drawn.there[d], d):
                add("adversarial", least_squares_generator(scores, c=1.0))
            again = gan.draw(params, drawn.content[d], drawn.style[d], d)
            add("image", gap(again, drawn.x[d]))
            content = gan.content(params, drawn.there[d], d)
            style = gan.style(params, drawn.there[d], d)
            add("content", gap(content, drawn.content[e]))
            add("style", gap(style, drawn.prior[d]))
            if cycle:
                back = gan.draw(params, content, drawn.style[e], e)
                add("cycle", gap(back, drawn.x[e]))
        total = parts["adversarial"] + hyper.images * parts["image"]
        total += hyper.contents * parts["content"]
        total += hyper.read_styles * parts["style"]
        if cycle:
            total += cycle * parts["cycle"]
        return Output(total, parts)

    return loss


def build(
    settings: Settings,
    space: FactorSpace,
    shape: Shape,
    shapes: Mapping[str, Shape] | None = None,
) -> Method:
    """MUNIT; `shapes` are those of the data sets beside the first.

    Raises:
      UserError: as `domains.by_factor` and `model`.
    """
    two_sets = TARGET in (shapes or {}) and not settings.domain
    if two_sets:
        domains, other = TWO_SETS, (shapes or {})[TARGET]
    else:
        domains, other = by_factor(space, settings.domain, settings.values), shape
    gan = model(settings, (shape, other))
    maps = (shape[0] // SHRINKS, shape[1] // SHRINKS, SHRINKS * settings.width)
    ways = translation(gan, domains, maps)
    critics = ("critic_0", "critic_1")
    generators = tuple(name for name in gan.nets if name not in critics)

    def represent(params: Params, images: jax.Array) -> jax.Array:
        x = signed(images)
        content = cells(gan.content(params, x, 0))
        return jnp.concatenate([content, gan.style(params, x, 0)], axis=1)

    return Method(
        nets=gan.nets,
        players={
            "critic": Player(
                critics,
                critic_loss(gan),
                optimizer=lambda h: optax.adam(
                    h.critic_learning_rate, b1=h.b1, b2=h.b2
                ),
                rate="critic_learning_rate",
            ),
            "generator": Player(
                generators,
                generator_loss(gan, settings.cycle),
                optimizer=lambda h: optax.adam(
                    h.generator_learning_rate, b1=h.b1, b2=h.b2
                ),
                rate="generator_learning_rate",
            ),
        },
        represent=represent,
        collate=domains.collate,
        suits=domains.suits,
        averages=dict.fromkeys(generators, lambda hyper, step: hyper.decay),
        edit=None if two_sets else editing(ways, domains.column),
        translation=ways,
    )


RECIPE = Recipe(
    build,
    Settings,
    "MUNIT, two domains, content and style (Huang et al. 2018)",
    supervision="domains",
    beside=(TARGET,),
)
