r"""CSN: one code, and a mask per attribute in which it is compared (Veit et al. 2017).

$$
d_c(x, y) = \| m_c \odot (f(x) - f(y)) + \epsilon \|, \qquad
\mathcal{L} = \max(0, d_c(x, x^+) - d_c(x, x^-) + h)
+ \lambda_1 \frac{\bar{\|f\|}}{\sqrt{B}} + \lambda_2 \frac{1}{B} \sum_i \| m_{c_i} \|_1
$$

"Conditional similarity networks" (CVPR 2017), with the constants of the authors' code:
a triplet says that of its condition c the image x is closer to x+ than to x-; masks are
ReLUs of numbers that start at N(0.9, 0.7), learned with the network; f-bar is the mean
over the three images of the norm of a batch's codes, epsilon = 1e-6.

A condition is an attribute: x+ has the label of x, x- another one, all other labels as
they come. An anchor and its condition are uniform among those that have a label, x+ and
x- among the training images (of more than `POOL` as many at random), as in the triplets
that come with UT-Zappos50k.

`masks="fixed"` gives every attribute a share of the code, 1 there and 0 elsewhere.
Where we differ: start values and the optimiser are the project's (theirs is Adam at
5e-5, times 0.985 per epoch, batches of 256).
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from disentangle.data.samplers import Batch, Collate, Split, take
from disentangle.data.space import FactorSpace
from disentangle.errors import UserError
from disentangle.fields import settings, static, swept
from disentangle.fields.define import WIDEST
from disentangle.methods.attributes import Attributes, learned, parse
from disentangle.methods.base import (
    LOCATELLO,
    Logs,
    Method,
    Output,
    Params,
    Player,
    Recipe,
    Subspaces,
    moved,
)
from disentangle.methods.triplets import candidates, pick
from disentangle.nn import ENCODERS, Net, encoder

CODE = "Veit et al. 2017, code"
EPSILON = 1e-6  # of every difference, so that a distance of 0 has a gradient
MASKS = ("learned", "fixed")


@settings
class Settings:
    """Of the conditional similarity network."""

    attributes: tuple[str, ...] = learned("the conditions")
    encoder: str = static(
        "locatello", "network of images", source=LOCATELLO, choices=ENCODERS
    )
    latents: int = static(
        64, "D, dimensions of the code", source=CODE, least=1, most=WIDEST
    )
    masks: str = static("learned", "whether masks are learned", choices=MASKS)
    margin: float = swept(0.2, "h, margin of triplets", source=CODE)
    code_norm: float = swept(5e-3, "lambda_1, weight of the codes' norm", source=CODE)
    mask_norm: float = swept(5e-4, "lambda_2, weight of the masks' norm", source=CODE)


def masks_net(settings: Settings, attributes: Attributes) -> Net:
    """The masks as a network, (B,) attributes -> (B, D); "table" is (A, D)."""
    count, width = len(attributes.sizes), settings.latents

    def init(key: jax.Array) -> dict[str, jax.Array]:
        if settings.masks == "fixed":
            return {}
        return {"table": 0.9 + 0.7 * jax.random.normal(key, (count, width))}

    def apply(params: Any, which: jax.Array) -> jax.Array:
        if settings.masks == "fixed":
            owners = jnp.asarray(shares(count, width))
            return (owners[None] == which[:, None]).astype(jnp.float32)
        return jax.nn.relu(params["table"])[which]

    return Net(init, apply)


def shares(count: int, width: int) -> np.ndarray:
    """(D,) the attribute that each dimension is of: shares of one length, or one less.

    Raises:
      UserError: fewer dimensions than attributes.
    """
    if width < count:
        raise UserError(
            f"method.latents={width} are fewer than the {count} attributes that a "
            "share each is for"
        )
    return np.arange(width) * count // width


def conditional_triplets(attributes: Attributes) -> Collate:
    """Anchors, positives and negatives of a condition: 3 B images.

    "condition" (B,) is an attribute, "told" (B,) whether there is such a triplet.
    """

    def collate(split: Split, index: jax.Array, key: jax.Array) -> Batch:
        among, which, near, far = jax.random.split(key, 4)
        pool = candidates(split, among)
        rows = attributes.of_images(split.data, pool)
        own = attributes.of_images(split.data, index)
        condition = pick(own >= 0, which)
        label = jnp.take_along_axis(own, condition[:, None], axis=1)
        theirs = rows.T[condition]  # (B, P)
        itself = pool[None] == index[:, None]
        same = (theirs == label) & (label >= 0) & ~itself
        other = (theirs != label) & (theirs >= 0) & (label >= 0)
        told = same.any(1) & other.any(1)
        images = [index, pool[pick(same, near)], pool[pick(other, far)]]
        batch = take(split.data, jnp.concatenate(images))
        return batch | {"condition": condition, "told": told}

    return collate


def objective(
    codes: jax.Array, masks: jax.Array, told: jax.Array, hyper: Any
) -> tuple[jax.Array, Logs]:
    """The loss of codes (3 B, D) under masks (B, D).

    The triplets' mean is over those that are told, (B,), and 0 without any.
    """
    count = masks.shape[0]
    anchor, positive, negative = jnp.split(codes, 3)
    distance = lambda x, y: jnp.sqrt((((x - y) * masks + EPSILON) ** 2).sum(1))
    gap = distance(anchor, positive) - distance(anchor, negative)
    hinge = jnp.where(told, jax.nn.relu(gap + hyper.margin), 0.0)
    triplet = hinge.sum() / jnp.maximum(told.sum(), 1).astype(jnp.float32)
    norms = [jnp.sqrt((part * part).sum()) for part in (anchor, positive, negative)]
    code_norm = jnp.stack(norms).mean() / np.float32(np.sqrt(count))
    mask_norm = jnp.abs(masks).sum() / np.float32(count)
    value = triplet + hyper.code_norm * code_norm + hyper.mask_norm * mask_norm
    return value, {"triplet": triplet, "code_norm": code_norm, "mask_norm": mask_norm}


def build(
    settings: Settings, space: FactorSpace, shape: tuple[int, int, int]
) -> Method:
    """Triplets of one attribute at a time, each under its mask.

    Raises:
      UserError: attributes that the space does not have, or fewer dimensions than
        attributes with fixed masks.
    """
    attributes = parse(space, settings.attributes)
    shared = encoder(settings.encoder, shape, settings.latents, in_training=True)
    nets = {"encoder": shared}
    nets["masks"] = masks_net(settings, attributes)
    owners = None
    if settings.masks == "fixed":
        places = shares(len(attributes.sizes), settings.latents)
        owners = tuple(attributes.names[a] for a in places)

    def loss(
        params: Params, hyper: Any, batch: Batch, *, key: jax.Array, step: Any
    ) -> Output:
        del step
        codes, state = shared.train(params["encoder"], batch["images"], key=key)
        masks = nets["masks"].apply(params["masks"], batch["condition"])
        found = objective(codes, masks, batch["told"], hyper)
        return Output(*found, moved("encoder", state))

    def represent(params: Params, images: jax.Array) -> jax.Array:
        return nets["encoder"].apply(params["encoder"], images)

    def alike(params: Params, codes: jax.Array, attribute: int) -> jax.Array:
        which = jnp.full((codes.shape[0],), attribute, jnp.int32)
        return codes * nets["masks"].apply(params["masks"], which)

    return Method(
        nets=nets,
        players={"csn": Player(tuple(nets), loss)},
        represent=represent,
        attributes=owners,
        collate=conditional_triplets(attributes),
        embed=represent,
        subspaces=Subspaces(
            attributes.names, attributes.sizes, attributes.labels, alike=alike
        ),
    )


RECIPE = Recipe(
    build,
    Settings,
    "conditional similarity network (Veit et al. 2017)",
    supervision="all",
    published="Veit et al. 2017: shoes at 112 pixels, ResNet18, 200 epochs of batches "
    "of 256, Adam at 5e-5, times 0.985 per epoch",
)
