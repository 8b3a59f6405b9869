"""Ways to write the products of a 4x4 stride-2 convolution, side by side.

    python -m benchmarks.conv_forms

For each layer of the Locatello network (named by the convolution's input, batch 64):
the strided convolution ("down"), its adjoint ("up") and the kernel's gradient, each
form called alone and inside `lax.fori_loop` with a traced trip count, as training runs
them. Milliseconds of wall and of CPU time a call, the least over alternating rounds;
CPU time is the fairer one while other programs share the cores. Last the 3x3
convolution of stride 1 (`nn/conv3.py`) and both its gradients in one call, beside those
of `lax.conv`, with the ratio in the loop. `--layers=3x3` runs these alone.
"""

import time
from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

from benchmarks.command import execute, flags_of, positive
from disentangle.nn import conv as ours
from disentangle.nn.conv3 import conv3

LAYERS = {  # input height, C_in, C_out of the convolution
    "64x64x1 -> 32": (64, 1, 32),
    "64x64x3 -> 32": (64, 3, 32),
    "32x32x32 -> 32": (32, 32, 32),
    "16x16x32 -> 64": (16, 32, 64),
    "8x8x64 -> 64": (8, 64, 64),
}
STRIDE_1 = {  # batch, height, C_in, C_out
    "16x16x32 -> 32, 3x3": (16, 16, 32, 32),
    "32x32x32 -> 16, 3x3": (32, 32, 32, 16),
    "8x8x128 -> 64, 3x3": (32, 8, 128, 64),
}
NHWC = ("NHWC", "HWIO", "NHWC")
Form = Callable[[jax.Array, jax.Array], jax.Array]


