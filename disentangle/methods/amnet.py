r"""AMNet: an edit by a fused prototype of the wanted value (Zhao et al. 2017).

$$
r' = \mathrm{relu}(W [r; t] + b), \qquad t = P^\top i^+
$$

$$
\mathcal{L} = \sum_a \mathrm{CE}_a(r) + \mathrm{CE}_a(r')
+ \max(0, \|r' - r_+\| - \|r' - r_-\| + m)
$$

"Memory-augmented attribute manipulation networks for interactive fashion search" (CVPR
2017): the code r has no parts; a memory P holds a prototype of every value, the
indicator i+ (S,) picks those that are wanted, and one layer makes the code r' of the
edited image of both. r+ is the code of an image with the labels after the edit, r- of
one with others, d(x, y) = |x - y + 1e-6|.

Stage 1, `learns="attributes"`, is the cross-entropies of r alone; P starts at the class
means of its codes. The details of the published network beyond these equations are not
known to us: r is what the encoder's last ReLU gives, the classifier one linear layer
for r and r' alike, P is learned with the rest, and W starts at the identity of r, b at
0, so that training starts from an edit that changes nothing.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from disentangle.data.samplers import Batch, Split
from disentangle.data.space import FactorSpace
from disentangle.fields import settings, static, swept
from disentangle.methods.adde_losses import compositional_triplet
from disentangle.methods.adde_model import table_net
from disentangle.methods.adde_stages import entropies
from disentangle.methods.attributes import Attributes, learned, parse
from disentangle.methods.base import (
    LOCATELLO,
    Method,
    Output,
    Params,
    Player,
    Recipe,
    Subspaces,
    moved,
)
from disentangle.methods.prototypes import class_means, one_hot
from disentangle.methods.subspaces import evidence, log_probabilities
from disentangle.methods.triplets import NEGATIVES, triplets, without_replacement
from disentangle.nn import ENCODERS, Net, encoder, linear, output_width

LEARNS = ("edits", "attributes")


@settings
class Settings:
    """Of AMNet."""

    learns: str = static("edits", "stage 2, or 'attributes', stage 1", choices=LEARNS)
    attributes: tuple[str, ...] = learned()
    encoder: str = static(
        "locatello", "network of images", source=LOCATELLO, choices=ENCODERS
    )
    negatives: str = static("random", "of triplets", choices=NEGATIVES)
    margin: float = swept(0.5, "m, margin of triplets")
    entropy: float = swept(1.0, "weight of the cross-entropies")
    ranking: float = swept(1.0, "weight of the triplets")


def apart(logits: jax.Array, attributes: Attributes) -> tuple[jax.Array, ...]:
    """(B, S) -> A arrays (B, K_a)."""
    cuts = list(attributes.starts[1:])
    return tuple(jnp.split(logits, cuts, axis=1))


class Model(NamedTuple):
    """The networks, and what they say of images and codes."""

    nets: dict[str, Net]
    attributes: Attributes
    width: int  # D

    def represent(self, params: Params, images: jax.Array) -> jax.Array:
        """r, (B, D)."""
        return self.nets["encoder"].apply(params["encoder"], images)

    def classify(self, params: Params, codes: jax.Array) -> tuple[jax.Array, ...]:
        """A arrays (B, K_a)."""
        logits = self.nets["classifier"].apply(params["classifier"], codes)
        return apart(logits, self.attributes)

    def fused(self, params: Params, codes: jax.Array, wanted: jax.Array) -> jax.Array:
        """r' of r (B, D) and wanted values (B, A), -1 where an attribute stays."""
        values = one_hot(self.attributes.sizes, wanted)
        prototype = self.nets["memory"].apply(params["memory"], values)
        both = jnp.concatenate([codes, prototype], axis=1)
        return jax.nn.relu(self.nets["fusion"].apply(params["fusion"], both))

    def started(self, params: Params, split: Split) -> Params:
        """P at the class means of r, which is the chunk of every attribute."""
        count = len(self.attributes.sizes)

        def read(images: jax.Array) -> tuple[jax.Array, tuple[jax.Array, ...]]:
            codes = self.represent(params, images)
            chunks = jnp.broadcast_to(codes[:, None], (len(codes), count, self.width))
            return chunks, self.classify(params, codes)

        kernels = apart(params["classifier"]["kernel"], self.attributes)
        found = class_means(evidence(split, self.attributes, read, kernels))
        return params | {"memory": {"table": found}}

    def edit(
        self,
        params: Params,
        codes: jax.Array,
        old: jax.Array,
        new: jax.Array,
        alpha: jax.Array,
        *,
        mode: str,
    ) -> jax.Array:
        """r + alpha (r' - r) in both modes: what an image had is not asked."""
        del old, mode
        is_moved = (new >= 0).any(1, keepdims=True)
        far = alpha[:, None] * (self.fused(params, codes, new) - codes)
        return codes + jnp.where(is_moved, far, 0.0)


