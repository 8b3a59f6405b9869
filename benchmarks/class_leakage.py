"""Is the class in the style too? The cycle-consistent VAE with and without its reverse.

    python -m benchmarks.class_leakage --data=dsprites
    python -m benchmarks.class_leakage --data=mnist_t10k.npz --seeds=3

--data is a rendered data set, whose images are drawn at --size pixels and whose class
is --of (dSprites and Shapes3D: shape), or an .npz with `images` (N, H, W) and `labels`
(N,), or the folder of MNIST's files, padded with zeros to --size. Rows, of which --rows
chooses:

reverse    the method (Jha et al. 2018), the reverse cycle at weight 10
none       the same at weight 0: no reverse cycle
z          the reverse cycle compares codes with z itself (`back="z"`)

Printed per row, means over the seeds and half of their 95 % interval: the accuracy of
naming the class (`metrics/class_probe.py`, fitted to --probe training images, read on
test images) from z as it is, the posterior mean (the convention), from z standardised,
from a draw of z, and from s; the decibels (PSNR) of reconstructions; and the CPU
seconds of one model, of a population's time the share. Published for MNIST, 60,000
images, 100 passes, z and s of 16: from z .1756 with, and from s .9835. --out keeps the
runs: what was stopped goes on.
"""

import time
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

import disentangle as dt
from benchmarks.command import execute, flags_of, natural, positive
from benchmarks.kept_lines import chosen, plus_minus
from disentangle.data.dataset import Dataset
from disentangle.methods import cycle_vae
from disentangle.metrics.base import Settings
from disentangle.metrics.class_probe import probe_accuracy
from disentangle.metrics.explicitness import standardised
from disentangle.metrics.labels import matched
from disentangle.metrics.parallel import in_threads
from disentangle.training.config import read_experiment
from disentangle.training.run import Run, prepare

ROWS: dict[str, dict[str, Any]] = {
    "reverse": {"reverse": 10.0},
    "none": {"reverse": 0.0},
    "z": {"back": "z"},
}
NUMBERS = ("z mean", "z standardised", "z sampled", "s", "chance", "psnr")


class Coded(NamedTuple):
    """What one model says of some images."""

    mean: np.ndarray  # (N, Z)
    draw: np.ndarray  # (N, Z)
    s: np.ndarray  # (N, S)
    drawn: np.ndarray  # (N, H, W, C) reconstructions of the means


