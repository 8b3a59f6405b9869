"""DCI's two backends side by side: how far apart, and how much faster.

    python -m benchmarks.dci_backends                     # 12 encoders, small: minutes
    python -m benchmarks.dci_backends --encoders 30       # all of them
    python -m benchmarks.dci_backends --full              # one, at the published size

Encoders are drawn, not trained: linear mixtures of the factors from one code a factor
to all in all, random networks, and the known traps (a code twice, a circle in two
codes, dead codes, noise), each with ten codes.
"""

import time
from collections.abc import Callable

import numpy as np
from scipy.stats import spearmanr

from benchmarks.command import execute, flags_of, positive
from disentangle.metrics import Result, Settings, score_details

DSPRITES = (3, 6, 40, 32, 32)
SMALL = (3, 6, 10)
CODES = 10
PARTS = (
    "disentanglement",
    "completeness",
    "informativeness_train",
    "informativeness_test",
)
Encoder = Callable[[np.ndarray, np.random.Generator], np.ndarray]


def linear(mix: float, noise: float) -> Encoder:
    """(1 - mix) of one code a factor and mix of a random matrix, plus noise."""

    def encode(z: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        weights = (1 - mix) * np.eye(z.shape[1], CODES)
        weights += mix * rng.normal(size=weights.shape) / np.sqrt(z.shape[1])
        return z @ weights + noise * rng.normal(size=(len(z), CODES))

    return encode


def network(gain: float) -> Encoder:
    """Two random tanh layers; a larger gain bends more."""

    def encode(z: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        first = rng.normal(size=(z.shape[1], 32)) / np.sqrt(z.shape[1])
        second = rng.normal(size=(32, CODES)) / np.sqrt(32)
        codes = np.tanh(gain * np.tanh(gain * z @ first) @ second)
        return codes + 0.05 * rng.normal(size=codes.shape)

    return encode


def twice(z: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Every factor in two codes."""
    return np.hstack([z, z]) + 0.1 * rng.normal(size=(len(z), 2 * z.shape[1]))


def circle(z: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The third factor as a sine and a cosine, the others in one code each."""
    turn = 2 * np.pi * (z[:, 2] - z[:, 2].min()) / (np.ptp(z[:, 2]) + 1e-9)
    rest = rng.normal(size=(len(z), CODES - z.shape[1] - 1))
    both = np.stack([np.sin(turn), np.cos(turn)], axis=1)
    return np.hstack([np.delete(z, 2, axis=1), both, rest])


def dead(z: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Three live codes that mix all factors; seven constant ones."""
    live = z @ rng.normal(size=(z.shape[1], 3))
    return np.hstack([live, np.zeros((len(z), CODES - 3))])


def noise(z: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Nothing of the factors."""
    return rng.normal(size=(len(z), CODES))


ENCODERS: dict[str, Encoder] = {
    **{
        f"linear, mix {mix}, noise {sigma}": linear(mix, sigma)
        for mix in (0.0, 0.05, 0.1, 0.2, 0.4, 0.7, 1.0)
        for sigma in (0.02, 0.1, 0.5)
    },
    **{f"network, gain {gain}": network(gain) for gain in (0.5, 1, 2, 4, 8)},
    "every factor twice": twice,
    "one factor as a circle": circle,
    "dead codes": dead,
    "noise": noise,
}


def drawn(name: str, sizes: tuple[int, ...], rows: int) -> tuple[np.ndarray, ...]:
    """Codes (rows, 10) float32 and factors (rows, F) of one encoder."""
    rng = np.random.default_rng(list(ENCODERS).index(name))
    factors = np.stack([rng.integers(0, size, rows) for size in sizes], axis=1)
    spread = (factors - factors.mean(axis=0)) / factors.std(axis=0)
    return ENCODERS[name](spread, rng).astype(np.float32), factors


def timed(
    codes: np.ndarray, factors: np.ndarray, train: int, backend: str, jobs: int
) -> tuple[Result, float]:
    """DCI and the CPU seconds of all its threads: other programs do not count."""
    begin = time.process_time()
    result = score_details(
        codes, factors, "dci", Settings(backend=backend, jobs=jobs), num_train=train
    )["dci"]
    return result, time.process_time() - begin


def compare(names: list[str], sizes: tuple[int, ...], train: int, jobs: int) -> None:
    """Prints a row an encoder and the summary."""
    print("| encoder | " + " | ".join(f"{p} ref, fast" for p in PARTS), end="")
    print(" | CPU seconds ref, fast |\n|" + "---|" * (len(PARTS) + 2))
    values, seconds, importances, metadata = [], [], [], {}
    for name in names:
        codes, factors = drawn(name, sizes, train + train // 2)
        slow, slow_time = timed(codes, factors, train, "reference", jobs)
        fast, fast_time = timed(codes, factors, train, "fast", jobs)
        pairs = [(slow.values[p], fast.values[p]) for p in PARTS]
        cells = " | ".join(f"{a:.3f}, {b:.3f}" for a, b in pairs)
        print(f"| {name} | {cells} | {slow_time:.1f}, {fast_time:.2f} |", flush=True)
        values.append(pairs)
        seconds.append((slow_time, fast_time))
        gap = np.abs(slow.arrays["importance"] - fast.arrays["importance"])
        importances.append(gap.max())
        metadata = fast.metadata
    table = np.array(values)
    print(f"\n{train:,} training and {train // 2:,} test rows, factors of {sizes}\n")
    print("| part | mean difference | largest difference | rank correlation |")
    print("|---|---|---|---|")
    for part, pairs in zip(PARTS, table.transpose(1, 0, 2), strict=True):
        gap = np.abs(pairs[:, 0] - pairs[:, 1])
        rank = spearmanr(pairs[:, 0], pairs[:, 1]).statistic if len(pairs) > 2 else 1
        print(f"| {part} | {gap.mean():.1e} | {gap.max():.1e} | {rank:.4f} |")
    slow_total, fast_total = np.sum(seconds, axis=0)
    print(f"\nlargest difference of one importance: {max(importances):.1e}")
    print(
        f"CPU seconds, {jobs} thread(s): reference {slow_total:.1f}, "
        f"fast {fast_total:.2f}, ratio {slow_total / fast_total:.1f}"
    )
    print(f"versions: {metadata['versions']}")


def main() -> None:
    """Reads the flags and runs the comparison."""
    parser = flags_of(__doc__)
    parser.add_argument("--encoders", type=positive, default=12)
    parser.add_argument("--num_train", type=positive, default=2500)
    parser.add_argument("--jobs", type=positive, default=1)
    parser.add_argument(
        "--full", action="store_true", help="one encoder, dSprites sizes, 10,000/5,000"
    )
    flags = parser.parse_args()
    names = list(ENCODERS)
    if flags.full:
        compare(["linear, mix 0.4, noise 0.1"], DSPRITES, 10_000, flags.jobs)
        return
    chosen = np.linspace(0, len(names) - 1, min(flags.encoders, len(names)))
    compare([names[int(k)] for k in chosen], SMALL, flags.num_train, flags.jobs)


if __name__ == "__main__":
    execute(main)
