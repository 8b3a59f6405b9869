"""Where a run starts: with the parameters of another, by path and shape.

An array goes over where both runs have one of its path (params.encoder.Dense_0.kernel),
shape and type: parameters, as moving averages where the source has them (what it is
evaluated with), and the states of networks. The rest is fresh, and so are steps,
optimisers and the moving averages, which start as the parameters do. Batches and noise
are others than those of the same seed in the source: the steps that the parameters have
had are folded into its key.
"""

import dataclasses
import functools
import hashlib
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from disentangle.errors import UserError
from disentangle.methods.base import Method
from disentangle.progress import say
from disentangle.records import JsonRecord
from disentangle.training.checkpoint import leaf_name
from disentangle.training.config import Experiment
from disentangle.training.loop import start
from disentangle.training.state import TrainState, apart
from disentangle.training.trained import Run

MEMORY = "memory:"  # before the digest of a Run that lives in no workdir
SHOWN = 4  # arrays that a sentence names
Table = dict[str, Any]  # path -> array, or shape and type, with the members' axis


@dataclasses.dataclass(frozen=True)
class Origin(JsonRecord):
    """init.json: what a run began with.

    Attributes:
      source: the run that it came from, as it was named.
      step: the step that run was at.
      before: steps that the parameters have had, in that run and before it.
      digests: id of each model of the source -> SHA-256 of its arrays.
      copied: paths of the arrays that went over.
      fresh: paths of the others.
      told: what that run, and those before it, were told (methods/supervision.py).
    """

    FILE: ClassVar[str] = "init.json"
    source: str
    step: int
    before: int
    digests: dict[str, str]
    copied: tuple[str, ...]
    fresh: tuple[str, ...]
    told: str = "none"


class Given(NamedTuple):
    """What a run can start with: the arrays of M models, on the host.

    Attributes:
      arrays: path -> (M, ...), parameters and states.
      ids: (M,) names of the models.
      alive: (M,) bool, which did not diverge.
      step: that they are at.
      before: steps that their parameters had before.
      told: what they were told until now (methods/supervision.py).
    """

    arrays: Table
    ids: tuple[str, ...]
    alive: np.ndarray
    step: int = 0
    before: int = 0
    told: str = "none"


def given_by(run: Run) -> Given:
    """The models of a run."""
    arrays = jax.device_get(table(*apart(run.params)))
    ids = tuple(one.id for one in run.population)
    return Given(arrays, ids, run.alive, run.step, run.before, run.supervision)


class Start:
    """What a run starts with, read when it is needed.

    Args:
      name: of the source, in sentences and in init.json.
      read: gives it.
    """

    def __init__(self, name: str, read: Callable[[], Given]):
        self.name, self._read = name, read

    @functools.cached_property
    def source(self) -> Given:
        """The models."""
        return self._read()

    def origin(self, experiment: Experiment, method: Method) -> Origin:
        """What these models begin with.

        Raises:
          UserError: no array goes over; the source has more than one model, and not as
            many as there are to be; all of its models diverged.
        """
        arrays, ids, alive, step, before, told = self.source
        refuse_other_number(self.name, len(ids), len(experiment.members))
        if not alive.any():
            raise UserError(f"init_from {self.name}: all of its models diverged")
        wanted = shapes(experiment, method)
        copied, fresh = matched(self.name, arrays, wanted, method.whole)
        digests = {
            one: _digest({name: held[at] for name, held in arrays.items()})
            for at, one in enumerate(ids)
        }
        return Origin(self.name, step, step + before, digests, copied, fresh, told)

    def begin(self, state: TrainState, rows: Sequence[int]) -> TrainState:
        """Step 0 of some models of a run, with what goes over.

        Args:
          state: of these models, fresh.
          rows: their places in the run; those of a source of several models.
        """
        arrays, ids, alive, step, before, _ = self.source
        at = np.asarray(rows if len(ids) > 1 else [0] * len(rows))
        tree = {"params": state.params, "state": state.state}
        copied, _ = matched(self.name, arrays, table(**tree))

        def leaf(path: Any, fresh: jax.Array) -> jax.Array:
            name = leaf_name(path)
            return jnp.array(arrays[name][at] if name in copied else fresh)

        new = jax.tree_util.tree_map_with_path(leaf, tree)
        averages = {net: new["params"][net] for net in state.average}
        return state._replace(
            params=new["params"],
            state=new["state"],
            average=jax.tree.map(jnp.copy, averages),  # a program takes each once
            key=jax.vmap(lambda key: jax.random.fold_in(key, step + before))(state.key),
            alive=jnp.array(alive[at]),
        )


