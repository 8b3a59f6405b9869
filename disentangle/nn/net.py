"""A network as two pure functions; the only thing the rest of the project sees."""

import inspect
import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from flax import linen

from disentangle.errors import UserError
from disentangle.nn.layers import Declared

Params = Any
State = dict[str, Any]  # per collection: "batch_stats", ...


@partial(
    jax.tree_util.register_dataclass,
    data_fields=["params", "state"],
    meta_fields=["is_frozen"],
)
@dataclass(frozen=True)
class Variables:
    """The parameters and the state of a network that has a state.

    Attributes:
      params: what a gradient moves.
      state: what a pass in training moves: running statistics, spectral norms.
      is_frozen: the network is being evaluated: `Net.train` then is `Net.apply`, and
        the state stays.
    """

    params: Params
    state: State
    is_frozen: bool = False


class Net(NamedTuple):
    """A network: variables from a key, outputs from variables and inputs.

    Attributes:
      init: `init(key) -> variables`, a nested dict of float32 arrays, the parameters;
        `Variables` for a network with a state. `key` is a typed key
        (`jax.random.key`). Vmap it over keys for a population.
      apply: `apply(variables, x) -> y`, pure and differentiable in both arguments;
        `x` has one leading batch axis, or is a dict of such arrays. A state is read
        (running statistics), and stays.
      layers: `layers(params, x) -> (h_1, ..., y)`, the hidden layers and then the
        output, of a network that has second derivatives everywhere; None for one
        that is piecewise linear, or that does not say.
      update: `update(variables, x, key) -> (y, state)`, the pass in training of a
        network that has one of its own (batch statistics, dropout); see `train`.
    """

    init: Callable[[jax.Array], Any]
    apply: Callable[[Any, Any], Any]
    layers: Callable[[Params, jax.Array], tuple[jax.Array, ...]] | None = None
    update: Callable[[Any, Any, Any], tuple[Any, State]] | None = None

    def train(
        self, variables: Any, x: Any, *, key: jax.Array | None = None
    ) -> tuple[Any, State]:
        """The pass in training.

        Args:
          variables: as `init` gives them; frozen ones are passed through `apply`.
          x: as for `apply`.
          key: for dropout; None for a network that has none.

        Returns:
          (output, new state); the state is {} where the network has none.
        """
        is_stateful = isinstance(variables, Variables)
        if self.update is None or (is_stateful and variables.is_frozen):
            return self.apply(variables, x), variables.state if is_stateful else {}
        return self.update(variables, x, key)


def halved(who: str, shape: tuple[int, int, int], least: int = 16) -> None:
    """Raises UserError for an image that cannot be halved four times.

    Args:
      who: the network, as "encoder 'locatello'".
      shape: (H, W, C) of one image.
      least: the smallest height and width that it takes.
    """
    height, width, channels = shape
    if channels < 1 or any(n < least or n % 16 for n in (height, width)):
        raise UserError(
            f"{who} takes images whose height and width are multiples of 16, at least "
            f"{least}, not {height}x{width}x{channels}: take the network "
            "'padded', or 'chen', which take any size"
        )


Shape = tuple[int, ...] | dict[str, tuple[int, ...]]


def zeros(shape: Shape) -> Any:
    """One input of zeros, with its batch axis: an array, or a dict of them."""
    is_one = lambda held: isinstance(held, tuple)
    return jax.tree.map(
        lambda one: jnp.zeros((1, *one), jnp.float32), shape, is_leaf=is_one
    )


def from_module(module: linen.Module, shape: Shape, *, smooth: bool = False) -> Net:
    """The Net of a Linen module.

    The layers of `layers.py` start as `glorot_uniform` says, all others with the
    initialisers that they have.

    Args:
      module: takes one float32 array (B, *shape), or a dict of them. A module whose
        `__call__` also takes `train` (bool) may have a state (batch statistics,
        spectral norms) or dropout, and is passed train=True in training.
      shape: one input without its batch axis; of a module that takes a dict of
        arrays, of each of them by name.
      smooth: whether it has second derivatives everywhere; its method `layers` then
        gives the Net's.
    """
    if "train" in inspect.signature(type(module).__call__).parameters:
        return _with_state(module, shape)

    def init(key: jax.Array) -> Params:
        started = start_values(module.init, shape, key)
        if set(started) != {"params"}:
            kept = ", ".join(sorted(set(started) - {"params"}))
            raise TypeError(
                f"{type(module).__name__} has a state ({kept}): let its __call__ take "
                "`train`"
            )
        return started["params"]

    def apply(params: Params, x: jax.Array) -> Any:
        return module.apply({"params": params}, x)

    def layers(params: Params, x: jax.Array) -> Any:
        return module.apply({"params": params}, x, method="layers")

    return Net(init, apply, layers if smooth else None)