def fusion(width: int) -> Net:
    """The layer of r and t, (B, 2 D) -> (B, D), that at first gives r itself."""
    layer = linear(2 * width, width)
    first = lambda key: layer.init(key) | {"kernel": jnp.eye(2 * width, width)}
    return layer._replace(init=first)


def model(settings: Settings, space: FactorSpace, shape: tuple[int, int, int]) -> Model:
    """The networks of a stage.

    Raises:
      UserError: attributes that the space does not have.
    """
    attributes = parse(space, settings.attributes)
    nets = {"encoder": encoder(settings.encoder, shape, None, in_training=True)}
    width = output_width(nets["encoder"], shape)
    nets["classifier"] = linear(width, attributes.values)
    if settings.learns == "edits":
        nets["memory"] = table_net((width, attributes.values))
        nets["fusion"] = fusion(width)
    return Model(nets, attributes, width)


def build(
    settings: Settings, space: FactorSpace, shape: tuple[int, int, int]
) -> Method:
    """The cross-entropies of r; in stage 2 also those of r', and triplets of it.

    Raises:
      UserError: attributes that the space does not have.
    """
    made = model(settings, space, shape)
    attributes, is_second = made.attributes, settings.learns == "edits"

    def loss(
        params: Params, hyper: Any, batch: Batch, *, key: jax.Array, step: Any
    ) -> Output:
        del step
        codes, held = made.nets["encoder"].train(
            params["encoder"], batch["images"], key=key
        )
        state = moved("encoder", held)
        labels = attributes.of_batch(batch)
        if not is_second:
            entropy = entropies(made.classify(params, codes), labels)
            return Output(hyper.entropy * entropy, {"entropy": entropy}, state)
        reference, positive, negative = jnp.split(codes, 3)
        own, target, _ = jnp.split(labels, 3)
        edited = made.fused(params, reference, jnp.where(own != target, target, -1))
        entropy = entropies(made.classify(params, reference), own)
        entropy += entropies(made.classify(params, edited), target)
        ranking = compositional_triplet(edited, positive, negative, hyper.margin)
        ranking = jnp.where(batch["paired"].any(), ranking, 0.0)
        value = hyper.entropy * entropy + hyper.ranking * ranking
        return Output(value, {"entropy": entropy, "ranking": ranking}, state)

    return Method(
        nets=made.nets,
        players={"amnet": Player(tuple(made.nets), loss)},
        represent=made.represent,
        collate=triplets(attributes, settings.negatives)
        if is_second
        else without_replacement,
        embed=made.represent,
        subspaces=Subspaces(
            attributes.names,
            attributes.sizes,
            attributes.labels,
            alike=lambda params, codes, attribute: codes,
            classify=lambda params, codes: log_probabilities(
                made.classify(params, codes)
            ),
            edit=made.edit if is_second else None,
        ),
        begin=made.started if is_second else None,
    )


RECIPE = Recipe(
    build,
    Settings,
    "AMNet, an edit as a fused prototype (Zhao et al. 2017)",
    supervision="all",
)
