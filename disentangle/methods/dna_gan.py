r"""DNA-GAN: a code of pieces, one per attribute, that two images exchange.

$$
\mathcal{L}_G = \lambda \, [|A - A_1|_1 + |B - B_1|_1] - D_i(A_2) - D_i(B_2), \qquad
\mathcal{L}_D = D_i(A_2) + D_i(B_2) - D_i(A) - D_i(B)
$$

Xiao et al. 2018. A and B differ in attribute i: A has a dominant value, B the recessive
one. The encoder gives pieces a_1 .. a_n and a rest z_a. With b_i annihilated, that is
set to zero:

    A1 = Dec(a_1 .. a_i .. z_a)      B1 = Dec(b_1 .. 0 .. z_b)
    A2 = Dec(a_1 .. 0 .. z_a)        B2 = Dec(b_1 .. a_i .. z_b)

A2 must be taken for an image without i, B2 for one with A's; so piece i has to carry
the value, and nothing that the critic would miss. n critics D_i, told the labels, share
a network. `exchange` of the edit bench copies a piece of an exemplar
(`Method.attributes` names its columns), or annihilates it where the value is 0.

An attribute of K values has one recessive one, the value 0, whose piece is zero; the
K - 1 others are carried by the piece. At K = 2 this is the paper.

`loss` and `regular` say how critics are trained: "wasserstein" with "clip" (weights in
-clip .. clip after every step, RMSProp with decay 0.8) is the paper's; the default is
"logistic" with "r1", with which the other GANs here were seen to learn.

Where we differ from paper and code: every image draws its attribute i, where the paper
goes through them and the code sums over all; group norms, one per piece, in place of
batch norms, which mix the images of a batch; n + 2 equal parts of the channels, two of
them the rest, in place of a quarter per attribute, which is enough for three; A2 is
judged by the labels of A with i as in B (and B2 by B's with i as in A), where the code
gives B's whole, which is the same for one attribute and wrong for several; `label_in`
"projection" judges attribute i by its value alone (Miyato & Koyama 2018), "maps" by
the labels of all as channels of the image, as theirs; no 100 steps of the critic on
every 500th.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from disentangle.data.samplers import Batch
from disentangle.data.space import FactorSpace
from disentangle.errors import UserError
from disentangle.fields import settings, static, swept
from disentangle.fields.define import WIDEST
from disentangle.methods.attributes import Attributes, learned, parse
from disentangle.methods.base import Logs, Method, Output, Params, Player, Recipe
from disentangle.methods.dna_pieces import exchanged, offspring, one_hots, opposites
from disentangle.methods.gan_losses import GAN_LOSSES, Scores, one_sided, r1
from disentangle.methods.gan_model import signed, unsigned
from disentangle.nn import CRITICS, Net, image_critic, linear, output_width
from disentangle.nn.pieces import piece_decoder, piece_encoder, unit_width

LABEL_IN = ("projection", "maps")
REGULAR = ("r1", "penalty", "clip", "none")
REST = "(rest)"  # the attribute of the columns of the rest
Shape = tuple[int, int, int]


@settings
class Settings:
    """Of DNA-GAN."""

    attributes: tuple[str, ...] = learned("what has a piece")
    piece: int = static(8, "channels of a piece; the rest has twice as many", least=1)
    width: int = static(
        32, "channels of the maps next to the image", least=1, most=WIDEST
    )
    critic: str = static("dcgan", "network of images", choices=CRITICS)
    label_in: str = static("projection", "how the critic sees labels", choices=LABEL_IN)
    loss: str = static(
        "logistic", "both players' losses; the paper's: wasserstein", choices=GAN_LOSSES
    )
    regular: str = static(
        "r1", "what keeps the critic regular; the paper's: clip", choices=REGULAR
    )
    gamma: float = swept(5.0, "weight of R1, or of the penalty |grad D| > 1")
    clip: float = swept(
        0.01, "largest weight of a clipped critic", source="Xiao et al. 2018", above=0.0
    )
    reconstruction: float = swept(
        20.0, "weight of the mean absolute error of a value in -1 .. 1; paper: 1"
    )
    decay: float = swept(
        0.99, "of the average of encoder and decoder", least=0.0, most=0.9999
    )
    b1: float = swept(0.5, "of both Adams", least=0.0, most=0.999)
    b2: float = swept(0.99, "of both Adams", least=0.0, most=0.9999)
    critic_learning_rate: float = swept(5e-4, "of the critic", above=0.0)
    generator_learning_rate: float = swept(
        5e-4, "of encoder and decoder, by Adam", above=0.0
    )


class Model(NamedTuple):
    """The networks, and the ways through them.

    Attributes:
      nets: "encoder", "decoder", "critic", "score", and "label" of a projection.
      told: the attributes.
      owner: (D,) int, the attribute of each column of a code; n for the rest.
      judge: judge(params, images (B, H, W, C) in [-1, 1], labels (B, A), which (B,))
        -> (B,) D_i of the attribute `which`.
    """

    nets: dict[str, Net]
    told: Attributes
    owner: np.ndarray
    judge: Any


def model(settings: Settings, space: FactorSpace, shape: Shape) -> Model:
    """The networks of `settings`.

    Raises:
      UserError: attributes that the space does not have.
    """
    told = parse(space, settings.attributes)
    n, values = len(told.sizes), told.values
    sizes = (n + 2, settings.piece, settings.width)
    maps = values if settings.label_in == "maps" else 0
    seen = (*shape[:2], shape[2] + maps)
    critic = image_critic(settings.critic, seen, settings.width)
    features = output_width(critic, seen)
    nets = {
        "encoder": piece_encoder(shape, *sizes),
        "decoder": piece_decoder(shape, *sizes),
        "critic": critic,
        "score": linear(features, n),
    }
    if not maps:
        nets["label"] = linear(values, features)
    columns = unit_width(shape, settings.piece)
    owner = np.repeat(np.minimum(np.arange(n + 2), n), columns)

    def judge(
        params: Params, x: jax.Array, labels: jax.Array, which: jax.Array
    ) -> jax.Array:
        hot = one_hots(told, labels)
        if maps:
            size = (*x.shape[:3], values)
            plane = jnp.broadcast_to(hot[:, None, None], size)
            x = jnp.concatenate([x, plane], axis=3)
        h = nets["critic"].apply(params["critic"], x)
        every = nets["score"].apply(params["score"], h)
        score = jnp.take_along_axis(every, which[:, None], axis=1)[:, 0]
        if maps:
            return score
        own = jnp.where(jnp.asarray(told.owners)[None] == which[:, None], hot, 0.0)
        return score + (nets["label"].apply(params["label"], own) * h).sum(1)

    return Model(nets, told, owner, judge)


def critic_loss(net: Model, chosen: Settings) -> Any:
    """L_D over 2, means over the pairs, and the term of `regular`."""
    value_of = GAN_LOSSES[chosen.loss].critic

    def loss(
        params: Params, hyper: Any, batch: Batch, *, key: jax.Array, step: Any
    ) -> Output:
        del step
        x, labels = signed(batch["images"]), net.told.of_batch(batch)
        which = jnp.tile(batch["attribute"], 2)
        codes = net.nets["encoder"].apply(params["encoder"], x)
        made = offspring(codes, net.owner, batch["attribute"]).swapped
        fake = net.nets["decoder"].apply(params["decoder"], made)
        other = exchanged(labels, batch["attribute"])
        real = net.judge(params, x, labels, which)
        on_fake = net.judge(params, fake, other, which)
        value = value_of(Scores(real, on_fake))
        logs = {"real": real.mean(), "fake": on_fake.mean()}
        score = lambda x: net.judge(params, x, labels, which)
        term, more = regular_term(chosen.regular, score, hyper, x, fake, key=key)
        return Output(value + term, logs | more)

    return loss


def regular_term(
    kind: str, score: Any, hyper: Any, x: jax.Array, fake: jax.Array, *, key: jax.Array
) -> tuple[jax.Array, Logs]:
    """gamma R1 of real images, or gamma of gradients longer than 1 between (x, fake).

    Args:
      kind: a name in REGULAR; "clip" and "none" have no term.
      score: images -> (2 B,).
      hyper: has `gamma`.
      x, fake: (2 B, H, W, C) in [-1, 1].
      key: of the points between them.
    """
    if kind not in ("r1", "penalty"):
        return jnp.float32(0.0), {}
    at = x
    if kind == "penalty":
        share = jax.random.uniform(key, (x.shape[0], 1, 1, 1))
        at = x + share * (fake - x)
    slope = jax.grad(lambda x: score(x).sum())(at)
    steep = r1(slope) if kind == "r1" else one_sided(slope)
    return hyper.gamma * steep, {kind: steep}


def generator_loss(net: Model, chosen: Settings) -> Any:
    """L_G over 2: reconstructions of A and of B without piece i, and both swaps."""
    value_of = GAN_LOSSES[chosen.loss].generator

    def loss(
        params: Params, hyper: Any, batch: Batch, *, key: jax.Array, step: Any
    ) -> Output:
        del step, key
        x, labels = signed(batch["images"]), net.told.of_batch(batch)
        codes = net.nets["encoder"].apply(params["encoder"], x)
        both = jnp.concatenate(offspring(codes, net.owner, batch["attribute"]))
        drawn = net.nets["decoder"].apply(params["decoder"], both)
        same, swapped = jnp.split(drawn, 2)
        other = exchanged(labels, batch["attribute"])
        scores = net.judge(params, swapped, other, jnp.tile(batch["attribute"], 2))
        error = jnp.abs(same - x).mean()
        value = hyper.reconstruction * error + value_of(scores)
        return Output(value, {"absolute_error": error})

    return loss


def clipped(largest: Any) -> optax.GradientTransformation:
    """Last in a chain: parameters are in -largest .. largest after the update."""

    def update(updates: Any, state: Any, params: Any = None) -> Any:
        into = lambda p, u: jnp.clip(p + u, -largest, largest) - p
        return jax.tree.map(into, params, updates), state

    return optax.GradientTransformation(lambda params: optax.EmptyState(), update)


def critic_optimizer(regular: str) -> Any:
    """RMSProp and clipping of "clip" (Xiao et al. 2018), else Adam."""
    if regular == "clip":
        return lambda h: optax.chain(
            optax.rmsprop(h.critic_learning_rate, decay=0.8), clipped(h.clip)
        )
    return lambda h: optax.adam(h.critic_learning_rate, b1=h.b1, b2=h.b2)


def build(settings: Settings, space: FactorSpace, shape: Shape) -> Method:
    """DNA-GAN; codes are the pieces, attribute after attribute, then the rest.

    Raises:
      UserError: attributes the space does not have, or "clip" of a spectral critic.
    """
    if settings.regular == "clip" and settings.critic == "spectral":
        raise UserError(
            "regular='clip' clips weights that critic='spectral' divides by their "
            "norm: take critic='dcgan'"
        )
    net = model(settings, space, shape)
    binned = zip(net.told.names, net.told.sizes, net.told.widths, strict=True)
    names = (*(n if w == 1 else f"{n}:{k}" for n, k, w in binned), REST)

    def represent(params: Params, images: jax.Array) -> jax.Array:
        found: jax.Array = net.nets["encoder"].apply(params["encoder"], signed(images))
        return found

    return Method(
        nets=net.nets,
        players={
            "critic": Player(
                tuple(n for n in net.nets if n not in ("encoder", "decoder")),
                critic_loss(net, settings),
                optimizer=critic_optimizer(settings.regular),
                rate="critic_learning_rate",
            ),
            "generator": Player(
                ("encoder", "decoder"),
                generator_loss(net, settings),
                optimizer=lambda h: optax.adam(
                    h.generator_learning_rate, b1=h.b1, b2=h.b2
                ),
                rate="generator_learning_rate",
            ),
        },
        represent=represent,
        decode=lambda params, codes: unsigned(
            net.nets["decoder"].apply(params["decoder"], codes)
        ),
        attributes=tuple(names[i] for i in net.owner),
        annihilates=True,
        collate=opposites(net.told),
        averages=dict.fromkeys(("encoder", "decoder"), lambda hyper, step: hyper.decay),
    )


RECIPE = Recipe(
    build,
    Settings,
    "DNA-GAN, a piece of the code per attribute (Xiao et al. 2018)",
    supervision="all",
)
