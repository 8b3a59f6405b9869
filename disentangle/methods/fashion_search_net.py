r"""FashionSearchNet: a code per attribute, of where it is seen (Ak et al. 2018).

$$
\mathrm{AAM}_a(p) = w_{a, \hat v}^\top g(p), \qquad
r_a = \mathrm{fc}_a \sum_p \mathrm{softmax}_p(\mathrm{AAM}_a) \, f(p)
$$

$$
\mathcal{L} = \sum_a \mathrm{CE}_a(\bar g) + \mathrm{CE}_a(r_a)
+ w_t \, \mathrm{T}(y_a, n(r_a)) + w_g \max(0, d(q, r_+) - d(q, r_-) + m)
$$

"Learning attribute representations with localization for flexible fashion search" (CVPR
2018): f are the maps of the convolutions, g those of two more, g-bar their mean over
places p, from which the weights w_a classify; the map of the class that they see, the
attribute activation map AAM, says where the attribute is, and three layers make its
code of what is there. Codes are learned by classification and triplets T of every
attribute, and the whole by a triplet of the query q, the code of an image with the
chunks of some attributes from another: r+ has the labels of q, r- others.

An edit puts the mean of the wanted value over the training images in the chunk's
place, which is the "replace" of class means in `disentangle.retrieval`: no prototype is
learned. Where we differ: q takes the chunk that is edited from r+, and all is
learned at once, not classification first; see also nn/activation_maps.py.
"""

from typing import Any

import jax
import jax.numpy as jnp

from disentangle.data.samplers import Batch
from disentangle.data.space import FactorSpace
from disentangle.fields import settings, static, swept
from disentangle.fields.define import WIDEST
from disentangle.methods.adde_losses import (
    compositional_triplet,
    l2_normalise,
    semi_hard_triplet,
)
from disentangle.methods.adde_stages import entropies
from disentangle.methods.attributes import learned, parse
from disentangle.methods.base import Logs, Method, Params, Player, Recipe
from disentangle.methods.subspaces import chunked, unit
from disentangle.methods.triplets import NEGATIVES, triplets
from disentangle.nn import activation_maps, predicted


@settings
class Settings:
    """Of FashionSearchNet."""

    attributes: tuple[str, ...] = learned()
    subspace: int = static(32, "d, dimensions of each attribute", least=1, most=WIDEST)
    hidden: int = static(
        64, "ReLUs of the first two layers of each attribute", least=1, most=WIDEST
    )
    negatives: str = static("random", "of the triplets of q", choices=NEGATIVES)
    margin: float = swept(0.5, "m, margin of both triplets")
    entropy: float = swept(1.0, "weight of the cross-entropies")
    attribute_triplet: float = swept(1.0, "w_t, weight of triplets of an attribute")
    whole_triplet: float = swept(1.0, "w_g, weight of triplets of whole codes")


def build(
    settings: Settings, space: FactorSpace, shape: tuple[int, int, int]
) -> Method:
    """Classification and triplets of every attribute, and a triplet of whole codes.

    Raises:
      UserError: attributes that the space does not have, or images of another size.
    """
    attributes = parse(space, settings.attributes)
    net = activation_maps(shape, attributes.sizes, settings.subspace, settings.hidden)

    def loss(
        params: Params, hyper: Any, batch: Batch, *, key: jax.Array, step: Any
    ) -> tuple[jax.Array, Logs]:
        del key, step
        seen = net.apply(params["encoder"], batch["images"])
        labels = attributes.of_batch(batch)
        entropy = entropies(seen.coarse, labels) + entropies(seen.predictions, labels)
        each = jax.vmap(
            lambda y, r: semi_hard_triplet(y, r, hyper.margin, "ignore"), in_axes=(1, 1)
        )
        own = each(labels, l2_normalise(seen.codes)).sum()
        reference, positive, negative = jnp.split(seen.codes, 3)
        before, after, _ = jnp.split(labels, 3)
        query = jnp.where((before != after)[..., None], positive, reference)
        q, near, far = (unit(x, "code") for x in (query, positive, negative))
        whole = compositional_triplet(q, near, far, hyper.margin)
        whole = jnp.where(batch["paired"].any(), whole, 0.0)
        value = (
            hyper.entropy * entropy
            + hyper.attribute_triplet * own
            + hyper.whole_triplet * whole
        )
        return value, {
            "entropy": entropy,
            "attribute_triplet": own,
            "whole_triplet": whole,
        }

    def represent(params: Params, images: jax.Array) -> jax.Array:
        codes = net.apply(params["encoder"], images).codes
        return codes.reshape(codes.shape[0], -1)

    return Method(
        nets={"encoder": net},
        players={"fashion_search_net": Player(("encoder",), loss)},
        represent=represent,
        attributes=tuple(n for n in attributes.names for _ in range(settings.subspace)),
        collate=triplets(attributes, settings.negatives),
        embed=lambda params, images: l2_normalise(represent(params, images)),
        subspaces=chunked(
            attributes, lambda params, codes: predicted(params["encoder"], codes)
        ),
    )


RECIPE = Recipe(
    build,
    Settings,
    "FashionSearchNet, codes of where attributes are seen (Ak et al. 2018)",
    supervision="all",
)
