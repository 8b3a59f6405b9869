"""What measuring affinity costs, as a ratio to plain training in the same run.

    python -m benchmarks.affinity_overhead

The multi-task network (Locatello encoder, a head a task), batch 64, Adam. Plain:
chunks of `--every` steps of the training loop's own program. Measured: the same
with one sample of lookahead and cosine before each chunk, as `fit` runs them.
Rounds of both alternate; medians. In theory, with F a forward pass of the encoder
and 3F a plain step, a sample is (1 + 3N) F on top of the chunk: 1.63 for N = 6 and
every 10 steps.
"""

import argparse
import statistics
import time
from functools import partial

import jax
import jax.numpy as jnp

import disentangle as dt
from disentangle.study.affinity import NAME, observe_affinity
from disentangle.training.config import default_config
from disentangle.training.loop import compile_functions, first_progress
from disentangle.training.run import prepare


def measure(name: str, tasks: tuple[str, ...], every: int, rounds: int) -> str:
    """One line of the table."""
    data = dt.load(name)
    config = default_config(name, "supervised").to_dict()
    config["method"]["tasks"] = tasks
    experiment, method, split, _ = prepare(config, data)
    watch = observe_affinity(["lookahead", "cosine"], every=every, learning_rate=1e-3)
    observers = watch(method)
    compiled = compile_functions(experiment, method, split, observers)
    now = first_progress(experiment, method, split, observers)

    def chunk(now, sampled):
        if sampled:
            seen = compiled.observe[NAME](now.observed[NAME], now.state, split)
            now = now._replace(observed={NAME: seen})
        state, accumulator = compiled.chunk(now.state, now.window, jnp.int32(every))
        return jax.block_until_ready(now._replace(state=state, window=accumulator))

    seconds: dict[bool, list[float]] = {False: [], True: []}
    for i in range(rounds + 1):
        for sampled in (False, True):
            start = time.perf_counter()
            now = chunk(now, sampled)
            if i:  # the first round compiles
                seconds[sampled].append(time.perf_counter() - start)
    plain, measured = (statistics.median(seconds[s]) for s in (False, True))
    ratio = statistics.median(
        b / a for a, b in zip(seconds[False], seconds[True], strict=True)
    )
    one = plain / every
    return (
        f"| {name} | {len(method.tasks.names)} | {1e3 * one:.1f} | "
        f"{(measured - plain) / one:.1f} | {ratio:.2f} |"
    )


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--every", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=9)
    arguments = parser.parse_args()
    run = partial(measure, every=arguments.every, rounds=arguments.rounds)
    device = jax.devices()[0]
    print(f"\nAffinity sampled every {arguments.every} steps, batch 64, one model, ")
    print(f"median of {arguments.rounds} rounds; jax {jax.__version__}, {device}")
    print("| data | tasks | plain step, ms | a sample, in plain steps | ratio |")
    print("|---|---|---|---|---|")
    print(run("dsprites", ()))
    print(run("shapes3d", ()))


if __name__ == "__main__":
    main()
