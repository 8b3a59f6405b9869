r"""Type-aware embeddings: a mask for every pair of categories (Vasileva et al. 2018).

$$
\mathcal{L} = \max(0, d_{uv}(x_u, x_v) - d_{uv}(x_u, x'_v) + m)
+ \lambda_1 \frac{\bar{\|x\|}}{\sqrt{B}} + \lambda_2 \|w\|_1, \qquad
d_{uv}(x, y) = \| \mathrm{relu}(w_{uv}) \odot (x - y) \|
$$

"Learning type-aware embeddings for fashion compatibility" (ECCV 2018), the learned
masks of the authors' code: items u and v of a set are closer, under the mask of their
two categories, than u and another item of v's category.

Where we differ: there is no text, and so none of its losses and no similarity losses;
the mask has its ReLU also when it is tested (in their code it has not); a distance has
the 1e-6 of CSN; the hinge is a mean over the items of a set and its negatives.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from disentangle.data.samplers import Batch
from disentangle.data.space import FactorSpace
from disentangle.fields import settings, static, swept
from disentangle.fields.define import WIDEST
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
    pair_number,
    rule_of,
    sets,
    told_mean,
)
from disentangle.nn import ENCODERS, encoder

CODE = "Vasileva et al. 2018, code"
LEAST = 1e-12  # squared distance below which a root has no gradient


@settings
class Settings:
    """Of type-aware embeddings."""

    rule: str = static("", "which images go together; '' is the data set's usual rule")
    encoder: str = static(
        "locatello", "network of images", source=LOCATELLO, choices=ENCODERS
    )
    latents: int = static(
        64, "D, dimensions of the code", source=CODE, least=1, most=WIDEST
    )
    negatives: int = static(1, "items that do not fit, per set", least=1, most=100)
    margin: float = swept(0.3, "m, margin of triplets", source=CODE)
    code_norm: float = swept(5e-4, "lambda_1, weight of the codes' norm", source=CODE)
    mask_norm: float = swept(5e-4, "lambda_2, weight of the masks' norm", source=CODE)


def bent(table: jax.Array, which: jax.Array) -> jax.Array:
    """Masks (B, D): rows of the table (pairs, D) after a ReLU."""
    return jax.nn.relu(table)[which]


def build(
    settings: Settings, space: FactorSpace, shape: tuple[int, int, int]
) -> Method:
    """Triplets of items under the mask of their categories.

    Raises:
      UserError: a rule that is not there, or images of which no set can be made.
    """
    slots = rule_of(space, settings.rule)
    count = slots.categories * (slots.categories + 1) // 2
    nets = {
        "encoder": encoder(settings.encoder, shape, settings.latents, in_training=True),
        "masks": masks_net(count, settings.latents, bent),
    }

    def represent(params: Params, images: jax.Array) -> jax.Array:
        return nets["encoder"].apply(params["encoder"], images)

    def mask(params: Params, own: jax.Array, other: jax.Array) -> jax.Array:
        number = pair_number(own, other, slots.categories)
        return nets["masks"].apply(params["masks"], number)

    def pair(
        params: Params, codes: jax.Array, own: jax.Array, other: jax.Array
    ) -> jax.Array:
        return codes * mask(params, own, other)

    def loss(
        params: Params, hyper: Any, batch: Batch, *, key: jax.Array, step: Any
    ) -> Output:
        del step
        codes, state = nets["encoder"].train(
            params["encoder"], batch["images"], key=key
        )
        found = items(slots, codes, slots.attributes.of_batch(batch), batch["slot"])
        near, far = distances(lambda *given: pair(params, *given), found)
        root = lambda square: jnp.sqrt(jnp.maximum(square, LEAST))
        hinge = jax.nn.relu(root(near)[:, None] - root(far) + hyper.margin)
        triplet = told_mean(hinge.mean((1, 2)), batch["told"])
        norms = jnp.sqrt((codes * codes).sum()) / np.float32(np.sqrt(len(codes)))
        used = [mask(params, found.own, other) for other in found.theirs]
        mask_norm = jnp.stack([m.sum(1).mean() for m in used]).mean()
        value = triplet + hyper.code_norm * norms + hyper.mask_norm * mask_norm
        logs = {"triplet": triplet, "code_norm": norms, "mask_norm": mask_norm}
        return Output(value, logs, moved("encoder", state))

    return Method(
        nets=nets,
        players={"type_aware": Player(tuple(nets), loss)},
        represent=represent,
        collate=sets(slots, settings.negatives),
        embed=represent,
        sets=Sets(pair),
    )


RECIPE = Recipe(
    build,
    Settings,
    "type-aware embeddings, a mask per pair of categories (Vasileva et al. 2018)",
    supervision="all",
    published="Vasileva et al. 2018: Polyvore outfits with texts, ResNet18, 10 epochs "
    "of batches of 256, Adam at 5e-5",
)
