"""All Locatello scores of one model on dSprites, ours beside the literal procedure.

    python -m benchmarks.locatello_scores               # tens of minutes of CPU
    python -m benchmarks.locatello_scores --whole       # nothing scaled: longer

10,000 training and 5,000 test images, the nine scores of Locatello et al. 2019. The
literal procedure encodes images anew for every score (batches of 16) and every vote of
the FactorVAE and BetaVAE scores (batches of 64), 2.9 million in all, and fits
scikit-learn's gradient boosting one factor after the other. Parts of it are measured
on a named share of the votes, batches and boosting rounds, which cost alike, and
scaled. Its remaining estimators are the ones we run, in one thread. Ours encodes
15,000 images once.

Seconds are CPU seconds of all threads, wall seconds beside them: other programs on the
machine change the second more. Last come the backends of DCI on 30 encoders, from
`benchmarks.dci_backends`.
"""

import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from sklearn.ensemble import GradientBoostingClassifier

from benchmarks.command import execute, flags_of, natural, positive
from benchmarks.dci_backends import ENCODERS, SMALL, compare
from disentangle.data import load
from disentangle.data.dataset import Dataset
from disentangle.metrics import Settings, score_details
from disentangle.metrics.boosting import ROUNDS
from disentangle.training.run import Run, load_run, train

TRAIN, TEST = 10_000, 5_000
VOTES, VOTE_BATCH, BATCH = 15_000, 64, 16
OURS_BATCH = 1_000
# Images the others encode: mig, irs, unsupervised and the FactorVAE score's variances
# training images only; dci, sap, modularity with explicitness test images too.
SINGLE = 4 * TRAIN + 3 * (TRAIN + TEST)
OTHERS = (
    "mig",
    "sap",
    "modularity",
    "explicitness",
    "irs",
    "unsupervised",
    "factor_vae",
    "beta_vae",
)
Encode = Callable[[np.ndarray], np.ndarray]


class Cost(NamedTuple):
    """CPU and wall seconds."""

    cpu: float
    wall: float

    def times(self, factor: float) -> "Cost":
        """Scaled."""
        return Cost(self.cpu * factor, self.wall * factor)

    def plus(self, other: "Cost") -> "Cost":
        """Added."""
        return Cost(self.cpu + other.cpu, self.wall + other.wall)


def cost(work: Callable[[], object]) -> Cost:
    """What one call costs."""
    cpu, wall = time.process_time(), time.perf_counter()
    work()
    return Cost(time.process_time() - cpu, time.perf_counter() - wall)


def encoder(run: Run, data: Dataset) -> Encode:
    """index (B,) -> codes (B, D) of one model, compiled once a batch size."""
    params = jax.tree.map(lambda leaf: leaf[0], run.params)

    @jax.jit
    def encode(index: jax.Array) -> jax.Array:
        images = data.images(index).astype(jnp.float32) / jnp.float32(data.max_value)
        return run.method.represent(params, images)

    return lambda index: np.asarray(encode(jnp.asarray(index, jnp.int32)))


def held(data: Dataset, rng: np.random.Generator, count: int) -> np.ndarray:
    """Indices of `count` images that share the value of one random factor."""
    sizes = data.space.sizes
    factors = rng.integers(0, sizes, (count, len(sizes)))
    k = rng.integers(len(sizes))
    factors[:, k] = factors[0, k]
    return data.space.index(factors)


def factor_votes(encode: Encode, data: Dataset, votes: int) -> None:
    """FactorVAE votes as written: 64 new images each."""
    rng = np.random.default_rng(0)
    for _ in range(votes):
        np.argmin(np.var(encode(held(data, rng, VOTE_BATCH)), axis=0, ddof=1))


def beta_points(encode: Encode, data: Dataset, points: int) -> None:
    """BetaVAE points as written: two times 64 new images each."""
    rng = np.random.default_rng(0)
    for _ in range(points):
        first = encode(held(data, rng, VOTE_BATCH))
        np.mean(np.abs(first - encode(held(data, rng, VOTE_BATCH))), axis=0)


def single_images(encode: Encode, data: Dataset, images: int) -> None:
    """Images of the other scores, 16 at a time."""
    rng = np.random.default_rng(0)
    for _ in range(0, images, BATCH):
        encode(rng.integers(0, len(data), BATCH))


def boost(codes: np.ndarray, factors: np.ndarray, rounds: int) -> None:
    """scikit-learn's boosting, a factor after the other."""
    for column in factors[:TRAIN].T:
        model = GradientBoostingClassifier(n_estimators=rounds, random_state=0)
        model.fit(codes[:TRAIN], column)
        model.predict(codes)


