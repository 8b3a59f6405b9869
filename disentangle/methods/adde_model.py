"""The networks of ADDE: a backbone, a head per attribute, and the memory."""

from typing import Any, NamedTuple

import jax

from disentangle.data.samplers import Batch
from disentangle.data.space import FactorSpace
from disentangle.methods.adde_stages import Choices, Images
from disentangle.methods.attributes import Attributes, parse
from disentangle.methods.base import Params, moved
from disentangle.methods.prototypes import memory
from disentangle.nn import Heads, Net, attribute_heads, encoder, output_width


class Model(NamedTuple):
    """What both stages have: networks, and the labels they are told."""

    nets: dict[str, Net]
    attributes: Attributes
    choices: Choices

    def see(self, params: Params, batch: Batch, key: Any) -> tuple[Images, dict]:
        """What networks and labels say of the images of a batch; the encoder's state.

        Args:
          params: of all networks.
          batch: the images.
          key: for dropout; None for none.
        """
        features, state = self.nets["encoder"].train(
            params["encoder"], batch["images"], key=key
        )
        heads: Heads = self.nets["heads"].apply(params["heads"], features)
        labels = self.attributes.of_batch(batch)
        seen = Images(heads.codes, heads.predictions, labels)
        return seen, moved("encoder", state)

    def describe(self, params: Params, images: jax.Array) -> Heads:
        """(B, H, W, C) -> codes (B, A, d) and logits, in evaluation."""
        features = self.nets["encoder"].apply(params["encoder"], images)
        return self.nets["heads"].apply(params["heads"], features)

    def matrix(self, params: Params) -> jax.Array:
        """M, (A d, S)."""
        table, sizes = params["memory"]["table"], self.attributes.sizes
        return table if self.is_dense else memory(table, sizes)

    @property
    def is_dense(self) -> bool:
        """Whether "table" is all of M, and not the columns of its blocks."""
        return self.choices.memory == "dense"


def model(settings: Any, space: FactorSpace, shape: tuple[int, int, int]) -> Model:
    """Encoder and heads; stage 2 also has the memory.

    Raises:
      UserError: attributes that the space does not have.
    """
    attributes = parse(space, settings.attributes)
    sizes, width = attributes.sizes, settings.subspace
    shared = encoder(settings.encoder, shape, None, in_training=True)
    features = output_width(shared, shape)
    nets = {
        "encoder": shared,
        "heads": attribute_heads(sizes, features, width, settings.hidden),
    }
    if settings.learns == "edits":
        rows = width * len(sizes) if settings.memory == "dense" else width
        nets["memory"] = table_net((rows, sum(sizes)))
    choices = Choices(
        sizes, settings.memory, settings.missing, settings.tie, settings.length
    )
    return Model(nets, attributes, choices)


def table_net(shape: tuple[int, int]) -> Net:
    """A table of numbers as a network: (B, n) -> (B, m), "table" its matrix (m, n)."""

    def init(key: jax.Array) -> dict[str, jax.Array]:
        return {"table": 0.1 * jax.random.normal(key, shape)}

    return Net(init, lambda params, x: x @ params["table"].T)
