"""What measuring affinity costs, as a ratio to plain training in the same run.

    python -m benchmarks.affinity_overhead

A multi-task network, batch 64, Adam, with a small head and a squared error per task:
the Locatello encoder on 64x64x1 (`--network=conv`), or the oracle's dense one on 16x16
(`--network=dense`). For every estimator: one sample on top of training, in plain
training steps, beside what its forward passes say (a step takes three, see
`Needs.passes`), and training with one sample every `--every` steps, as a ratio to
training alone. `naive loop` is lookahead as the released code computes it: a forward
and a backward pass and another forward pass for every task, task after task.

Rounds of all of them alternate with plain steps. Times are CPU time, which other
programs on the same cores disturb least; a ratio is to the plain step of the same
round, and medians are taken over rounds. What it costs to keep and average the samples
is in the last lines: the training loop's own program with an observer, on dSprites and
Shapes3D.
"""

import functools
import os
import statistics
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

import disentangle as dt
from benchmarks.command import execute, flags_of, positive
from disentangle.affinity import ESTIMATORS, probe
from disentangle.affinity.needs import needs_of
from disentangle.nn import ENCODERS
from disentangle.nn.encoders import Encoder
from disentangle.nn.net import from_module
from disentangle.study.affinity import NAME, observe_affinity
from disentangle.training.config import default_config
from disentangle.training.loop import compile_functions
from disentangle.training.observer import momentum
from disentangle.training.run import prepare

BATCH, RATE, HEAD = 64, 1e-3, 16


class Problem(NamedTuple):
    """N tasks on one encoder: what is trained and measured."""

    losses: Callable[[Any, Any, slice], jax.Array]  # (shared, private, rows) -> (N,)
    shared: Any
    private: Any
    tx: optax.GradientTransformation
    memory: Any
    chunk: int


def problem(network: str, tasks: int) -> Problem:
    """Random images and targets; the encoder is the project's own."""
    keys = jax.random.split(jax.random.key(0), 5)
    if network == "conv":
        shape = (64, 64, 1)
        net = ENCODERS["locatello"](shape, None)
    else:
        shape = (16, 16, 1)
        net = from_module(Encoder((), (64,), 3), shape)
    images = jax.random.uniform(keys[0], (BATCH, *shape))
    targets = jax.random.normal(keys[1], (BATCH, tasks))
    shared = net.init(keys[2])
    width = jax.eval_shape(net.apply, shared, images).shape[1]
    private = {
        "hidden": 0.1 * jax.random.normal(keys[3], (tasks, width, HEAD)),
        "output": 0.1 * jax.random.normal(keys[4], (tasks, HEAD)),
    }

    def losses(shared: Any, private: Any, rows: slice) -> jax.Array:
        code = net.apply(shared, images[rows])
        hidden = jax.nn.relu(jnp.einsum("bf,nfh->bnh", code, private["hidden"]))
        found = jnp.einsum("bnh,nh->bn", hidden, private["output"])
        return jnp.mean((found - targets[rows]) ** 2, axis=0)

    tx = optax.adam(RATE)
    memory = tx.init((shared, private))
    chunk = 1 if network == "conv" else tasks
    return Problem(losses, shared, private, tx, memory, chunk)


def plain_step(given: Problem) -> Callable[[], Any]:
    """One step of training on the sum of the losses."""

    @jax.jit
    def step(params: Any, memory: Any) -> Any:
        total = lambda params: given.losses(*params, slice(None)).sum()
        updates, memory = given.tx.update(jax.grad(total)(params), memory, params)
        return optax.apply_updates(params, updates), memory

    return lambda: step((given.shared, given.private), given.memory)


