"""One model on several devices: the images of a step are dealt out among them.

For the model that is too big for one device; everything else is dealt out as whole
models (training/devices.py), which keeps their bits. Here the parameters are the same
on every device, of one process or of several that were joined (`join`), each device
computes the loss of its share of the images, and XLA adds the gradients up. A sum in
another order has other last bits: after 20 steps of a small VAE on two devices no
parameter differed from one device by more than 1e-6 (tests/training/test_data_axis.py).
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import numpy as np
from jax.experimental import multihost_utils
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from disentangle.data.samplers import Batch, Split
from disentangle.errors import UserError
from disentangle.methods.base import Method

DEVICES = {
    "members": "each trains models of its own, with the bits of one device",
    "images": "all train one model, each on its share of a step's images",
}
AXIS = "images"


class DataAxis(NamedTuple):
    """The devices of all joined processes, as one axis over the images of a step."""

    mesh: Mesh

    @property
    def everywhere(self) -> NamedSharding:
        """The same array on every device."""
        return NamedSharding(self.mesh, PartitionSpec())

    def method(self, method: Method) -> Method:
        """The method, whose batches are dealt out over the devices."""

        def collate(split: Split, index: jax.Array, key: jax.Array) -> Batch:
            return self.dealt(method.collate(split, index, key))

        return method._replace(collate=collate)

    def dealt(self, batch: Batch) -> Batch:
        """Every field of a batch split along its images, where they divide evenly."""
        parts = NamedSharding(self.mesh, PartitionSpec(AXIS))
        count = self.mesh.size
        return {
            name: jax.lax.with_sharding_constraint(
                x, parts if x.shape[0] % count == 0 else self.everywhere
            )
            for name, x in batch.items()
        }

    def spread(self, tree: Any) -> Any:
        """What process 0 has of a tree, on every device."""
        leaves, structure = jax.tree.flatten(tree)
        raw = [jax.random.key_data(x) if _is_key(x) else x for x in leaves]
        if jax.process_count() > 1:
            raw = multihost_utils.broadcast_one_to_all(jax.device_get(raw))
        placed = [
            jax.random.wrap_key_data(x) if _is_key(like) else x
            for x, like in zip(
                jax.device_put(raw, self.everywhere), leaves, strict=True
            )
        ]
        return jax.tree.unflatten(structure, placed)

    def agreed(self, first: int, most: int = 0) -> tuple[int, int]:
        """(what process 0 says of the first number, the largest of the second)."""
        if jax.process_count() == 1:
            return first, most
        said = multihost_utils.process_allgather(np.array([first, most], np.int32))
        return int(said[0, 0]), int(said[:, 1].max())


def data_axis(batch_size: int, source: str) -> DataAxis:
    """The axis over all devices there are.

    Raises:
      UserError: the images of a step do not divide evenly among the devices, or come
        from the host.
    """
    devices = jax.devices()
    if source == "stream":
        raise UserError(
            "devices='images' does not go with data.source='stream', which gives its "
            "images to one device"
        )
    if batch_size % len(devices):
        raise UserError(
            f"batch_size={batch_size} images cannot be dealt out evenly over "
            f"{len(devices)} devices: take a multiple of {len(devices)}"
        )
    return DataAxis(Mesh(np.array(devices), (AXIS,)))


def is_follower(axis: Any) -> bool:
    """Whether process 0 of those that are joined keeps what this one trains with it.

    Args:
      axis: a DataAxis, or None where devices do not share images.
    """
    return axis is not None and jax.process_index() > 0


def refuse_joined(stages: int, devices: str) -> None:
    """Raises UserError where joined processes would not train the same model."""
    if jax.process_count() == 1:
        return
    if devices != "images":
        raise UserError(
            "joined processes train one model, with devices='images'; for models of "
            "their own leave them apart, see --shard and --executor of `study`"
        )
    if stages > 1:
        raise UserError(f"joined processes train one stage, not {stages}")


def join(address: str, connect: Callable[..., None] | None = None) -> None:
    """Joins this process to others that train the same model; before any compute.

    Args:
      address: "HOST:PORT,I/N", process I (0 .. N - 1) of N, where process 0 listens
        on that port; or "auto", as SLURM, Open MPI or a TPU pod tell their processes.
      connect: called instead of `jax.distributed.initialize`.

    Raises:
      UserError: the words say no such thing, or the others did not come.
    """
    connect = connect or jax.distributed.initialize
    where, _, place = address.partition(",")
    number, _, count = place.partition("/")
    given: dict[str, Any] = {}
    if address != "auto":
        known = number.isdecimal() and count.isdecimal() and ":" in where
        if not (known and where.rpartition(":")[2].isdecimal()):
            raise UserError(f"join={address!r} is neither auto nor HOST:PORT,I/N")
        if not int(number) < int(count):
            raise UserError(
                f"join={address!r}: processes are 0 .. {int(count) - 1}, not {number}"
            )
        given = {
            "coordinator_address": where,
            "process_id": int(number),
            "num_processes": int(count),
        }
    try:
        connect(**given)
    except (RuntimeError, ValueError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise UserError(f"join={address!r}: {reason}") from None


def _is_key(leaf: Any) -> bool:
    return jax.dtypes.issubdtype(leaf.dtype, jax.dtypes.prng_key)
