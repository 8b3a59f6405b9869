"""Populations of models on one device, beside PyTorch's models one after the other.

    python -m benchmarks.population

beta-VAE, FactorVAE, beta-TCVAE and `supervised` with the networks of Locatello et al.
2019, batch 64, images from a resident uint8 table: models x steps per second of the
training loop's own program for populations of 1, 2, 4, ... (on an accelerator, where a
program takes long to compile, 1, 16, 256: --times) until memory ends, more models are
no faster, or the method's share of --seconds is over. Beside it PyTorch eager
and `torch.compile`, one model after the other on the same device in the same run
(`torch_population.py`, run by BENCH_PYTHON or `.venv-bench/bin/python`; left out with a
word where there is none). Rounds alternate; medians.

"Gflop" are the operations of a step as XLA counts them in the CPU's program before it
is optimised, "MB" what a step moves at least: parameters, gradients and both moments
read and written once. "floor" is the larger of what these take at the rate of one large
product and of one large copy, measured in the same run; "of floor" is floor / measured.
The last column is a model of 300,000 steps at that speed, against 1.75 GPU-hours in
Locatello et al. 2019. Both sides take products in TF32 where a GPU has it, as JAX does.
Under 8 minutes with the defaults.
"""

import json
import os
import pathlib
import statistics
import subprocess
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.command import execute, flags_of, natural, positive
from disentangle.data.dataset import Dataset, draw_rows
from disentangle.data.samplers import Split
from disentangle.data.space import Factor, FactorSpace
from disentangle.training.config import default_config
from disentangle.training.loop import compile_functions
from disentangle.training.run import prepare
from disentangle.training.step import make_step

HERE = pathlib.Path(__file__).resolve().parent
METHODS = ("beta_vae", "factor_vae", "beta_tcvae", "supervised")
SIZES = (4, 8, 32)
STEPS, PUBLISHED = 300_000, 1.75 * 3600
ROUNDS = 3
STILL = 1.03  # more have to be so much faster per model


class Torch:
    """The worker process; None where it cannot be started."""

    def __init__(self) -> None:
        python = HERE.parent / ".venv-bench" / "bin" / "python"
        command = [os.environ.get("BENCH_PYTHON", str(python))]
        command.append(str(HERE / "torch_population.py"))
        self.process = None
        try:
            self.process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
            )
        except OSError as error:
            print(f"no PyTorch: {error}", flush=True)

    def ask(self, method: str, channels: int, steps: int, compiled: bool) -> None:
        """Begins a job; no steps is to build and compile only."""
        if self.process is None or self.process.stdin is None:
            return
        job = {"method": method, "channels": channels, "models": 1, "steps": steps}
        line = json.dumps(job | {"compiled": compiled})
        print(line, file=self.process.stdin, flush=True)

    def answer(self) -> float:
        """The seconds of the job asked first; NaN where they cannot be had."""
        if self.process is None or self.process.stdout is None:
            return float("nan")
        line = self.process.stdout.readline()
        found = json.loads(line)["seconds"] if line else None
        return float("nan") if found is None else found

    def speed(self, method: str, channels: int, steps: int, compiled: bool) -> float:
        """Steps per second of one model; NaN where that cannot be had."""
        self.ask(method, channels, steps, compiled)
        return steps / self.answer()


def table(channels: int) -> Dataset:
    """1024 random black and white images of three factors."""
    space = FactorSpace(
        tuple(
            Factor(f"factor_{n}", n, "categorical", tuple(map(float, range(n))))
            for n in SIZES
        )
    )
    shape = (64, 64, channels)
    rows = np.random.default_rng(0).integers(0, 2, (1024, *shape), np.uint8)
    return Dataset(jnp.asarray(rows), "random", space, shape, 1, draw_rows)


def prepared(method: str, channels: int, models: int) -> Any:
    """Experiment, method and split of a population."""
    config = default_config("dsprites", method)
    config.seeds = models
    if method == "factor_vae":
        config.method.batches = 1
    return prepare(config, table(channels))[:3]


def ours(method: str, channels: int, models: int) -> Callable[[int], float]:
    """`speed(steps)`: models x steps per second of the loop's chunk, compiled, warm."""
    experiment, built, split = prepared(method, channels, models)
    compiled = compile_functions(experiment, built, split, ())
    now = compiled.first()
    state, window = now.state, now.window

    def speed(steps: int) -> float:
        nonlocal state, window
        start = time.perf_counter()
        state, window = compiled.chunk(state, window, jnp.int32(steps))
        jax.block_until_ready(state)
        return models * steps / (time.perf_counter() - start)

    speed(1)
    return speed


class Work(NamedTuple):
    """What a step of one model has to do at least."""

    operations: float
    bytes: float


