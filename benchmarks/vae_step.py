"""Our beta-VAE training step beside the same step in PyTorch, in one run.

    python -m benchmarks.vae_step

Locatello network, batch 64, images 64x64x1 and 64x64x3 drawn from a resident uint8
table, Bernoulli loss from logits, Adam 1e-4; ours is the training loop's own program,
theirs PyTorch eager with two threads (`torch_vae.py`, run by BENCH_PYTHON or
`.venv-bench/bin/python`). One model, then a population of eight (PyTorch trains its
eight one after the other), in models x images / s. Rounds of all sides alternate;
medians over rounds, the ratio being the median of the rounds' ratios. The best of
PyTorch's two memory layouts counts. "of GEMM peak" is the arithmetic of the layers
over what one 1024^3 product reaches in the same run.
"""

import json
import os
import pathlib
import statistics
import subprocess
import time
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.command import execute, flags_of, positive
from disentangle.data.dataset import Dataset, draw_rows
from disentangle.data.space import Factor, FactorSpace
from disentangle.training.config import default_config
from disentangle.training.loop import compile_functions
from disentangle.training.run import prepare

HERE = pathlib.Path(__file__).resolve().parent
BATCH = 64
LAYOUTS = ("contiguous", "channels_last")


class Torch:
    """The worker process; `seconds(...)` is the time of one job."""

    def __init__(self) -> None:
        python = HERE.parent / ".venv-bench" / "bin" / "python"
        worker = str(HERE / "torch_vae.py")
        command = [os.environ.get("BENCH_PYTHON", str(python)), worker]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def seconds(self, channels: int, steps: int, models: int, layout: str) -> float:
        """Trains `models` models for `steps` steps each."""
        job = {"channels": channels, "steps": steps, "models": models}
        assert self.process.stdin and self.process.stdout
        print(json.dumps(job | {"layout": layout}), file=self.process.stdin, flush=True)
        return json.loads(self.process.stdout.readline())["seconds"]


def random_table(channels: int) -> Dataset:
    """1024 random black and white images behind the interface of a data set."""
    space = FactorSpace((Factor("image", 1024, "ordinal", tuple(range(1024))),))
    shape = (64, 64, channels)
    rows = np.random.default_rng(0).integers(0, 2, (1024, *shape), np.uint8)
    return Dataset(jnp.asarray(rows), "random", space, shape, 1, draw_rows)


def ours(channels: int, models: int) -> Callable[[int], float]:
    """`seconds(steps)` of the training loop's chunk, compiled and warm."""
    config = default_config("dsprites", "beta_vae")
    config.seeds = models
    experiment, method, split, _ = prepare(config, random_table(channels))
    compiled = compile_functions(experiment, method, split, ())
    now = compiled.first()
    state, accumulator = now.state, now.window

    def seconds(steps: int) -> float:
        nonlocal state, accumulator
        start = time.perf_counter()
        state, accumulator = compiled.chunk(state, accumulator, jnp.int32(steps))
        jax.block_until_ready(state)
        return time.perf_counter() - start

    seconds(1)
    return seconds


def gemm_peak() -> Callable[[], float]:
    """FLOP/s of one 1024^3 float32 product, a call a measurement."""
    a = jax.random.normal(jax.random.key(0), (1024, 1024))
    product = jax.jit(lambda a: a @ a)
    jax.block_until_ready(product(a))

    def measure() -> float:
        start = time.perf_counter()
        jax.block_until_ready(product(a))
        return 2 * 1024**3 / (time.perf_counter() - start)

    return measure


def step_flops(channels: int) -> float:
    """Multiply-adds of all layers, forward and backward, times two."""
    first = 32 * 32 * 16 * channels * 32
    encoder = 16 * 16 * 512 * 32 + 8 * 8 * 128 * 64 + 4 * 4 * 256 * 64 + 1024 * 256
    decoder = 256 * 1024 + 4 * 4 * 1024 * 64 + 8 * 8 * 1024 * 32 + 16 * 16 * 512 * 32
    last = 32 * 32 * 32 * 16 * channels
    small = 256 * 20 + 10 * 256
    forward = first + encoder + small + decoder + last
    return 2 * BATCH * (3 * forward - first)  # images need no gradient


class Row(NamedTuple):
    """One line of the table."""

    channels: int
    models: int
    ours: float  # models x images / s
    torch: float
    ratio: float
    of_peak: float


def compare(torch: Torch, channels: int, models: int, rounds: int, steps: int) -> Row:
    """Alternating rounds of both sides and of the GEMM."""
    run, peak = ours(channels, models), gemm_peak()
    speeds: dict[str, list[float]] = {"ours": [], "peak": []}
    speeds |= {layout: [] for layout in LAYOUTS}
    for layout in LAYOUTS:
        torch.seconds(channels, 1, models, layout)
    images = BATCH * steps * models
    for _ in range(rounds):
        speeds["peak"].append(max(peak() for _ in range(3)))
        speeds["ours"].append(images / run(steps))
        for layout in LAYOUTS:
            speeds[layout].append(
                images / torch.seconds(channels, steps, models, layout)
            )
    median = {side: statistics.median(values) for side, values in speeds.items()}
    best = max(LAYOUTS, key=median.__getitem__)
    ratios = [a / b for a, b in zip(speeds["ours"], speeds[best], strict=True)]
    flops = median["ours"] / BATCH * step_flops(channels)
    ratio, of_peak = statistics.median(ratios), flops / median["peak"]
    return Row(channels, models, median["ours"], median[best], ratio, of_peak)


def main() -> None:
    """Prints the table."""
    parser = flags_of(__doc__)
    parser.add_argument("--rounds", type=positive, default=7)
    parser.add_argument("--steps", type=positive, default=16, help="a round, one model")
    parser.add_argument("--models", type=positive, nargs="+", default=[1, 8])
    options = parser.parse_args()
    torch = Torch()
    print("| image | models | ours | PyTorch | ratio | of GEMM peak |")
    print("|---|---|---|---|---|---|")
    for models in options.models:
        for channels in (1, 3):
            steps = max(2, options.steps // models)
            row = compare(torch, channels, models, options.rounds, steps)
            print(
                f"| 64x64x{channels} | {models} | {row.ours:.0f} images/s | "
                f"{row.torch:.0f} images/s | {row.ratio:.2f} | {row.of_peak:.2f} |",
                flush=True,
            )


if __name__ == "__main__":
    execute(main)
