"""What a study would do, in words, before it does anything: units, bytes, hours."""

import json
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from disentangle.data import DATASETS
from disentangle.data.dataset import Dataset
from disentangle.data.precision import float32
from disentangle.data.samplers import Split
from disentangle.methods.base import Method, evaluate_losses, init
from disentangle.study.sample import load_data
from disentangle.study.sweeps import table
from disentangle.study.sweeps.config import Config
from disentangle.study.sweeps.held import Held, peer_metrics, single_metrics
from disentangle.study.sweeps.plan import Group, Ledger, Wanted, extended, today
from disentangle.study.sweeps.width import assumed_width
from disentangle.training.build import build_method
from disentangle.training.config import Experiment, read_experiment

BACKWARD = 3  # a training step is this many forward passes
SHARE = 0.5  # of the rate of one large product that training reaches, on two CPU cores
SIDE = 1024  # of that product
ROW_BYTES = 12  # of the table, per row: columns compress well
FILE_BYTES = 14_000  # of one of its files, two per unit: its columns and their names
PARTS = 6  # rows per metric and model, in the mean


class Cost(NamedTuple):
    """What a model of a group takes.

    Attributes:
      operations: of a training step.
      bytes: of its parameters.
    """

    operations: float
    bytes: int


def plan_text(
    folder: Path, config: Config, wants: Sequence[Wanted]
) -> tuple[Ledger, str]:
    """What is planned of a study, and that in words; nothing is written."""
    held = Ledger.load(folder) if (folder / Ledger.FILE).exists() else Ledger()
    ledger = extended(held, wants, assumed_width, {})
    files = Held.of(folder)
    have = {model.id for want in wants for model in want.models}
    units = {
        id: unit
        for id, unit in ledger.units.items()
        if any(model.id in have for model in unit.models)
    }
    todo = {
        id: unit
        for id, unit in units.items()
        if not files.is_done(id, unit, config["score"])
    }
    left = {want.key: 0 for want in wants}
    for id, unit in todo.items():
        if not files.is_trained(id, unit):
            left[unit.group] += len(unit.models)
    costs = {want.key: cost_of(want.group) for want in wants}
    metrics = (*single_metrics(config["score"]), *peer_metrics(config["score"]))
    lines = [
        f"{len(have):,} models in {len(units):,} units of {len(wants):,} groups; "
        f"{sum(left.values()):,} models are to be trained, {len(todo):,} units have "
        "something to do",
        *(_group_line(want, costs[want.key], left[want.key]) for want in wants),
        f"scores: {', '.join(metrics)}, on {config['score']['num_train']:,} + "
        f"{config['score']['num_test']:,} images",
        _bytes_line(have, wants, costs, len(metrics), len(units)),
        *_hours(files, wants, costs, left, todo),
    ]
    lines += [f"damaged, would be done again: {why}" for why in files.damaged.values()]
    lines.append("nothing was written: this was a dry run")
    return ledger, "\n".join(lines)


def _group_line(want: Wanted, cost: Cost, left: int) -> str:
    config = want.group.config
    return (
        f"  {want.group.data}, {want.group.run}: {len(want.models):,} models, {left:,} "
        f"to train for {config['steps']:,} steps of {config['batch_size']} images, "
        f"{cost.bytes / 4:,.0f} parameters, {cost.operations / 1e9:,.2f} Gflop per step"
    )


def _bytes_line(
    have: set[str],
    wants: Sequence[Wanted],
    costs: dict[str, Cost],
    metrics: int,
    units: int,
) -> str:
    models = sum(costs[want.key].bytes * len(want.models) for want in wants)
    rows = len(have) * metrics * PARTS
    table_bytes = rows * ROW_BYTES + 2 * units * FILE_BYTES
    return (
        f"bytes: {_size(models)} of parameters, about {_size(table_bytes)} of table "
        f"({rows:,} rows)"
    )


def _size(count: float) -> str:
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:,.3g} TB"