def literal(
    encode: Encode, data: Dataset, codes: np.ndarray, factors: np.ndarray, share: float
) -> dict[str, Cost]:
    """What each part of the literal procedure costs, scaled up from its share."""
    votes, rounds = round(share * VOTES), max(1, round(share * ROUNDS))
    images = BATCH * round(share * SINGLE / BATCH)
    for size in (BATCH, VOTE_BATCH):
        encode(np.arange(size))
    return {
        f"FactorVAE votes, {votes:,} of {VOTES:,}": cost(
            lambda: factor_votes(encode, data, votes)
        ).times(VOTES / votes),
        f"BetaVAE points, {votes:,} of {VOTES:,}": cost(
            lambda: beta_points(encode, data, votes)
        ).times(VOTES / votes),
        f"the others' images, {images:,} of {SINGLE:,}": cost(
            lambda: single_images(encode, data, images)
        ).times(SINGLE / images),
        f"scikit-learn's boosting, {rounds} of {ROUNDS} rounds": cost(
            lambda: boost(codes, factors, rounds)
        ).times(ROUNDS / rounds),
    }


def total(costs: dict[str, Cost]) -> Cost:
    """The sum."""
    found = Cost(0.0, 0.0)
    for one in costs.values():
        found = found.plus(one)
    return found


def show(title: str, costs: dict[str, Cost]) -> None:
    """A table of parts and their sum."""
    print(f"\n| {title} | CPU s | wall s |\n|---|---|---|")
    for name, one in (*costs.items(), ("sum", total(costs))):
        print(f"| {name} | {one.cpu:.1f} | {one.wall:.1f} |", flush=True)


def ours(
    encode: Encode, index: np.ndarray, codes: np.ndarray, factors: np.ndarray, jobs: int
) -> tuple[dict[str, Cost], dict[str, Cost]]:
    """What encoding once and DCI cost; and each of the other scores."""

    def run(name: str) -> object:
        settings = Settings(backend="fast", jobs=jobs)
        return score_details(codes, factors, name, settings, num_train=TRAIN)

    parts = index.reshape(-1, OURS_BATCH)
    encode(parts[0])
    main = {
        f"{len(index):,} images": cost(lambda: [encode(part) for part in parts]),
        'dci, backend "fast"': cost(lambda: run("dci")),
    }
    return main, {name: cost(lambda name=name: run(name)) for name in OTHERS}


def main() -> None:
    """Reads the flags, measures both sides and prints the ratios."""
    parser = flags_of(__doc__)
    parser.add_argument("--run", default="", help="a workdir, or a peer's .npz")
    parser.add_argument("--share", type=float, default=0.05, help="of the literal one")
    parser.add_argument("--whole", action="store_true", help="nothing scaled")
    parser.add_argument("--jobs", type=positive, default=1, help="our threads")
    parser.add_argument(
        "--encoders", type=natural, default=30, help="of parity; 0: none"
    )
    parser.add_argument("--parity_train", type=positive, default=1_000)
    flags = parser.parse_args()
    data = load("dsprites")
    run = (
        load_run(Path(flags.run))
        if flags.run
        else train("beta_vae", data, steps=1, progress=False)
    )
    encode = encoder(run, data)
    index = np.random.default_rng(0).integers(0, len(data), TRAIN + TEST)
    factors = np.asarray(data.space.factors(index))
    codes = np.concatenate([encode(p) for p in index.reshape(-1, OURS_BATCH)])
    print(f"encoder: {flags.run or 'Locatello network, one step of training'}")

    shared, others = ours(encode, index, codes, factors, flags.jobs)
    share = 1.0 if flags.whole else flags.share
    parts = literal(encode, data, codes, factors, share)
    sampled = {n: c for n, c in others.items() if n not in ("factor_vae", "beta_vae")}
    show("literal", parts | {"the same estimators": total(sampled)})
    show('ours, backend "fast"', shared | others)
    boosted = next(c for name, c in parts.items() if "boosting" in name)
    exact = dict(zip(shared, (next(iter(shared.values())), boosted), strict=True))
    exact = {name.replace("fast", "reference"): c for name, c in exact.items()}
    show('ours, backend "reference" (boosting as above)', exact | others)
    whole = total(parts).plus(total(sampled))
    for name, side in (("fast", shared), ("reference", exact)):
        mine = total(side | others)
        print(
            f"\nratio of literal to ours, backend {name}: "
            f"{whole.cpu / mine.cpu:.1f} in CPU, {whole.wall / mine.wall:.1f} in wall "
            f"seconds, {flags.jobs} thread(s) of ours"
        )
    if not flags.encoders:
        return
    print("\nDCI's backends, parity:\n")
    names = list(ENCODERS)
    chosen = np.linspace(0, len(names) - 1, min(flags.encoders, len(names)))
    compare([names[int(k)] for k in chosen], SMALL, flags.parity_train, flags.jobs)


if __name__ == "__main__":
    execute(main)
