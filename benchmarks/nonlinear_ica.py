"""Sources mixed by a network: which methods find them again, by what they are told.

    python -m benchmarks.nonlinear_ica --seeds=3
    python -m benchmarks.nonlinear_ica --rows=vae,ivae --steps=6000

Planted truth. `segments`: 3 sources, Gaussian of mean 0 within each of --segments (40),
which differ in variances (Khemakhem et al. 2020, section 6, there 5 sources); the VAE
sees the images, iVAE the segment beside each. Its codes are means of q(z|x, u), as in
the paper, in `ivae_told`; in `ivae` u is uniform. `transitions`: 3 factors of 9 values,
the whole grid, whose pairs move by a discretised Laplace distribution; the VAE sees the
images, SlowVAE and PCL the pairs. Sources go through two leaky square layers and a
linear one to 4x4 grey images of 8 bits, a new mixing for every seed. All codes have 3
numbers, the networks one hidden layer of 256; the likelihood is Gaussian with deviation
0.03.

Printed per row: the mean correlation coefficient of the codes with the true sources
(best assignment; Pearson) as mean and half of its 95 % interval over seeds (Student's
t), and CPU seconds per model. On an idle core a row takes about a minute for 3 seeds.
"""

import time
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np

import disentangle as dt
from benchmarks.command import execute, flags_of, positive
from benchmarks.kept_lines import chosen, plus_minus
from disentangle.data.dataset import Dataset
from disentangle.methods.conditions import condition
from disentangle.methods.ivae import model
from disentangle.methods.likelihood import LIKELIHOODS, gaussian
from disentangle.metrics.mcc import assigned, correlations
from disentangle.study.judges import pictures
from disentangle.training.config import read_experiment

SOURCES, IMAGES, VALUES = 3, 8_000, 9
WIDTHS = 0.1, 2.0  # of a source within a segment
NOISE = 0.03


class Row(NamedTuple):
    """What is trained on which toy."""

    toy: str
    method: str
    fields: dict[str, Any]
    told: bool = False  # whether codes are those of images and their u


ROWS = {
    "vae": Row("segments", "vae", {}),
    "ivae": Row("segments", "ivae", {}),
    "ivae_told": Row("segments", "ivae", {}, told=True),
    "vae_transitions": Row("transitions", "vae", {}),
    "slow_vae": Row("transitions", "slow_vae", {}),
    "pcl": Row("transitions", "pcl", {}),
}


def mixed(sources: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """(N, D) standardised sources to (N, 4, 4) images in [0, 1], one to one.

    Square layers are rotations with singular values in 0.7 .. 1.4, leaky ReLUs have
    a slope of 0.3; the last layer has orthonormal columns.
    """
    x = sources
    for _ in range(2):
        left, right = (np.linalg.qr(rng.normal(size=(SOURCES,) * 2))[0] for _ in "ab")
        x = x @ (left * rng.uniform(0.7, 1.4, SOURCES)) @ right
        x = np.where(x > 0, x, 0.3 * x)
    x = (x - x.mean(0)) / x.std()
    out = np.linalg.qr(rng.normal(size=(16, SOURCES)))[0].T
    x = x @ out
    return (0.5 + 0.45 * x / np.abs(x).max()).reshape(-1, 4, 4)


def segments(seed: int, count: int) -> tuple[Dataset, np.ndarray]:
    """The images with their segments, of `count`, as labels, and the sources."""
    rng = np.random.default_rng(seed)
    segment = np.arange(IMAGES) % count
    width = rng.uniform(*WIDTHS, (count, SOURCES))
    sources = width[segment] * rng.normal(size=(IMAGES, SOURCES))
    sources = (sources - sources.mean(0)) / sources.std(0)
    images = mixed(sources, rng)
    return dt.from_arrays(images, segment[:, None], names=["segment"]), sources


def grid(seed: int, count: int) -> tuple[Dataset, np.ndarray]:
    """The images of a whole grid of factors, and these; `count` says nothing of it."""
    del count
    rng = np.random.default_rng(seed)
    factors = np.stack(np.meshgrid(*[np.arange(VALUES)] * SOURCES, indexing="ij"), -1)
    factors = factors.reshape(-1, SOURCES)
    sources = (factors - factors.mean(0)) / factors.std(0)
    images = mixed(sources, rng)
    return dt.from_arrays(images, factors, names=list("abc")), sources


TOYS = {"segments": segments, "transitions": grid}


def score(name: str, seed: int, steps: int, count: int) -> tuple[float, float]:
    """(mean correlation coefficient, CPU seconds) of one training."""
    row = ROWS[name]
    data, sources = TOYS[row.toy](seed, count)
    fields = row.fields | {"latents": SOURCES, "encoder": "mlp"}
    if row.method != "pcl":
        fields |= {"decoder": "mlp", "likelihood": "sharp"}
    began = time.process_time()
    run = dt.train(
        row.method,
        data,
        steps=steps,
        seed=seed,
        learning_rate=1e-3,
        progress=False,
        **fields,
    )
    seconds = time.process_time() - began
    index = np.arange(len(data))
    codes = told_codes(run, data) if row.told else run.encode(data.images(index))[0]
    found = assigned(correlations(np.float64(codes), sources))
    return float(np.mean(found)), seconds


def told_codes(run: dt.Run, data: Dataset) -> np.ndarray:
    """(N, D) the means of q(z|x, u) of an iVAE, of all images."""
    settings = read_experiment(run.config).settings
    given = condition(settings.condition or data.space.names[:1], data.space)
    u = given.encode(data.factors(np.arange(len(data))))
    images = pictures(data, np.arange(len(data)))
    vae = model(settings, data.shape, given.width)
    return np.asarray(vae.posterior(run.member(0), images, u)[0])


def compared(
    names: list[str], seeds: int, steps: int, count: int
) -> dict[str, list[float]]:
    """Row -> its coefficient for every seed; a line is printed per row."""
    LIKELIHOODS["sharp"] = lambda l, x: gaussian(l, x) / jnp.float32(NOISE**2)
    try:
        found = {}
        for name in names:
            each = [score(name, seed, steps, count) for seed in range(seeds)]
            found[name] = [value for value, _ in each]
            spent = np.mean([seconds for _, seconds in each])
            print(f"{name:20s} MCC {plus_minus(found[name])}  cpu s {spent:.0f}")
    finally:
        del LIKELIHOODS["sharp"]
    return found


def main() -> None:
    """The command line."""
    parser = flags_of(__doc__)
    parser.add_argument("--seeds", type=positive, default=3)
    parser.add_argument("--steps", type=positive, default=4_000)
    parser.add_argument("--segments", type=positive, default=40)
    parser.add_argument("--rows", default="", help=f"of {', '.join(ROWS)}; '' is all")
    given = parser.parse_args()
    names = chosen(parser, given.rows, ROWS)
    print(
        f"{given.steps} steps of 64 images, {given.seeds} seeds, "
        f"{given.segments} segments"
    )
    compared(names, given.seeds, given.steps, given.segments)


if __name__ == "__main__":
    execute(main)
