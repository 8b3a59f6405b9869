r"""CSA-Net: sets completed in subspaces that two categories choose (Lin et al. 2020).

$$
\psi(x, c, c') = x \odot \sum_{k=1}^{K} w_k m_k, \qquad
w = \mathrm{softmax}(W_2 \, \mathrm{relu}(W_1 [c; c'] + b_1) + b_2)
$$

$$
\mathcal{L} = \max(0, D(O, p) - \min_j D(O, n_j) + m), \qquad
D(O, s) = \frac{1}{|O|} \sum_{i \in O} d(\psi(x_i), \psi(x_s))
$$

"Fashion outfit complementary item retrieval" (CVPR 2020): a code x of 64 dimensions, K
= 5 learned masks m_k, and their weights w from one-hot categories: the masks of all
pairs of categories are a table of rank K. O are the items of a set but one, p the one
that is to be found, n_j items of its category that do not fit.

Where we differ: the two categories are in the order of their numbers, so that an item
is compared in one space from either side; d is the squared distance (the paper does not
say), masks start at N(0.9, 0.7) as those of CSN, negatives are all at random.
"""

from typing import Any

import jax
import jax.numpy as jnp

from disentangle.data.samplers import Batch
from disentangle.data.space import FactorSpace
from disentangle.fields import settings, static, swept
from disentangle.fields.define import WIDEST
from disentangle.methods.adde_losses import outfit_ranking
from disentangle.methods.base import (
    LOCATELLO,
    Method,
    Output,
    Params,
    Player,
    Recipe,
    Sets,
    moved,
)
from disentangle.methods.set_batches import (
    distances,
    items,
    masks_net,
    rule_of,
    sets,
    told_mean,
)
from disentangle.nn import ENCODERS, encoder, relu_layers

PAPER = "Lin et al. 2020"


@settings
class Settings:
    """Of CSA-Net."""

    rule: str = static("", "which images go together; '' is the data set's usual rule")
    encoder: str = static(
        "locatello", "network of images", source=LOCATELLO, choices=ENCODERS
    )
    latents: int = static(
        64, "D, dimensions of the code", source=PAPER, least=1, most=WIDEST
    )
    masks: int = static(
        5, "K, masks that are mixed", source=PAPER, least=1, most=WIDEST
    )
    hidden: int = static(
        32, "ReLUs between categories and weights", least=1, most=WIDEST
    )
    negatives: int = static(4, "items that do not fit, per set", least=1, most=100)
    margin: float = swept(0.3, "m, margin of the ranking", source=PAPER)


def mixed(table: jax.Array, weights: jax.Array) -> jax.Array:
    """Masks (B, D): those of the table (K, D) by weights (B, K)."""
    return weights @ table


def both_one_hot(own: jax.Array, other: jax.Array, categories: int) -> jax.Array:
    """(B, 2 C) one-hot categories, the smaller number first."""
    ends = (jnp.minimum(own, other), jnp.maximum(own, other))
    parts = [jax.nn.one_hot(end, categories, dtype=jnp.float32) for end in ends]
    return jnp.concatenate(parts, axis=1)


def build(
    settings: Settings, space: FactorSpace, shape: tuple[int, int, int]
) -> Method:
    """The outfit ranking loss of masked codes.

    Raises:
      UserError: a rule that is not there, or images of which no set can be made.
    """
    slots = rule_of(space, settings.rule)
    categories = slots.categories
    nets = {
        "encoder": encoder(settings.encoder, shape, settings.latents, in_training=True),
        "masks": masks_net(settings.masks, settings.latents, mixed),
        "weights": relu_layers(2 * categories, (settings.hidden,), settings.masks),
    }

    def represent(params: Params, images: jax.Array) -> jax.Array:
        return nets["encoder"].apply(params["encoder"], images)

    def pair(
        params: Params, codes: jax.Array, own: jax.Array, other: jax.Array
    ) -> jax.Array:
        """psi of codes (B, D)."""
        given = both_one_hot(own, other, categories)
        weights = jax.nn.softmax(nets["weights"].apply(params["weights"], given))
        return codes * nets["masks"].apply(params["masks"], weights)

    def loss(
        params: Params, hyper: Any, batch: Batch, *, key: jax.Array, step: Any
    ) -> Output:
        del step
        codes, state = nets["encoder"].train(
            params["encoder"], batch["images"], key=key
        )
        found = items(slots, codes, slots.attributes.of_batch(batch), batch["slot"])
        near, far = distances(lambda *given: pair(params, *given), found)
        ranking = jax.vmap(lambda n, f: outfit_ranking(n, f, hyper.margin))(near, far)
        value = told_mean(ranking, batch["told"])
        return Output(value, {"ranking": value}, moved("encoder", state))

    return Method(
        nets=nets,
        players={"csa_net": Player(tuple(nets), loss)},
        represent=represent,
        collate=sets(slots, settings.negatives),
        embed=represent,
        sets=Sets(pair),
    )


RECIPE = Recipe(
    build,
    Settings,
    "CSA-Net, sets in subspaces of two categories (Lin et al. 2020)",
    supervision="all",
    published="Lin et al. 2020: Polyvore outfits, ResNet18, batches of 96, Adam at "
    "5e-5 falling to 0",
)