def work_of(method: str, channels: int) -> Work:
    """Counted before XLA optimises, on a CPU: not every backend counts."""
    experiment, built, split = prepared(method, channels, 1)
    step = make_step(built, experiment.optimizer, 64)
    one = lambda tree: jax.tree.map(lambda x: jnp.asarray(x)[0], tree)
    state = one(compile_functions(experiment, built, split, ()).first().state)
    hyper = one(experiment.hyperparameters)
    run = jax.jit(lambda s, h, d: step(s, h, Split(d, None)))
    found = run.lower(state, hyper, split.data).cost_analysis()
    size = sum(leaf.size * 4 for leaf in jax.tree.leaves(state.params))
    flops = found["flops"] if isinstance(found, dict) else float("nan")
    return Work(float(flops), 8.0 * size)


def rates() -> tuple[float, float]:
    """(operations per second of a large product, bytes per second of a large copy)."""
    is_cpu = jax.default_backend() == "cpu"
    side, count = (1024, 2**26) if is_cpu else (8192, 2**29)
    square = jnp.ones((side, side), jnp.float32)
    line = jnp.ones((count,), jnp.float32)
    product, copy = jax.jit(lambda a: a @ a), jax.jit(lambda a: a + 1.0)
    found = []
    for function, given, work in (
        (product, square, 2.0 * side**3),
        (copy, line, 8.0 * count),
    ):
        jax.block_until_ready(function(given))
        best = float("inf")
        for _ in range(5):
            start = time.perf_counter()
            jax.block_until_ready(function(given))
            best = min(best, time.perf_counter() - start)
        found.append(work / best)
    return found[0], found[1]


def measure(
    torch: Torch,
    case: tuple[str, int],
    most: int,
    times: int,
    until: float,
    chunk: float,
) -> None:
    """Prints a row per population of one method.

    Args:
      torch: the other side.
      case: the method and the channels of its images.
      most: the largest population.
      times: so many more models in the next population.
      until: the moment after which no larger one is begun.
      chunk: seconds of one measurement.
    """
    method, channels = case
    product, copy = rates()
    with jax.default_device(jax.devices("cpu")[0]):
        work = work_of(method, channels)
    floor = max(work.operations / product, work.bytes / copy)
    sides: dict[str, list[float]] = {"eager": [], "compile": []}
    for name in sides:  # PyTorch compiles while we do
        torch.ask(method, channels, 0, name == "compile")
    models, best = 1, 0.0
    while models <= most:
        try:
            speed = ours(method, channels, models)
            if models == 1:
                for _ in sides:
                    torch.answer()
            steps = max(1, int(chunk * speed(2) / models))
            mine = []
            for _ in range(ROUNDS):
                mine.append(speed(steps))
                if models == 1:
                    for name, held in sides.items():
                        how = name == "compile"
                        held.append(torch.speed(method, channels, steps, how))
        except jax.errors.JaxRuntimeError as error:
            if "RESOURCE_EXHAUSTED" not in str(error):
                raise
            print(f"| {method} | {channels} | {models} | out of memory |", flush=True)
            return
        found = statistics.median(mine)
        eager, compiled = (statistics.median(held) for held in sides.values())
        print(
            f"| {method} | {channels} | {models} | {found:.4g} | {eager:.4g} | "
            f"{compiled:.4g} | {found / eager:.2f} | {found / compiled:.2f} | "
            f"{work.operations / 1e9:.2f} | {work.bytes / 1e6:.1f} | "
            f"{1e3 * floor:.3g} ms | {floor * found:.2f} | "
            f"{STEPS / found:,.0f} s, {PUBLISHED * found / STEPS:.1f} x |",
            flush=True,
        )
        is_slower = models > 1 and found < STILL * best
        if (is_slower and models >= 8) or time.monotonic() > until:
            return
        best, models = max(best, found), times * models


def main() -> None:
    """Prints the table."""
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")  # PyTorch is there
    parser = flags_of(__doc__)
    parser.add_argument("--methods", nargs="+", default=METHODS)
    parser.add_argument("--channels", type=positive, nargs="+", default=[1])
    parser.add_argument(
        "--most", type=natural, default=0, help="0: 8 on a CPU, else 4096"
    )
    parser.add_argument(
        "--times", type=natural, default=0, help="0: 2 on a CPU, else 16"
    )
    parser.add_argument("--seconds", type=float, default=400.0, help="in all")
    parser.add_argument("--chunk", type=float, default=1.5, help="of a measurement")
    options = parser.parse_args()
    is_cpu = jax.default_backend() == "cpu"
    most = options.most or (8 if is_cpu else 4096)
    times = options.times or (2 if is_cpu else 16)
    device = jax.devices()[0]
    print(f"{device.platform} {device.device_kind}, jax {jax.__version__}, batch 64")
    print(
        "| method | channels | models | models x steps/s | eager | compile | / eager | "
        "/ compile | Gflop | MB | floor | of floor | 300,000 steps, of 1.75 h |"
    )
    print("|---" * 13 + "|")
    torch, began = Torch(), time.monotonic()
    cases = [(m, c) for m in options.methods for c in options.channels]
    for number, case in enumerate(cases, start=1):
        until = began + options.seconds * number / len(cases)
        measure(torch, case, most, times, until, options.chunk)


if __name__ == "__main__":
    execute(main)