def lax_down(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """XLA's strided convolution."""
    pads = ((1, 1), (1, 1))
    return jax.lax.conv_general_dilated(x, kernel, (2, 2), pads, dimension_numbers=NHWC)


def lax_up(y: jax.Array, kernel: jax.Array) -> jax.Array:
    """XLA's own adjoint, a convolution of the dilated input."""
    b, h, w, _ = y.shape
    x = jax.ShapeDtypeStruct((b, 2 * h, 2 * w, kernel.shape[2]), y.dtype)
    return jax.linear_transpose(lambda x: lax_down(x, kernel), x)(y)[0]


def lax_kernel_gradient(x: jax.Array, dy: jax.Array) -> jax.Array:
    """XLA's own kernel gradient, a convolution with the batch as channels."""
    kernel = jax.ShapeDtypeStruct((4, 4, x.shape[3], dy.shape[3]), x.dtype)
    return jax.linear_transpose(lambda kernel: lax_down(x, kernel), kernel)(dy)[0]


def full_up(y: jax.Array, kernel: jax.Array) -> jax.Array:
    """A 2x2 XLA convolution to 4C channels, depth to space, crop."""
    b, h, w, f = y.shape
    c = kernel.shape[2]
    taps = kernel.reshape(2, 2, 2, 2, c, f).transpose(0, 2, 5, 1, 3, 4)[::-1, ::-1]
    taps = taps.reshape(2, 2, f, 4 * c)
    pads = ((1, 1), (1, 1))
    blocks = jax.lax.conv_general_dilated(y, taps, (1, 1), pads, dimension_numbers=NHWC)
    blocks = blocks.reshape(b, h + 1, w + 1, 2, 2, c).transpose(0, 1, 3, 2, 4, 5)
    return blocks.reshape(b, 2 * h + 2, 2 * w + 2, c)[:, 1:-1, 1:-1]


def phases_up(y: jax.Array, kernel: jax.Array) -> jax.Array:
    """Four 2x2 XLA convolutions, one for each parity of the output pixel."""
    b, h, w, f = y.shape
    taps = kernel.reshape(2, 2, 2, 2, kernel.shape[2], f).transpose(1, 3, 0, 2, 5, 4)
    taps = taps[:, :, ::-1, ::-1]

    def phase(r: int, s: int) -> jax.Array:
        pads = ((1 - r, r), (1 - s, s))
        kernel = taps[1 - r, 1 - s]
        return jax.lax.conv_general_dilated(
            y, kernel, (1, 1), pads, dimension_numbers=NHWC
        )

    rows = [jnp.stack([phase(r, 0), phase(r, 1)], 3) for r in (0, 1)]
    return jnp.stack(rows, 2).reshape(b, 2 * h, 2 * w, -1)


def patches_down(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """All sixteen taps gathered, one product."""
    taps = ours._interleave(kernel).reshape(-1, kernel.shape[3])
    return ours._rows(ours._patches(x), taps)


def patches_kernel_gradient(x: jax.Array, dy: jax.Array) -> jax.Array:
    """All sixteen taps gathered, one product."""
    flat = ours._columns(ours._patches(x), dy)
    return ours._interleave(flat.reshape(4, 4, x.shape[3], dy.shape[3]))


def transposed_kernel_gradient(x: jax.Array, dy: jax.Array) -> jax.Array:
    """Ours with the left factor transposed in memory before the product."""
    c, f = x.shape[3], dy.shape[3]
    left = ours._padded_blocks(x).reshape(-1, 4 * c).T
    flat = jax.lax.optimization_barrier(left) @ ours._quads(dy).reshape(-1, 4 * f)
    return (
        flat.reshape(2, 2, c, 2, 2, f).transpose(3, 0, 4, 1, 2, 5).reshape(4, 4, c, f)
    )


FORMS: dict[str, dict[str, Form]] = {
    "down": {
        "ours": ours._down,
        "patches": patches_down,
        "lax.conv": lax_down,
    },
    "up": {
        "ours": ours._up,
        "lax.conv 2x2, depth to space": full_up,
        "lax.conv, four phases": phases_up,
        "lax.conv's adjoint": lax_up,
    },
    "kernel gradient": {
        "ours": lambda x, dy: ours._kernel_gradient(x, dy, 4),
        "patches": patches_kernel_gradient,
        "left factor transposed first": transposed_kernel_gradient,
        "lax.conv's adjoint": lax_kernel_gradient,
    },
}


def lax_conv3(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """XLA's convolution of stride 1, which XLA differentiates."""
    return jax.lax.conv_general_dilated(
        x, kernel, (1, 1), "SAME", dimension_numbers=NHWC
    )


def and_gradients(form: Form) -> Form:
    """The sums of y dy's gradients in x and in the kernel: all three products."""

    def run(x: jax.Array, kernel: jax.Array) -> jax.Array:
        y, pull = jax.vjp(form, x, kernel)
        dx, dk = pull(y)
        return jnp.stack([y.sum(), dx.sum(), dk.sum()])

    return run


WHOLE = {"ours": and_gradients(conv3), "lax.conv": and_gradients(lax_conv3)}


def looped(form: Form) -> Callable[..., jax.Array]:
    """The form called `trips` times in a loop that XLA may not hoist it out of."""

    def run(trips: jax.Array, a: jax.Array, b: jax.Array) -> jax.Array:
        shape = jax.eval_shape(form, a, b)

        def body(_: int, carry: Any) -> Any:
            a, b, _ = jax.lax.optimization_barrier(carry)
            return a, b, form(a, b)

        return jax.lax.fori_loop(0, trips, body, (a, b, jnp.zeros(shape.shape)))[2]

    return jax.jit(run)


def measure(
    forms: dict[str, Form], a: jax.Array, b: jax.Array, rounds: int
) -> dict[str, float]:
    """Prints one line a form, rounds alternating; gives CPU seconds in the loop."""
    runs: dict[tuple[str, str], tuple[Callable[[], jax.Array], int]] = {}
    trips = 4
    for name, form in forms.items():
        alone, inside = jax.jit(form), looped(form)
        runs[name, "alone"] = partial(alone, a, b), 1
        runs[name, "loop"] = partial(inside, jnp.int32(trips), a, b), trips
    best = dict.fromkeys(runs, (float("inf"), float("inf")))
    for i in range(rounds + 1):
        for key, (run, calls) in runs.items():
            wall, cpu = time.perf_counter(), time.process_time()
            jax.block_until_ready(run())
            wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
            if i:  # the first round compiles
                best[key] = (
                    min(best[key][0], wall / calls),
                    min(best[key][1], cpu / calls),
                )
    for name in forms:
        cells = [f"{1e3 * t:.1f}" for how in ("alone", "loop") for t in best[name, how]]
        print(f"| {name} | {' | '.join(cells)} |", flush=True)
    return {name: best[name, "loop"][1] for name in forms}


def title(words: str) -> None:
    """Prints a table's head."""
    print(f"\n{words}\n")
    print("| form | alone, wall ms | CPU ms | in loop, wall ms | CPU ms |")
    print("|---|---|---|---|---|")


def stride_1(rounds: int) -> None:
    """Prints the tables of the 3x3 convolution."""
    for layer, (batch, size, c_in, c_out) in STRIDE_1.items():
        keys = jax.random.split(jax.random.key(0), 2)
        x = jax.random.normal(keys[0], (batch, size, size, c_in))
        kernel = jax.random.normal(keys[1], (3, 3, c_in, c_out))
        ideal = 6 * kernel.size * batch * size**2 / 1e9
        title(f"{layer}, batch {batch}, all three products, {ideal:.2f} GFLOP")
        spent = measure(WHOLE, x, kernel, rounds)
        ratio = spent["lax.conv"] / spent["ours"]
        print(f"\nlax.conv / ours, CPU time in the loop: {ratio:.1f}", flush=True)


def main() -> None:
    """Prints a table for each layer and product."""
    parser = flags_of(__doc__)
    parser.add_argument("--rounds", type=positive, default=5)
    parser.add_argument("--layers", choices=("all", "3x3"), default="all")
    options = parser.parse_args()
    for layer, (size, c_in, c_out) in LAYERS.items() if options.layers == "all" else ():
        keys = jax.random.split(jax.random.key(0), 3)
        x = jax.random.normal(keys[0], (64, size, size, c_in))
        kernel = jax.random.normal(keys[1], (4, 4, c_in, c_out))
        y = jax.random.normal(keys[2], (64, size // 2, size // 2, c_out))
        ideal = 2 * kernel.size * 64 * (size // 2) ** 2 / 1e9
        arguments = {"down": (x, kernel), "up": (y, kernel), "kernel gradient": (x, y)}
        for product, forms in FORMS.items():
            title(f"{layer}, {product}, {ideal:.2f} GFLOP")
            measure(forms, *arguments[product], options.rounds)
    stride_1(options.rounds)


if __name__ == "__main__":
    execute(main)
