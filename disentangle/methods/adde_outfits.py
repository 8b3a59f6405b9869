r"""ADDE-O: sets completed by attention over attributes (Hou et al. 2021).

$$
\psi(x, c, c') = [w_1 F_1 r_1; \ldots; w_A F_A r_A], \qquad
w = \mathrm{softmax}(W_2 \, \mathrm{relu}(W_1 [c; c'] + b_1) + b_2)
$$

The heads r_a of ADDE (adde.py), a linear layer F_a per attribute, and a weight per
attribute from the categories of the two items; the loss is the outfit ranking loss of
CSA-Net (csa_net.py), and the cross-entropies of the attributes. Start it with a run of
`adde` (`init_from`, or as the last of its stages): encoder and heads go over.

The layer F_a sees all of a chunk, so that it undoes a rotation within: which attribute
is looked at, not how well sets are completed, tells whether codes are apart. Where we
differ: the width of F_a and whether w is a softmax are not published, nor is the weight
of the cross-entropies here.
"""

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from disentangle.data.samplers import Batch
from disentangle.data.space import FactorSpace
from disentangle.fields import settings, static, swept
from disentangle.fields.define import WIDEST
from disentangle.methods.adde_losses import outfit_ranking
from disentangle.methods.adde_stages import entropies
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
from disentangle.methods.csa_net import both_one_hot
from disentangle.methods.set_batches import (
    Slots,
    distances,
    items,
    rule_of,
    sets,
    told_mean,
)
from disentangle.methods.subspaces import chunked, unit
from disentangle.nn import (
    ENCODERS,
    Heads,
    Net,
    attribute_heads,
    encoder,
    output_width,
    predicted,
    relu_layers,
)


@settings
class Settings:
    """Of ADDE-O."""

    rule: str = static("", "which images go together; '' is the data set's usual rule")
    encoder: str = static(
        "locatello", "network of images", source=LOCATELLO, choices=ENCODERS
    )
    subspace: int = static(32, "d, dimensions of each attribute", least=1, most=WIDEST)
    hidden: int = static(64, "ReLUs of each head", least=1, most=WIDEST)
    width: int = static(
        32, "dimensions of F_a r_a; 0 leaves F_a out", least=0, most=WIDEST
    )
    attention: int = static(
        32, "ReLUs between categories and weights", least=1, most=WIDEST
    )
    negatives: int = static(4, "items that do not fit, per set", least=1, most=100)
    margin: float = swept(0.3, "m, margin of the ranking", source="Lin et al. 2020")
    entropy: float = swept(0.2, "weight of the cross-entropies")


def layers_net(count: int, inputs: int, outputs: int) -> Net:
    """F of every attribute, (B, A, d) -> (B, A, e); e = 0 leaves chunks as they are."""

    def init(key: jax.Array) -> dict[str, jax.Array]:
        if not outputs:
            return {}
        scale = np.float32(1 / np.sqrt(inputs))
        return {"kernel": scale * jax.random.normal(key, (count, inputs, outputs))}

    def apply(params: Any, codes: jax.Array) -> jax.Array:
        return jnp.einsum("bad,ade->bae", codes, params["kernel"]) if outputs else codes

    return Net(init, apply)


class Model(NamedTuple):
    """The networks, and what they say of images and pairs."""

    nets: dict[str, Net]
    slots: Slots

    def heads(self, params: Params, images: jax.Array) -> Heads:
        """Codes (B, A, d) and logits of images."""
        features = self.nets["encoder"].apply(params["encoder"], images)
        return self.nets["heads"].apply(params["heads"], features)

    def represent(self, params: Params, images: jax.Array) -> jax.Array:
        """(B, A d)."""
        codes = self.heads(params, images).codes
        return codes.reshape(codes.shape[0], -1)

    def weigh(self, params: Params, own: jax.Array, other: jax.Array) -> jax.Array:
        """w, (B, A), of categories (B,)."""
        given = both_one_hot(own, other, self.slots.categories)
        return jax.nn.softmax(self.nets["weights"].apply(params["weights"], given))

    def pair(
        self, params: Params, codes: jax.Array, own: jax.Array, other: jax.Array
    ) -> jax.Array:
        """psi of codes (B, A d)."""
        count = codes.shape[0]
        chunks = codes.reshape(count, len(self.slots.attributes.sizes), -1)
        layered = self.nets["layers"].apply(params["layers"], chunks)
        weighted = layered * self.weigh(params, own, other)[..., None]
        return weighted.reshape(count, -1)

    def attention(self, params: Params) -> jax.Array:
        """(C, C, A) the weights of all pairs of categories."""
        count = self.slots.categories
        both = np.stack(np.divmod(np.arange(count**2), count))
        own, other = jnp.asarray(both, jnp.int32)
        return self.weigh(params, own, other).reshape(count, count, -1)


def model(settings: Settings, space: FactorSpace, shape: tuple[int, int, int]) -> Model:
    """The networks.

    Raises:
      UserError: a rule that is not there, or images of which no set can be made.
    """
    slots = rule_of(space, settings.rule)
    sizes, width = slots.attributes.sizes, settings.subspace
    shared = encoder(settings.encoder, shape, None, in_training=True)
    features = output_width(shared, shape)
    nets = {
        "encoder": shared,
        "heads": attribute_heads(sizes, features, width, settings.hidden),
        "layers": layers_net(len(sizes), width, settings.width),
        "weights": relu_layers(2 * slots.categories, (settings.attention,), len(sizes)),
    }
    return Model(nets, slots)


def build(
    settings: Settings, space: FactorSpace, shape: tuple[int, int, int]
) -> Method:
    """The outfit ranking loss of weighted attributes, and their cross-entropies.

    Raises:
      UserError: a rule that is not there, or images of which no set can be made.
    """
    made = model(settings, space, shape)
    slots, attributes = made.slots, made.slots.attributes

    def loss(
        params: Params, hyper: Any, batch: Batch, *, key: jax.Array, step: Any
    ) -> Output:
        del step
        features, state = made.nets["encoder"].train(
            params["encoder"], batch["images"], key=key
        )
        seen = made.nets["heads"].apply(params["heads"], features)
        labels = attributes.of_batch(batch)
        flat = seen.codes.reshape(seen.codes.shape[0], -1)
        found = items(slots, flat, labels, batch["slot"])
        near, far = distances(partial(made.pair, params), found)
        ranking = jax.vmap(lambda n, f: outfit_ranking(n, f, hyper.margin))(near, far)
        ranked = told_mean(ranking, batch["told"])
        entropy = entropies(seen.predictions, labels)
        value = ranked + hyper.entropy * entropy
        logs = {"ranking": ranked, "entropy": entropy}
        return Output(value, logs, moved("encoder", state))

    return Method(
        nets=made.nets,
        players={"adde_outfits": Player(tuple(made.nets), loss)},
        represent=made.represent,
        attributes=tuple(n for n in attributes.names for _ in range(settings.subspace)),
        collate=sets(slots, settings.negatives),
        embed=lambda params, images: unit(made.heads(params, images).codes, "code"),
        subspaces=chunked(
            attributes, lambda params, codes: predicted(params["heads"], codes)
        ),
        sets=Sets(made.pair, made.attention),
    )


RECIPE = Recipe(
    build,
    Settings,
    "ADDE-O, sets by attention over attributes (Hou et al. 2021)",
    supervision="all",
)
