"""Bits per dimension of Glow on held-out images, as training goes on.

    python -m benchmarks.glow_bits --data=shapes3d --size=32
    python -m benchmarks.glow_bits --data=../shared/data/mnist_t10k.npz --preset=mnist
    python -m benchmarks.glow_bits --data=mnist --path=FOLDER --preset=gpu

--data is a data set, or an .npz with `images`. Each preset has its own bits, sizes and
steps, which arguments of the command replace:

cpu    5 bits, L 3, K 4, width 64, 32 images per step, Adamax 2e-3, 600 steps
mnist  8 bits, the same sizes (28x28 images get a margin of zeros to 32x32)
gpu    8 bits, L 3, K 32, width 512, 64 images per step, Adamax 1e-3 from 0 within
       9,000 steps (10 epochs), 250,000 steps: the settings of Kingma & Dhariwal 2018,
       whose published number for MNIST is 1.05

Printed per line: steps, bits per dimension of held-out images (the average of the
parameters; one draw of the noise per image), CPU seconds and seconds of training so
far, compilation included; and first what a histogram per pixel of the training images
costs, with one count more for every level. Only numbers of the same images and bits
compare. Workdirs are kept in --out: what was stopped goes on.
"""

import time
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np

import disentangle as dt
from benchmarks.command import execute, flags_of, natural
from disentangle.data.dataset import Dataset
from disentangle.methods.glow import bits_per_dimension, dequantised
from disentangle.training.config import default_config
from disentangle.training.run import Run, fit, prepare

SMALL = {"levels": 3, "depth": 4, "width": 64, "batch": 32, "rate": 2e-3}
SMALL |= {"steps": 600, "every": 100, "warmup": 0.0}
PRESETS: dict[str, dict[str, Any]] = {
    "cpu": SMALL | {"bits": 5},
    "mnist": SMALL | {"bits": 8},
    "gpu": {
        **{"bits": 8, "levels": 3, "depth": 32, "width": 512, "batch": 64},
        **{"rate": 1e-3, "steps": 250_000, "every": 10_000, "warmup": 9_000.0},
    },
}
HELD_OUT, COUNTED = 1000, 10_000  # images: to judge on, of the histograms


def data_of(name: str, path: str, size: int) -> Dataset:
    """A data set by its name, or the `images` of an .npz."""
    if not name.endswith(".npz"):
        return dt.load(name, path=path or None, size=size)
    with np.load(name) as held:
        found = dt.from_arrays(held["images"])
    return dt.data.smaller(found, size) if size else found


def config_of(data: Dataset, told: dict[str, Any]) -> dict[str, Any]:
    """The training config of a preset."""
    config = default_config(data.name, "glow").to_dict()
    config["data"] |= {"path": data.path or "", "test_size": HELD_OUT}
    sizes = {name: told[name] for name in ("bits", "levels", "depth", "width")}
    config["method"] |= sizes | {"adamax_learning_rate": told["rate"]}
    config["optimizer"]["warmup"] = told["warmup"]
    config |= {"batch_size": told["batch"], "eval_every": 0, "seed": told["seed"]}
    return config


def histogram_bits(
    train: np.ndarray, test: np.ndarray, bits: int, *, rows: int = 100
) -> float:
    """Bits per dimension of independent pixels, each with the levels it was seen at.

    Args:
      train, test: (n, H, W, C) in [0, 1].
      bits: images have 2^bits levels.
      rows: images counted at a time.
    """
    levels = 2**bits
    level = lambda images: np.int64(
        np.floor(
            (np.asarray(dequantised(jnp.asarray(images), bits, 0.5)) + 0.5) * levels
        )
    ).reshape(len(images), -1)
    columns = np.arange(train[0].size)[None]
    counts = np.ones((train[0].size, levels))
    for start in range(0, len(train), rows):
        np.add.at(counts, (columns, level(train[start : start + rows])), 1.0)
    chance = counts / counts.sum(1, keepdims=True)
    return float(-np.log2(chance[columns, level(test)]).mean())


def pixels(data: Dataset, index: np.ndarray) -> np.ndarray:
    """(n, H, W, C) in [0, 1]."""
    return np.asarray(data.images(index), np.float32) / data.max_value


def measured(run: Run, test: np.ndarray) -> float:
    """Bits per dimension of held-out images, the first member's."""
    return float(bits_per_dimension(jnp.asarray(run.log_prob(test)[0]), test[0].size))


def main() -> None:
    """The command line."""
    parser = flags_of(__doc__)
    parser.add_argument("--data", default="shapes3d")
    parser.add_argument("--path", default="", help="of the published files")
    parser.add_argument("--size", type=natural, default=0, help="pixels; 0 is whole")
    parser.add_argument("--preset", default="cpu", choices=PRESETS)
    parser.add_argument("--seed", type=natural, default=0)
    parser.add_argument("--out", type=Path, default=Path("runs/glow_bits"))
    for name, value in PRESETS["cpu"].items():
        parser.add_argument(f"--{name}", type=type(value))
    given = parser.parse_args()
    asked = {
        k: v for k, v in vars(given).items() if k in SMALL | {"bits": 0, "seed": 0}
    }
    told = PRESETS[given.preset] | {k: v for k, v in asked.items() if v is not None}
    data = data_of(given.data, given.path, given.size)
    config = config_of(data, told)
    _, _, split, index = prepare(config | {"steps": 1}, data)
    chosen = np.random.default_rng(0).integers(0, split.size, min(COUNTED, split.size))
    rows = chosen if split.subset is None else np.asarray(split.subset)[chosen]
    test = pixels(data, index)
    floor = histogram_bits(pixels(data, rows), test, told["bits"])
    print(f"{data.name} {data.shape}, {told}", flush=True)
    print(f"histogram per pixel: {floor:.3f} bits per dimension", flush=True)
    name = f"{Path(given.data).stem}-{given.size}-{given.preset}-{told['seed']}"
    cpu, clock = time.process_time(), time.monotonic()
    for steps in range(told["every"], told["steps"] + 1, told["every"]):
        run = fit(
            config | {"steps": steps}, data, workdir=given.out / name, progress=False
        )
        spent = time.process_time() - cpu, time.monotonic() - clock
        found = measured(run, test)
        print(
            f"{steps:8,d} steps  {found:6.3f} bits per dimension  "
            f"{spent[0]:7.0f} cpu s  {spent[1]:7.0f} s",
            flush=True,
        )


if __name__ == "__main__":
    execute(main)