def _with_state(module: linen.Module, shape: Shape) -> Net:
    """`from_module` of a module that takes `train`; its variables are `Variables`."""

    def init(key: jax.Array) -> Variables:
        started = start_values(partial(module.init, train=False), shape, key)
        return Variables(started.pop("params", {}), started)

    def apply(variables: Variables, x: jax.Array) -> Any:
        held = {"params": variables.params, **variables.state}
        return module.apply(held, x, train=False)

    def update(variables: Variables, x: jax.Array, key: Any) -> tuple[Any, State]:
        held = {"params": variables.params, **variables.state}
        rngs = None if key is None else {"dropout": key}
        y, state = module.apply(
            held, x, train=True, mutable=list(variables.state), rngs=rngs
        )
        return y, dict(state)

    return Net(init, apply, update=update)


def start_values(
    start: Callable[..., Any], shape: Shape, key: jax.Array
) -> dict[str, Any]:
    """The variables of a module at the start, by collection.

    Args:
      start: a Linen module's `init`.
      shape: one input without its batch axis.
      key: a typed key.

    Our own layers start from one draw of `key` (`glorot_uniform`) and one for all that
    start as normal numbers; the rest, of Linen's layers, from another key.
    """
    x = zeros(shape)
    is_ours = lambda leaf: isinstance(leaf, Declared)
    found = dict(jax.eval_shape(start, key, x))
    flat = partial(jax.tree_util.tree_flatten_with_path, is_leaf=is_ours)
    leaves, tree = flat(found.get("params", {}))
    if set(found) != {"params"} or not all(is_ours(leaf) for _, leaf in leaves):
        found = dict(start(jax.random.fold_in(key, 1), x))
        leaves, _ = flat(found.get("params", {}))
    own = _started(key, [(path, leaf) for path, leaf in leaves if is_ours(leaf)])
    params = [own[path] if is_ours(leaf) else leaf for path, leaf in leaves]
    return found | {"params": jax.tree.unflatten(tree, params)}


def _started(key: jax.Array, leaves: list[tuple[Any, Declared]]) -> dict[Any, Any]:
    """Path -> the start value of a parameter of ours."""
    spread = {path: leaf.spread for path, leaf in leaves if leaf.spread}
    shapes = [(path, leaf.value) for path, leaf in leaves if path not in spread]
    values = dict(zip(dict(shapes), _glorot_uniform(key, shapes), strict=True))
    wide = [(path, leaf.value.shape) for path, leaf in leaves if path in spread]
    total = sum(math.prod(shape) for _, shape in wide)
    drawn = jax.random.normal(jax.random.fold_in(key, 2), (total,))
    used = 0
    for path, shape in wide:
        size = math.prod(shape)
        values[path] = spread[path] * drawn[used : used + size].reshape(shape)
        used += size
    return values


def output_width(net: Net, shape: tuple[int, ...]) -> int:
    """Size of the last axis of a network's output for inputs of `shape` each.

    Nothing is computed: the shapes are traced.
    """
    x = jax.ShapeDtypeStruct((1, *shape), jnp.float32)
    run = lambda seed, x: net.apply(net.init(jax.random.key(seed)), x)
    return jax.eval_shape(run, 0, x).shape[-1]


def glorot_uniform(key: jax.Array, shapes: Params) -> Params:
    """Start values of TensorFlow 1's layers, which Locatello et al. 2019 used.

    A kernel (..., n_in, n_out) is uniform within sqrt(6 / (fan_in + fan_out)), each
    fan counting the kernel's window (Glorot and Bengio 2010, eq. 16); a bias is zero.
    All kernels come from one draw; a separate draw for each takes XLA ten times as
    long to compile.

    Args:
      key: a typed key.
      shapes: pytree with shapes at its leaves: kernels under the name "kernel", all
        others (biases, offsets of a scale from 1) start at zero.
    """
    leaves, tree = jax.tree_util.tree_flatten_with_path(shapes)
    return jax.tree.unflatten(tree, _glorot_uniform(key, leaves))


def _glorot_uniform(key: jax.Array, leaves: list[tuple[Any, Any]]) -> list[jax.Array]:
    """The values of (path, shape) pairs, in their order."""
    total = sum(leaf.size for path, leaf in leaves if path[-1].key == "kernel")
    uniform = jax.random.uniform(key, (total,), jnp.float32, -1.0, 1.0)
    values, used = [], 0
    for path, leaf in leaves:
        if path[-1].key == "kernel":
            *window, fan_in, fan_out = leaf.shape
            limit = math.sqrt(6 / (math.prod(window) * (fan_in + fan_out)))
            draw = uniform[used : used + leaf.size]
            values.append(limit * draw.reshape(leaf.shape))
            used += leaf.size
        else:
            values.append(jnp.zeros(leaf.shape, jnp.float32))
    return values