def sampler(given: Problem, name: str) -> Callable[[], Any]:
    """One sample of an estimator."""
    estimate, all_rows = ESTIMATORS[name], slice(None)
    needs = needs_of(estimate)

    @jax.jit
    def sample(shared: Any, private: Any, memory: Any, key: jax.Array) -> jax.Array:
        of = lambda rows: lambda s, p: given.losses(s, p, rows)

        def update(gradient: Any) -> Any:
            still = (gradient, jax.tree.map(jnp.zeros_like, private))
            moved, _ = given.tx.update(still, memory, (shared, private))
            return optax.apply_updates(shared, moved[0])

        offers = {
            "halves": (of(slice(BATCH // 2)), of(slice(BATCH // 2, None))),
            "update": update,
            "drift": lambda: momentum(given.tx, memory, (shared, private))[0],
            "key": key,
        }
        seen = probe(
            of(all_rows),
            shared,
            private,
            learning_rate=RATE,
            chunk=given.chunk,
            needs=needs,
            **{field: offers[field] for field in needs.point},
        )
        return estimate(seen)

    key = jax.random.key(1)
    return lambda: sample(given.shared, given.private, given.memory, key)


def naive_loop(given: Problem, tasks: int) -> Callable[[], Any]:
    """Lookahead as the released code: every task by itself, one after the other."""
    losses = lambda shared, private: given.losses(shared, private, slice(None))
    value = jax.jit(losses)

    @functools.partial(jax.jit, static_argnums=2)
    def moved(shared: Any, private: Any, task: int) -> Any:
        gradient = jax.grad(lambda s: losses(s, private)[task])(shared)
        return jax.tree.map(lambda p, g: p - RATE * g, shared, gradient)

    # The gradient's program is compiled per task: the task is static, as it is there.
    def sample() -> jax.Array:
        before, rows = value(given.shared, given.private), []
        for task in range(tasks):
            ahead = moved(given.shared, given.private, task)
            rows.append(1 - value(ahead, given.private) / before)
        return jnp.stack(rows)

    return sample


def seconds(work: Callable[[], Any]) -> float:
    """CPU seconds of one call."""
    start = time.process_time()
    jax.block_until_ready(work())
    return time.process_time() - start


def table(network: str, tasks: int, every: int, rounds: int) -> list[str]:
    """The lines of one network and number of tasks."""
    given = problem(network, tasks)
    plain = plain_step(given)
    fits = lambda n: (
        not needs_of(ESTIMATORS[n]).most or tasks <= needs_of(ESTIMATORS[n]).most
    )
    samples = {name: sampler(given, name) for name in ESTIMATORS if fits(name)}
    passes = {name: needs_of(ESTIMATORS[name]).passes(tasks) for name in samples}
    samples["naive loop"] = naive_loop(given, tasks)
    passes["naive loop"] = 1 + 4 * tasks
    for work in (plain, *samples.values()):
        jax.block_until_ready(work())  # compiles
    np.testing.assert_allclose(
        samples["lookahead"](), samples["naive loop"](), rtol=0.02, atol=2e-5
    )
    ratios: dict[str, list[float]] = {name: [] for name in samples}
    steps: list[float] = []
    for _ in range(rounds):
        step = statistics.median(seconds(plain) for _ in range(3))
        steps.append(step)
        for name, work in samples.items():
            ratios[name].append(seconds(work) / step)
    lines = []
    for name in samples:
        cost, theory = statistics.median(ratios[name]), passes[name] / 3
        step = 1e3 * statistics.median(steps)
        lines.append(
            f"| {network} | {tasks} | {name} | {step:.1f} | {cost:.2f} | {theory:.2f} "
            f"| {cost / theory:.2f} | {1 + cost / every:.2f} |"
        )
    return lines


def in_the_loop(name: str, estimators: list[str], every: int, rounds: int) -> str:
    """Training of the supervised method with an observer that keeps every sample."""
    data = dt.load(name)
    experiment, method, split, _ = prepare(default_config(name, "supervised"), data)
    watch = observe_affinity(
        estimators, every=every, learning_rate=RATE, steps=every * (rounds + 1)
    )
    observers = watch(method)
    compiled = compile_functions(experiment, method, split, observers)
    now = compiled.first()
    spent: dict[bool, list[float]] = {False: [], True: []}
    for i in range(rounds + 1):
        for sampled in (False, True):
            start = time.process_time()
            if sampled:
                seen = compiled.observe[NAME](now.observed[NAME], now.state, split)
                now = now._replace(observed={NAME: seen})
            state, window = compiled.chunk(now.state, now.window, jnp.int32(every))
            now = jax.block_until_ready(now._replace(state=state, window=window))
            if i:  # the first round compiles
                spent[sampled].append(time.process_time() - start)
    ratio = statistics.median(
        b / a for a, b in zip(spent[False], spent[True], strict=True)
    )
    step = 1e3 * statistics.median(spent[False]) / every
    names, tasks = " and ".join(estimators), len(method.tasks.names)
    return f"| {name} | {tasks} | {names} | {step:.1f} | {ratio:.2f} |"


def main() -> None:
    """Prints the tables."""
    parser = flags_of(__doc__)
    parser.add_argument("--every", type=positive, default=10)
    parser.add_argument("--rounds", type=positive, default=7)
    parser.add_argument("--tasks", type=positive, nargs="*", default=[5, 6, 9, 40])
    parser.add_argument("--network", nargs="*", default=["conv", "dense"])
    given = parser.parse_args()
    rounds, every = given.rounds, given.every
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    print(f"\nBatch {BATCH}, Adam, one model, CPU time, medians of {rounds} rounds;")
    print(f"jax {jax.__version__}, {jax.devices()[0]}; load average {load}")
    print(
        "| network | tasks | estimator | plain step, ms | a sample, in plain steps | "
        f"by its passes | quotient | ratio, every {every} steps |"
    )
    print("|---|---|---|---|---|---|---|---|")
    for network in given.network:
        for tasks in given.tasks:
            print(*table(network, tasks, every, rounds), sep="\n", flush=True)
    print("\nIn the training loop, every sample kept:")
    print(
        f"| data | tasks | estimators | plain step, ms | ratio, every {given.every} |"
    )
    print("|---|---|---|---|---|")
    for name in ("dsprites", "shapes3d"):
        for estimators in (["lookahead", "cosine"], ["jvp_sketch"]):
            print(in_the_loop(name, estimators, every, rounds), flush=True)


if __name__ == "__main__":
    execute(main)