def name_of(run: Run) -> str:
    """What a run is called as a source: its workdir, or what its arrays are."""
    if run.workdir is not None:
        return os.path.abspath(run.workdir)
    arrays = jax.device_get(table(*apart(run.params)))
    return MEMORY + _digest(arrays)[:16]


def shapes(experiment: Experiment, method: Method) -> Table:
    """Path -> shape and type of what models of a run hold, before there is one."""
    state = jax.eval_shape(lambda: start(method, experiment))
    return table(state.params, state.state)


def matched(
    name: str, source: Table, wanted: Table, whole: Sequence[str] = ()
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The paths in `wanted` that go over, and the others.

    Args:
      name: of the source.
      source, wanted: what is there, and what is to be.
      whole: networks of which all or nothing goes over, `Method.whole`.

    Raises:
      UserError: no parameters do, or not all of a network in `whole`.
    """
    kind = lambda held: (held.shape[1:], np.dtype(held.dtype))
    same = lambda path: path in source and kind(source[path]) == kind(wanted[path])
    copied = tuple(path for path in wanted if same(path))
    if not any(path.startswith("params.") for path in copied):
        raise UserError(
            f"init_from {name}: none of its parameters is here by path and shape; it "
            f"has {_shown(source)}, this run {_shown(wanted)}"
        )
    fresh = tuple(path for path in wanted if path not in copied)
    lacking = [path for path in fresh if path.split(".")[1] in whole]
    if lacking:
        raise UserError(
            f"init_from {name}: of what is not learned here these would be random: "
            + ", ".join(
                f"{path} {wanted[path].shape[1:]} (there "
                f"{source[path].shape[1:] if path in source else 'is none'})"
                for path in lacking[:SHOWN]
            )
            + "; give the source's own network and sizes"
        )
    return copied, fresh


def tell_unlearned(method: Method) -> None:
    """Says what stays random, as no run is started with."""
    if method.whole:
        say(
            f"no init_from: {', '.join(method.whole)} stays random, as nothing moves it"
        )


def refuse_other_number(name: str, source: int, wanted: int) -> None:
    """Raises UserError unless models of the source can be dealt out to those here."""
    if source not in (1, wanted):
        raise UserError(
            f"init_from {name}: it has {source} models and this run {wanted}: as many, "
            "each from the one in its place, or one for all"
        )


def tell(origin: Origin) -> None:
    """Says in one line what a run begins with."""
    rest = f"; fresh: {_listed(origin.fresh)}" if origin.fresh else ""
    say(
        f"starts with {len(origin.copied)} of "
        f"{len(origin.copied) + len(origin.fresh)} arrays of {origin.source} (step "
        f"{origin.step:,}){rest}"
    )


def refuse_changed(folder: Path, held: Origin | None, now: Origin) -> None:
    """Raises UserError where a source is no longer what others here started with."""
    if held is None:
        return
    shared = held.digests.keys() & now.digests.keys()
    if held.step != now.step or any(held.digests[i] != now.digests[i] for i in shared):
        raise UserError(
            f"init_from {now.source} has changed (step {held.step:,} -> {now.step:,}) "
            f"since other models of {folder} started from it: give another workdir"
        )


def table(params: Any, state: Any) -> Table:
    """Path -> leaf, of network -> parameters and network -> state."""
    tree = {"params": params, "state": state}
    leaves = jax.tree_util.tree_leaves_with_path(tree)
    return {leaf_name(path): leaf for path, leaf in leaves}


def _digest(arrays: Table) -> str:
    """SHA-256 of names, shapes and bytes."""
    total = hashlib.sha256()
    for name in sorted(arrays):
        total.update(f"{name} {arrays[name].dtype} {arrays[name].shape}".encode())
        total.update(np.ascontiguousarray(arrays[name]).tobytes())
    return total.hexdigest()


def _shown(table: Table) -> str:
    """The arrays of each network, such as "encoder (Dense_0.kernel (256, 3), ...)"."""
    nets: dict[str, list[str]] = {}
    for path, held in table.items():
        kind, _, rest = path.partition(".")
        net, _, name = rest.partition(".")
        if kind == "params":
            nets.setdefault(net, []).append(f"{name} {held.shape[1:]}".strip())
    return ", ".join(f"{net} ({_listed(names)})" for net, names in nets.items())


def _listed(names: Sequence[str]) -> str:
    more = len(names) - SHOWN
    return ", ".join(names[:SHOWN]) + (f" and {more} more" if more > 0 else "")
