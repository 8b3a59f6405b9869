"""A trained population and how to get one: train, go on, load."""

import dataclasses
import functools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from disentangle.data.dataset import Dataset
from disentangle.data.precision import float32
from disentangle.data.samplers import Pool, scaled, split
from disentangle.errors import UserError, unknown
from disentangle.files import read_json, write_json
from disentangle.methods.base import Method, Params, init
from disentangle.training.checkpoint import Checkpoints
from disentangle.training.config import Plan, default_config, method_defaults, plan
from disentangle.training.foreign import read_disvae
from disentangle.training.loop import Observer, run_loop, start
from disentangle.training.population import over_members
from disentangle.training.state import TrainState
from disentangle.training.view import View, read_view
from disentangle.training.workdir import owned, settle_config
from disentangle.training.writers import (
    JsonlWriter,
    TensorBoardWriter,
    Writer,
    parameter_table,
    tensorboard_library,
)

ENCODE_BATCH = 250


@dataclasses.dataclass(frozen=True)
class Run:
    """P trained models of one method.

    Attributes:
      config: the config, plain data.
      members: (P,) names such as "beta=4,seed=0".
      swept: (P,) what each member differs in, as values.
      method: the pure functions.
      params: the pytree, a leading axis P on every leaf.
      alive: (P,) bool, False for a member that diverged.
      step: steps taken.
      view: the data set's factors, image shape and pixel range.
      observed: what observers accumulated, by name, a leading axis P.
      workdir: where it lives on disk, if it does.
    """

    config: dict[str, Any]
    members: tuple[str, ...]
    swept: tuple[dict[str, Any], ...]
    method: Method
    params: Params
    alive: np.ndarray
    step: int
    view: View
    observed: dict[str, Any]
    workdir: Path | None = None

    @float32()
    def encode(self, images: Any) -> np.ndarray:
        """Posterior means (or codes) of images.

        Args:
          images: (B, H, W, C), uint8 as the data set gives them or float in
            [0, 1].

        Returns:
          (P, B, D) float32.
        """
        return self._batched(self.method.represent, self._pixels(images))

    @float32()
    def posterior(self, images: Any) -> tuple[np.ndarray, np.ndarray]:
        """Means and log-variances, each (P, B, D), of the Gaussian codes of images.

        Raises:
          UserError: the method's codes are no Gaussians.
        """
        if self.method.posterior is None:
            raise UserError(
                f"method {self.config['method']['name']!r} has no Gaussian posterior"
            )
        return self._batched(self.method.posterior, self._pixels(images))

    @float32()
    def decode(self, codes: Any) -> np.ndarray:
        """Images (P, B, H, W, C) in [0, 1] of codes (P, B, D) or (B, D)."""
        if self.method.decode is None:
            raise UserError(f"method {self.config['method']['name']!r} has no decoder")
        codes = jnp.asarray(codes, jnp.float32)
        if codes.ndim == 2:
            codes = jnp.broadcast_to(codes, (len(self.members), *codes.shape))
        return np.asarray(_each_member(self.method.decode, self.params, codes))

    def member(self, index: int) -> Params:
        """The parameters of one model, without the axis P."""
        return jax.tree.map(lambda x: x[index], self.params)

    def _pixels(self, images: Any) -> jax.Array:
        images = jnp.asarray(images)
        if images.ndim != 4 or images.shape[1:] != self.view.shape:
            raise UserError(
                f"images have shape {images.shape}, the run takes (B, "
                f"{', '.join(map(str, self.view.shape))})"
            )
        return images

    def _batched(self, function: Callable, images: jax.Array) -> Any:
        """function(params, images) -> arrays (B, ...), in batches, over members."""
        count = images.shape[0]
        size = min(ENCODE_BATCH, count)
        padding = -count % size
        padded = jnp.concatenate([images, images[:1].repeat(padding, 0)])
        parts = padded.reshape(-1, size, *images.shape[1:])
        found = _each_batch(function, self.view.peak, self.params, parts)
        members = len(self.members)
        joined = lambda x: np.asarray(x).reshape(members, -1, *x.shape[3:])[:, :count]
        return jax.tree.map(joined, found)


# Both are compiled once for a method's function and a shape, not once a call.
@functools.partial(jax.jit, static_argnums=0)
def _each_member(function: Callable, params: Params, inputs: jax.Array) -> Any:
    """function(params, inputs) of every member, both with the leading axis P."""
    return over_members(function)(params, inputs)


@functools.partial(jax.jit, static_argnums=(0, 1))
def _each_batch(function: Callable, peak: int, params: Params, parts: jax.Array) -> Any:
    """function(params, images) of every member (P) and batch of `parts`."""

    def part(params, x):
        is_raw = x.dtype == jnp.uint8
        return function(params, scaled(x, peak) if is_raw else x.astype(jnp.float32))

    def one(params):
        return jax.lax.map(lambda x: part(params, x), parts)

    return over_members(one)(params)


