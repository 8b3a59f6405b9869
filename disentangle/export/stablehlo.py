"""A function of one model as a serialised StableHLO program (`jax.export`)."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from disentangle.data.precision import float32
from disentangle.errors import UserError

PLATFORMS = ("cpu", "cuda", "tpu")


def flatbuffers_library() -> Any:
    """flatbuffers, with which jax.export serialises; UserError without the extra."""
    try:
        import flatbuffers
    except ImportError:
        raise UserError(
            "--format=stablehlo needs the extra: pip install -e '.[export]'"
        ) from None
    return flatbuffers


@float32()
def stablehlo_bytes(
    function: Callable[[Any, jax.Array], jax.Array],
    params: Any,
    shape: tuple[int, ...],
) -> bytes:
    """`x -> function(params, x)` for any batch, the parameters inside.

    `jax.export.deserialize(data).call(x)` runs it, on a CPU, a CUDA GPU or a TPU, with
    JAX alone; its `mlir_module_serialized` is the program for other compilers.

    Args:
      function: (params, (B, *shape) float32) -> (B, ...) float32, pure.
      params: pytree of arrays.
      shape: of one input, without the batch.

    Raises:
      UserError: flatbuffers is not installed.
    """
    flatbuffers_library()
    (batch,) = jax.export.symbolic_shape("batch")
    x = jax.ShapeDtypeStruct((batch, *shape), jnp.float32)
    program = jax.jit(lambda images: function(params, images))
    return bytes(jax.export.export(program, platforms=PLATFORMS)(x).serialize())
