"""A perceptron that reads a class off a code, to see whether it is there.

Two hidden layers of 256, each with batch norm and ReLU, and the logits; Adam at 1e-3,
batches of 64, 20 passes over the rows and at least 1,000 steps (Jha et al. 2018, whose
code has this network; their number of passes is not known to us).
"""

import numpy as np

HIDDEN, RATE, BATCH = (256, 256), 1e-3, 64
PASSES, LEAST_STEPS = 20, 1_000
DECAY, EPSILON = 0.9, 1e-5  # of running statistics; of variances
BETAS, TINY = (0.9, 0.999), 1e-8  # Adam
SAYS = (
    f"perceptron {HIDDEN[0]}-{HIDDEN[1]} with batch norm, Adam at {RATE:g}, batches of "
    f"{BATCH}, {PASSES} passes and at least {LEAST_STEPS:,} steps"
)

Params = list[np.ndarray]  # weight, shift of every hidden layer; weight, bias at last


def probe_accuracy(
    codes: np.ndarray,
    classes: np.ndarray,
    test_codes: np.ndarray,
    test_classes: np.ndarray,
    *,
    seed: int,
) -> float:
    """Share of the test rows whose class the perceptron names, in [0, 1].

    Args:
      codes: (N, D) float, as they are: their scale matters.
      classes: (N,) int in 0 .. K - 1.
      test_codes: (N', D).
      test_classes: (N',) int; -1, a class that training lacks, counts as wrong.
      seed: of the start and of the order of the rows.
    """
    rng = np.random.default_rng(seed)
    x = np.asarray(codes, np.float32)
    params = start(x.shape[1], int(classes.max()) + 1, rng)
    moments = [[np.zeros_like(p) for p in params] for _ in BETAS]
    running: list[Params] = [
        [np.zeros(n, np.float32), np.ones(n, np.float32)] for n in HIDDEN
    ]
    size = min(BATCH, len(x))
    per_pass = len(x) // size
    step = 0
    while step < max(PASSES * per_pass, LEAST_STEPS):
        order = rng.permutation(len(x))[: per_pass * size].reshape(per_pass, size)
        for rows in order:
            step += 1
            gradients, seen = gradient(params, x[rows], classes[rows])
            for held, new in zip(running, seen, strict=True):
                for i in range(2):
                    held[i] = DECAY * held[i] + (1 - DECAY) * new[i]
            _adam(params, gradients, moments, step)
    logits = evaluated(params, np.asarray(test_codes, np.float32), running)
    return float(np.mean(logits.argmax(1) == test_classes))


def start(inputs: int, outputs: int, rng: np.random.Generator) -> Params:
    """Kernels uniform within 1 / sqrt(fan-in), shifts and the bias at zero."""
    params: Params = []
    fan = inputs
    for width in (*HIDDEN, outputs):
        limit = 1 / np.sqrt(fan)
        params.append(rng.uniform(-limit, limit, (fan, width)).astype(np.float32))
        params.append(np.zeros(width, np.float32))
        fan = width
    return params


def gradient(
    params: Params, x: np.ndarray, classes: np.ndarray
) -> tuple[Params, list[tuple[np.ndarray, np.ndarray]]]:
    """Of the mean cross-entropy of a batch, and the statistics of its hidden layers.

    Batch norm has a shift and no scale: the layer behind it has one per input.
    """
    inputs, normed, stats = [x], [], []
    for i in range(len(HIDDEN)):
        h = inputs[-1] @ params[2 * i]
        mean, variance = h.mean(0), h.var(0)
        normed.append((h - mean) / np.sqrt(variance + EPSILON))
        inputs.append(np.maximum(normed[-1] + params[2 * i + 1], 0))
        stats.append((mean, variance))
    logits = inputs[-1] @ params[-2] + params[-1]
    chance = np.exp(logits - logits.max(1, keepdims=True))
    chance /= chance.sum(1, keepdims=True)
    chance[np.arange(len(x)), classes] -= 1
    back = chance / len(x)
    found = [back.sum(0), inputs[-1].T @ back]
    back = back @ params[-2].T
    for i in reversed(range(len(HIDDEN))):
        back = back * (inputs[i + 1] > 0)
        found.append(back.sum(0))
        n = normed[i]
        back = back - back.mean(0) - n * (back * n).mean(0)
        back /= np.sqrt(stats[i][1] + EPSILON)
        found.append(inputs[i].T @ back)
        back = back @ params[2 * i].T
    return found[::-1], stats


def evaluated(params: Params, x: np.ndarray, running: list[Params]) -> np.ndarray:
    """(N, K) logits with the running statistics."""
    for i, (mean, variance) in enumerate(running):
        h = (x @ params[2 * i] - mean) / np.sqrt(variance + EPSILON)
        x = np.maximum(h + params[2 * i + 1], 0)
    return x @ params[-2] + params[-1]


def _adam(params: Params, gradients: Params, moments: list[Params], step: int) -> None:
    """One step of Adam, in place (Kingma & Ba 2015, Algorithm 1)."""
    first, second = moments
    for i, g in enumerate(gradients):
        first[i] += (1 - BETAS[0]) * (g - first[i])
        second[i] += (1 - BETAS[1]) * (g * g - second[i])
        m = first[i] / (1 - BETAS[0] ** step)
        v = second[i] / (1 - BETAS[1] ** step)
        params[i] -= RATE * m / (np.sqrt(v) + TINY)