def train(
    method: str,
    data: Dataset,
    *,
    steps: int = 20_000,
    seed: int = 0,
    seeds: int = 1,
    batch_size: int = 64,
    learning_rate: float | Sequence[float] | None = None,
    optimizer: str = "adam",
    train_size: int | None = None,
    workdir: str | Path | None = None,
    progress: bool = True,
    **fields: Any,
) -> Run:
    """Trains a method, or a whole sweep of it in one program.

    Args:
      method: a name in METHODS.
      data: from `load`.
      steps: updates of every model.
      seed, seeds: models are trained for seeds seed .. seed + seeds - 1.
      batch_size: images a step.
      learning_rate: a number or a list to sweep; None is the optimiser's.
      optimizer: "adam" or "sgd".
      train_size: train on this many images of the grid; None on all of it.
      workdir: where checkpoints and logs go; the same call on the same workdir
        goes on where it stopped. None keeps nothing.
      progress: show the bar.
      **fields: fields of the method, checked by name; a list in a traced field
        is a sweep: `beta=[1., 4., 16.], seeds=3` trains nine models.

    Returns:
      The Run, members ordered with the seed fastest.

    Raises:
      UserError: on anything wrong, before any compute.
    """
    known = method_defaults(method)
    for name in fields:
        if name not in known:
            raise unknown(f"field of {method}", name, known)
    config = default_config(data.name, method, optimizer).to_dict()
    config["method"] |= fields
    config["data"]["train_size"] = train_size or 0
    if learning_rate is not None:
        config["optimizer"]["learning_rate"] = learning_rate
    config |= {"steps": steps, "seed": seed, "seeds": seeds, "batch_size": batch_size}
    return fit(config, data, workdir=workdir, progress=progress)


@float32()
def prepare(config: Any, data: Dataset) -> tuple[Plan, Method, Pool, np.ndarray]:
    """The checked plan of a config, its method, training pool and test index."""
    planned = plan(config)
    section = planned.config["data"]
    method = planned.recipe.build(planned.settings, data.space, data.shape)
    for member in range(len(planned.members)):
        method.check(jax.tree.map(lambda x, i=member: x[i], planned.traced.method))
    rates = planned.config["optimizer"]["learning_rate"]
    if isinstance(rates, list) and all(p.optimizer for p in method.players.values()):
        raise UserError(
            f"optimizer.learning_rate={rates} would train equal models: every player "
            f"of {planned.config['method']['name']!r} has an optimiser of its own, "
            "with its learning rate among the method's fields"
        )
    pool, test_index = split(
        data,
        section["train_size"] or None,
        max(1, min(section["test_size"], len(data) - section["train_size"])),
        seed=section["split_seed"],
    )
    batch_size = planned.config["batch_size"]
    if batch_size > pool.size:
        raise UserError(
            f"batch_size={batch_size} is larger than the {pool.size} training images"
        )
    return planned, method, pool, test_index


@float32()
def fit(
    config: Any,
    data: Dataset,
    *,
    workdir: str | Path | None = None,
    observers: Callable[[Method], Sequence[Observer]] = lambda method: (),
    progress: bool = True,
    tensorboard: bool = False,
) -> Run:
    """Trains what a config says; with a workdir, from where it stopped.

    Args:
      config: see `default_config`.
      data: the data set, already loaded.
      workdir: folder for config.json, metrics.jsonl, checkpoints/.
      observers: built from the method; see `Observer`.
      progress: show the bar.
      tensorboard: also write TensorBoard summaries (needs the extra).

    Raises:
      UserError: wrong config, or a workdir that is a file, in use, or another
        run's.
    """
    planned, method, pool, test_index = prepare(config, data)
    if tensorboard:
        tensorboard_library()  # is it there? asked before any compute
    watching = observers(method)
    view = View(data.name, data.space, data.shape, data.peak)
    if workdir is None:
        final = run_loop(
            planned, method, pool, test_index, observers=watching, progress=progress
        )
        return _run(planned, method, final.state, final.observed, view, None)
    with owned(Path(workdir)) as folder:
        settle_config(folder, planned.config)
        write_json(folder / "data.json", dataclasses.asdict(view))
        shapes = jax.eval_shape(lambda: init(method, key=jax.random.key(0)))
        (folder / "parameters.txt").write_text(parameter_table(shapes) + "\n")

        def open_writers(step: int) -> list[Writer]:
            writers: list[Writer] = [JsonlWriter(folder / "metrics.jsonl", step)]
            if tensorboard:
                writers.append(TensorBoardWriter(folder / "tensorboard"))
            return writers

        final = run_loop(
            planned,
            method,
            pool,
            test_index,
            observers=watching,
            checkpoints=Checkpoints(folder / "checkpoints"),
            open_writers=open_writers,
            progress=progress,
        )
    return _run(planned, method, final.state, final.observed, view, Path(workdir))


@float32()
def load_run(path: str | Path) -> Run:
    """The newest checkpoint of a workdir, without its data set.

    A path ending in .npz is read as a peer's weights (training/foreign.py); its
    `step` is then 0, as the file does not say.

    Raises:
      UserError: if the path is no run, or holds no checkpoint.
    """
    folder = Path(path)
    if folder.suffix == ".npz":
        planned, method, params, view = read_disvae(folder)
        alive = np.ones(1, bool)
        return Run(
            planned.config,
            planned.members,
            planned.swept,
            method,
            params,
            alive,
            step=0,
            view=view,
            observed={},
        )
    if not folder.is_dir():
        raise UserError(f"no run at {folder}: it is not a folder")
    view = read_view(folder / "data.json")
    planned = plan(read_json(folder / "config.json"))
    method = planned.recipe.build(planned.settings, view.space, view.shape)
    like = jax.eval_shape(lambda: {"state": start(method, planned)})
    restored = Checkpoints(folder / "checkpoints").restore(like, mend=False)
    if restored is None:
        raise UserError(f"{folder} has no checkpoint yet")
    return _run(planned, method, restored[1]["state"], {}, view, folder)


def _run(
    planned: Plan,
    method: Method,
    state: TrainState,
    observed: dict[str, Any],
    view: View,
    workdir: Path | None,
) -> Run:
    return Run(
        config=planned.config,
        members=planned.members,
        swept=planned.swept,
        method=method,
        params=state.params,
        alive=np.asarray(state.alive),
        step=int(np.max(np.asarray(state.step))),
        view=view,
        observed=observed,
        workdir=workdir,
    )
