"""Images a second of the rendered data sets, and seconds to build them.

    python -m benchmarks.images

Images are drawn the way a training step draws them: random indices, batch 64, inside
one jitted `lax.scan`; every pixel is used (summed), so nothing is optimised away. The
median of some repeats is printed, also of images made small, 32x32. Building is the
renderer alone, without the cache.
"""

import platform
import statistics
import time
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.command import execute, flags_of
from disentangle import data
from disentangle.data.rendered import dsprites, fashion_sprites, shapes3d

BATCH, STEPS, REPEATS = 64, 100, 7
SMALL = 32  # pixels a side
RENDERERS: dict[str, Callable[[], np.ndarray]] = {
    "dsprites": dsprites.render,
    "shapes3d": shapes3d.render,
    "fashion_sprites": fashion_sprites.render,
}


@jax.jit
def draw(dataset: data.Dataset, key: jax.Array) -> jax.Array:
    """Sum of the pixels of STEPS random batches."""

    def step(total: jax.Array, key: jax.Array) -> tuple[jax.Array, None]:
        index = jax.random.randint(key, (BATCH,), 0, len(dataset))
        pixels = dataset.images(index).astype(jnp.float32)
        return total + jnp.sum(pixels), None

    return jax.lax.scan(step, jnp.float32(0), jax.random.split(key, STEPS))[0]


def seconds(work: Callable[[], object]) -> float:
    """Wall time of one call."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def images_a_second(dataset: data.Dataset) -> float:
    """Median over REPEATS timed calls, after one that compiles."""
    key = jax.random.key(0)
    draw(dataset, key).block_until_ready()
    times = [
        seconds(lambda: draw(dataset, key).block_until_ready()) for _ in range(REPEATS)
    ]
    return BATCH * STEPS / statistics.median(times)


def main() -> None:
    """Prints one line a data set."""
    flags_of(__doc__).parse_args()
    device = jax.devices()[0]
    print(
        f"batch {BATCH} x {STEPS} steps in one scan, median of {REPEATS}; "
        f"jax {jax.__version__}, numpy {np.__version__}, Python "
        f"{platform.python_version()}, {device.platform} ({device.device_kind})"
    )
    heads = f"{'images/s':>10} {'at 32x32':>10} {'build s':>8} {'MB':>6}"
    print(f"{'data set':<16} {'images':>8} {heads}")
    for name, render in RENDERERS.items():
        dataset = data.load(name)
        size = sum(leaf.nbytes for leaf in jax.tree.leaves(dataset)) / 1e6
        rate, build = images_a_second(dataset), seconds(render)
        small = images_a_second(data.smaller(dataset, SMALL))
        values = f"{rate:>10,.0f} {small:>10,.0f} {build:>8.1f} {size:>6.0f}"
        print(f"{name:<16} {len(dataset):>8,} {values}")


if __name__ == "__main__":
    execute(main)
