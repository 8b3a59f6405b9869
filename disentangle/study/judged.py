"""Generated images as an oracle reads them: what the scores of generators are given.

An oracle is a run of `supervised` that classifies every factor of the data set, or
reads the angle of one that has a symmetry, as the oracles of the edit bench do:

```python
tasks = [f"{name}:classification" for name in data.space.names]
oracle = dt.train("supervised", data, tasks=tasks, steps=20_000)
dt.evaluate(run, ["conditional_accuracy", "frechet"], oracle=oracle)
```

Its first member reads. Its accuracy on real images is beside every conditional
accuracy; below .99 that says as much about the oracle as about the generator.
"""

import functools
from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from disentangle.data.dataset import Dataset
from disentangle.data.precision import float32
from disentangle.editing.equality import equal
from disentangle.errors import UserError
from disentangle.methods.tasks import DEFAULT_KINDS
from disentangle.metrics.base import Generated
from disentangle.study.judges import values_of
from disentangle.training import encode
from disentangle.training.run import Run, compare_data

LEAST = 1e-9  # the probability of what is not read
SEED = 0x6E  # added to the seed of a score for that of the images


def drawn_of(
    run: Run, oracle: Run, data: Dataset, count: int, *, seed: int
) -> list[Callable[[], Generated]]:
    """For each member how its images are had, and what the oracle reads off them.

    Nothing is drawn before one is called.

    Args:
      run: whose images are judged.
      oracle: reads them; see above.
      data: what both were trained on.
      count: images that are generated, and real ones beside them.
      seed: of which images, and of the noise.

    Raises:
      UserError: the oracle is of other data, or does not classify every factor.
    """
    compare_data(oracle, data)
    read = reader(oracle, data)
    rng = np.random.default_rng(seed)
    wanted, real = (
        rng.choice(data.space.size, count, replace=count > data.space.size)
        for _ in range(2)
    )
    factors = np.asarray(data.factors(wanted), np.int64)

    @functools.lru_cache(1)
    def images() -> np.ndarray:
        """(P, N, H, W, C) of all members."""
        return drawn_images(run, factors, seed + SEED)

    @functools.lru_cache(1)
    def beside() -> tuple[np.ndarray, np.ndarray, tuple[float, ...], np.ndarray]:
        """Real images, their factors, the oracle's accuracy, its features."""
        seen = np.asarray(data.images(real), np.float32) / np.float32(data.max_value)
        truth = np.asarray(data.factors(real), np.int64)
        features, logs = read(seen)
        found = np.stack([own.argmax(1) for own in logs], axis=1)
        right = equal(data.space, found, truth).mean(0)
        return seen, truth, tuple(float(share) for share in right), features

    def of_member(member: int) -> Generated:
        seen, truth, accuracy, real_features = beside()
        own = images()[member]
        features, logs = read(own)
        given = tuple(data.space.position(name) for name in run.method.given)
        return Generated(
            wanted=factors,
            given=given,
            log_probabilities=tuple(logs),
            features=features,
            real_features=real_features,
            real_factors=truth,
            pixels=own,
            real_pixels=seen,
            accuracy=accuracy,
            factor_names=tuple(data.space.names),
            equal=functools.partial(equal, data.space),
        )

    return [functools.partial(of_member, member) for member in range(len(run.members))]


def drawn_images(run: Run, factors: np.ndarray, seed: int) -> np.ndarray:
    """(P, N, H, W, C) images of these factors; any, of a model that is told none."""
    if run.method.generate is not None:
        return run.generate(factors, seed=seed)
    return run.sample(len(factors), seed=seed)


@float32()
def reader(
    oracle: Run, data: Dataset
) -> Callable[[np.ndarray], tuple[np.ndarray, list[np.ndarray]]]:
    """images (N, H, W, C) in [0, 1] -> (features (N, E), F log-probabilities (N, K)).

    Raises:
      UserError: the oracle does not classify every factor.
    """
    tasks, space = read_off(oracle, data), data.space
    nets, params = oracle.method.nets, jax.tree.map(lambda x: x[:1], oracle.params)

    def reading(params: Any, images: jax.Array) -> Any:
        features = nets["encoder"].apply(params["encoder"], images)
        found = nets["heads"].apply(params["heads"], features).predictions
        return features, [
            found[place] if is_angle else jax.nn.log_softmax(found[place])
            for place, is_angle in tasks
        ]

    def read(images: np.ndarray) -> tuple[np.ndarray, list[np.ndarray]]:
        features, found = encode.batched(reading, params, images, 1)
        logs = [np.asarray(own[0]) for own in found]
        parts = dict(zip(space.names, logs, strict=True))
        values = values_of(data, parts, len(logs[0]))
        for i, (_, is_angle) in enumerate(tasks):
            if is_angle:
                logs[i] = certain(values[:, i], space.sizes[i])
        return features[0], logs

    return read


def certain(values: np.ndarray, size: int) -> np.ndarray:
    """(N,) values as log-probabilities (N, K) of a reader that has no doubt."""
    return np.asarray(np.log(np.where(np.eye(size)[values] > 0, 1.0, LEAST)))


def read_off(oracle: Run, data: Dataset) -> list[tuple[int, bool]]:
    """(F,) for each factor the place of the task that reads it, and if by its angle.

    Raises:
      UserError: a factor that no task classifies, nor the angle of one with a symmetry.
    """
    tasks = oracle.method.tasks
    named = tasks.names if tasks and "heads" in oracle.method.nets else ()
    found = {}
    for place, name in enumerate(named):
        word, _, kind = name.partition(":")
        factor = data.space[word]
        kind = kind or DEFAULT_KINDS[factor.kind]
        is_angle = kind == "circular" and factor.symmetry is not None
        if kind == "classification" or is_angle:
            found[word] = place, is_angle
    missing = [name for name in data.space.names if name not in found]
    if missing:
        raise UserError(
            f"the oracle does not classify {', '.join(missing)}: train 'supervised' "
            "with a task 'FACTOR:classification' per factor"
        )
    return [found[name] for name in data.space.names]
