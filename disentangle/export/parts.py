"""The two networks of one model, as functions of its parameters: encoder, decoder."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import numpy as np

from disentangle.errors import UserError
from disentangle.export.graph import Graph
from disentangle.export.tidy import tidied
from disentangle.export.trace import traced
from disentangle.training.encode import width
from disentangle.training.trained import Run


class Part(NamedTuple):
    """One of them.

    Attributes:
      name: "encoder" or "decoder".
      function: (params, (B, *shape)) -> (B, ...), of one model.
      shape: of one input, without the batch.
      names: of input and output: "images" and "codes", or the reverse.
    """

    name: str
    function: Callable[[Any, jax.Array], jax.Array]
    shape: tuple[int, ...]
    names: tuple[str, str]


def parts_of(run: Run) -> tuple[Part, ...]:
    """The encoder, images -> codes, and the decoder where the method has one."""
    method, shape = run.method, run.spec.shape
    encoder = Part("encoder", method.represent, shape, ("images", "codes"))
    if method.decode is None:
        return (encoder,)
    latents = (width(method.represent, run.params, shape),)
    return encoder, Part("decoder", method.decode, latents, ("codes", "images"))


def params_of(run: Run, index: int) -> Any:
    """The parameters of one model, on the host.

    Raises:
      UserError: it diverged: its numbers say nothing.
    """
    if not run.alive[index]:
        raise UserError(f"model {run.members[index]!r} diverged: it is not written")
    return jax.tree.map(np.asarray, run.member(index))


def graphs_of(run: Run, index: int, format: str) -> dict[str, Graph]:
    """The graph of each part of one model, for formats that are written by hand.

    Raises:
      UserError: a part computes what has no rule; it is named.
    """
    params, found = params_of(run, index), {}
    for part in parts_of(run):
        try:
            graph = traced(part.function, params, part.shape, part.names)
        except UserError as error:
            name = run.config["method"]["name"]
            raise UserError(
                f"the {part.name} of {name!r} cannot be written as {format}: {error}"
            ) from None
        found[part.name] = tidied(graph)
    return found