def data_of(name: str, size: int) -> Dataset:
    """A rendered data set, or images of files with a border of zeros."""
    if Path(name).is_dir():
        table = dt.load("mnist", path=name)
        rows = np.arange(len(table))
        images = np.asarray(table.images(rows))[..., 0]
        labels = np.asarray(table.factors(rows))[:, 0]
    elif name.endswith(".npz"):
        with np.load(name) as held:
            images, labels = held["images"], held["labels"]
    else:
        return dt.load(name, size=size)
    below, right = (size - side for side in images.shape[1:3])
    margin = (
        (0, 0),
        (below // 2, below - below // 2),
        (right // 2, right - right // 2),
    )
    return dt.from_arrays(np.pad(images, margin), labels.astype(np.int64), ["class"])


def coded(run: Run, data: Dataset, member: int, images: np.ndarray) -> Coded:
    """The codes of images, 500 at a time."""
    chosen = read_experiment(run.config).settings
    net = cycle_vae.model(chosen, data.space, data.shape)
    params = run.member(member)

    @jax.jit
    def one(x: jax.Array, key: jax.Array) -> Coded:
        mean, logvar, s = net.encode(params, x)
        drawn = jax.nn.sigmoid(net.logits(params, mean, s))
        return Coded(mean, cycle_vae.sample_posterior(mean, logvar, key=key), s, drawn)

    scaled = np.asarray(images, np.float32) / data.max_value
    parts = [
        one(scaled[i : i + 500], jax.random.key(i)) for i in range(0, len(scaled), 500)
    ]
    return jax.tree.map(lambda *own: np.concatenate(own), *parts)


def rows_of(
    run: Run, data: Dataset, probe: int, test: int
) -> tuple[np.ndarray, np.ndarray]:
    """Numbers of training and of other images, drawn."""
    _, _, split, held_out = prepare(run.config, data)
    rng = np.random.default_rng(0)
    if split.subset is None:
        drawn = rng.integers(0, data.space.size, probe + test)
        return drawn[:probe], drawn[probe:]
    own = np.asarray(split.subset)
    return rng.permutation(own)[:probe], rng.permutation(held_out)[:test]


def judged(run: Run, data: Dataset, of: str, counts: tuple[int, int]) -> np.ndarray:
    """(P, 6) the NUMBERS of every model."""
    column = data.space.position(of)
    rows = rows_of(run, data, *counts)
    labels = [np.asarray(data.factors(index))[:, column] for index in rows]
    classes, test_classes = matched(*labels)
    images = [np.asarray(data.images(index)) for index in rows]
    found = []
    for member in range(len(run.members)):
        train, test = (coded(run, data, member, x) for x in images)
        codes = (
            (train.mean, test.mean),
            standardised(train.mean, test.mean),
            (train.draw, test.draw),
            (train.s, test.s),
        )

        def accuracy(pair: tuple[np.ndarray, np.ndarray]) -> float:
            return probe_accuracy(pair[0], classes, pair[1], test_classes, seed=0)

        read = in_threads(accuracy, codes, Settings(jobs=1), "probe")
        truth = np.asarray(images[1], np.float64) / data.max_value
        error = np.square(test.drawn - truth).mean()
        chance = np.bincount(test_classes).max() / len(test_classes)
        found.append([*read, chance, -10 * np.log10(error)])
    return np.array(found)


def main() -> None:
    """The command line."""
    parser = flags_of(__doc__)
    parser.add_argument("--data", default="dsprites")
    parser.add_argument("--size", type=natural, default=32, help="pixels a side")
    parser.add_argument("--of", default="", help="the class; '' is shape, or class")
    parser.add_argument("--rows", default="", help=f"of {', '.join(ROWS)}; '' is all")
    parser.add_argument("--steps", type=positive, default=1_500)
    parser.add_argument("--seeds", type=positive, default=1)
    parser.add_argument("--latents", type=positive, default=16, help="size of z")
    parser.add_argument("--specified", type=positive, default=16, help="size of s")
    parser.add_argument("--encoder", default="normalised")
    parser.add_argument("--decoder", default="locatello")
    parser.add_argument("--rate", type=float, default=1e-3)
    parser.add_argument("--probe", type=positive, default=5_000, help="training images")
    parser.add_argument("--test", type=positive, default=2_000, help="images read")
    parser.add_argument("--out", type=Path, help="where runs are kept")
    given = parser.parse_args()
    names = chosen(parser, given.rows, ROWS)
    data = data_of(given.data, given.size)
    of = given.of or ("class" if data.space.names[0] == "class" else "shape")
    print(
        f"{data.name} {data.shape}, class {of}, z {given.latents}, s "
        f"{given.specified}, {given.steps} steps of 64, {given.seeds} seeds"
    )
    print(f"{'row':10s} " + " ".join(f"{n:>16s}" for n in NUMBERS) + f" {'cpu s':>7s}")
    for name in names:
        began = time.process_time()
        run = dt.train(
            "cycle_vae",
            data,
            steps=given.steps,
            seeds=given.seeds,
            learning_rate=given.rate,
            workdir=given.out and given.out / f"{Path(given.data).stem}-{name}",
            shared=(of,),
            latents=given.latents,
            specified=given.specified,
            encoder=given.encoder,
            decoder=given.decoder,
            **ROWS[name],
        )
        spent = (time.process_time() - began) / given.seeds
        found = judged(run, data, of, (given.probe, given.test))
        line = " ".join(f"{plus_minus(column):>16s}" for column in found.T)
        print(f"{name:10s} {line} {spent:7.0f}", flush=True)


if __name__ == "__main__":
    execute(main)