def _hours(
    files: Held,
    wants: Sequence[Wanted],
    costs: dict[str, Cost],
    left: dict[str, int],
    todo: dict[str, Any],
) -> Iterator[str]:
    """How long what is left takes, and where that is from."""
    known = dict(measured(files))
    rate, seconds, unmeasured = 0.0, 0.0, False
    for want in wants:
        count, steps = left[want.key], want.group.config["steps"]
        name = _name(want.group)
        if count and name in known:
            seconds += count * known[name]
        elif count:
            rate = rate or SHARE * product_rate()
            seconds += count * steps * costs[want.key].operations / rate
            unmeasured = True
    devices = jax.local_devices()
    from_where = "of models of the same group that this workdir has"
    if unmeasured:
        from_where = (
            f"operations counted, at {SHARE:.0%} of the {rate / SHARE / 1e9:,.0f} "
            "Gflop/s that one product of this machine reached just now; no training "
            "step was timed"
        )
    parallel = len(devices) if devices[0].platform != "cpu" else 1
    yield (
        f"training: about {_hours_of(seconds / parallel)} on {parallel} "
        f"{devices[0].device_kind} ({from_where})"
    )
    scoring = known.get("")
    count = sum(len(unit.models) for unit in todo.values())
    if scoring is None:
        yield "scoring: not estimated, as nothing was scored here yet"
    else:
        yield (
            f"scoring: about {_hours_of(count * scoring)} ({scoring:.3g} s per "
            "model, as measured here)"
        )


def _hours_of(seconds: float) -> str:
    hours = seconds / 3600
    return f"{hours:,.0f} hours" if hours >= 100 else f"{hours:.2g} hours"


def measured(files: Held) -> Iterator[tuple[str, float]]:
    """(group, seconds of training per model) of what is done; ("", of scoring)."""
    for path, about in files.about().items():
        rows = table.read_file(path)[1].slice(0, 1).to_pylist()
        if rows and about.scores and rows[0]["score_seconds"] is not None:
            yield "", float(rows[0]["score_seconds"])
        elif rows and rows[0]["train_seconds"] is not None:
            row = rows[0]
            name = json.dumps([row["data"], row["run"], row["steps"]])
            yield name, float(row["train_seconds"])


def _name(group: Group) -> str:
    return json.dumps([group.data, group.run, group.config["steps"]])


@float32()
def cost_of(group: Group) -> Cost:
    """Operations and bytes of a model, from its shapes: nothing is compiled or run."""
    experiment = read_experiment(today(group))
    data = blank(group)
    method = build_method(experiment.recipe, experiment.settings, data)
    params = jax.eval_shape(lambda: init(method, key=jax.random.key(0)))
    count = sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(params))
    return Cost(BACKWARD * _forward(experiment, method, data, params), count)


def _forward(
    experiment: Experiment, method: Method, data: Dataset, params: Any
) -> float:
    """Operations of the losses of one batch."""
    hyper = jax.tree.map(
        lambda x: jax.ShapeDtypeStruct(np.shape(x)[1:], np.float32),
        experiment.hyperparameters.method,
    )
    batch = experiment.config["batch_size"]

    def losses(params: Any, hyper: Any) -> Any:
        key = jax.random.key(0)
        index = jnp.zeros((batch,), jnp.int32)
        images = method.collate(Split(data, None), index, key)
        return evaluate_losses(
            method, params, hyper, images, key=key, step=jnp.int32(0)
        )

    found = jax.jit(losses).lower(params, hyper).cost_analysis()
    return float(found["flops"]) if isinstance(found, dict) else 0.0


def blank(group: Group) -> Dataset:
    """A black data set of a group's shape; the real one where no table says that."""
    section = today(group)["data"]
    recipe = DATASETS[section["name"]]
    if recipe.layout is None or recipe.space is None:
        return load_data(section)
    channels = recipe.layout.channels or (1,)
    side = section.get("size") or 64
    shape = (side, side, channels[0])
    return Dataset((), section["name"], recipe.space, shape, 255, _black(shape))


def _black(shape: tuple[int, int, int]) -> Any:
    return lambda arrays, index: jnp.zeros((*index.shape, *shape), jnp.uint8)


def product_rate() -> float:
    """Operations per second of one large product on the first device."""
    square = jnp.ones((SIDE, SIDE), jnp.float32)
    product = jax.jit(jnp.matmul)
    jax.block_until_ready(product(square, square))
    best = np.inf
    for _ in range(5):
        began = time.monotonic()
        jax.block_until_ready(product(square, square))
        best = min(best, time.monotonic() - began)
    return 2.0 * SIDE**3 / best
