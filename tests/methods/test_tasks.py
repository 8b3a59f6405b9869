"""Tasks: the trivial predictor scores 1, on every task of every space."""

import jax.numpy as jnp
import numpy as np
import pytest

from disentangle.data import DATASETS
from disentangle.errors import UserError
from disentangle.methods.tasks import parse

CASES = [
    ("dsprites", ""),
    pytest.param("shapes3d", "", marks=pytest.mark.slow),
    ("dsprites", "orientation:raw_circular"),
    ("dsprites", "scale:classification"),
    ("shapes3d", "wall_hue:classification"),
]


@pytest.mark.slow
@pytest.mark.parametrize(("data", "written"), CASES)
def test_the_best_constant_scores_one(data, written):
    """Brute force over the grid: no constant prediction beats 1 (float64 mean)."""
    space = DATASETS[data].space
    grid = space.factors(np.arange(0, space.size, 97))
    # An exact sub-grid of the factors that matter, the others at 0.
    for task in parse(space, (written,) if written else ()):
        factor = task.name.partition(":")[0]
        sizes = {factor: space[factor].size}
        if space[factor].symmetry:
            sizes[space[factor].symmetry.by] = space[space[factor].symmetry.by].size
        axes = np.meshgrid(*(np.arange(s) for s in sizes.values()), indexing="ij")
        grid = np.zeros((axes[0].size, len(space.names)), np.int32)
        for name, axis in zip(sizes, axes, strict=True):
            grid[:, space.position(name)] = axis.ravel()

        def at(constant, task=task, grid=grid):
            prediction = jnp.tile(jnp.float32(constant)[None], (len(grid), 1))
            return float(task.loss(prediction, jnp.asarray(grid)))

        best = np.zeros(task.outputs)
        for _ in range(60):  # coordinate descent with a shrinking step
            for i in range(task.outputs):
                around = [best + d * np.eye(task.outputs)[i] for d in (-0.05, 0, 0.05)]
                best = min(around, key=at)
            if task.outputs > 4:
                break  # softmax: zeros are the optimum by symmetry
        assert at(best) == pytest.approx(1.0, abs=2e-3), task.name


def test_symmetric_orientations_have_one_target():
    """A square at 0 and at 90 degrees (9.75 steps) is one image; 39 is 0."""
    space = DATASETS["dsprites"].space
    (task,) = parse(space, ("orientation",))
    for shape in range(3):
        first, last = [shape, 2, 0, 5, 5], [shape, 2, 39, 5, 5]
        prediction = jnp.asarray([[1.0, 0.0]], jnp.float32)
        for factors in (first, last):
            loss = task.loss(prediction, jnp.asarray([factors], jnp.int32))
            assert float(loss) == pytest.approx(0.0, abs=1e-9)


def test_raw_orientation_cannot_see_symmetry():
    """Half a turn apart the ellipse is one image but two raw targets."""
    space = DATASETS["dsprites"].space
    raw, aware = parse(space, ("orientation:raw_circular", "orientation"))
    prediction = jnp.asarray([[1.0, 0.0]], jnp.float32)
    near_half = jnp.asarray([[1, 0, 20, 0, 0]], jnp.int32)  # 184.6 degrees
    assert float(raw.loss(prediction, near_half)) > 3.5
    assert float(aware.loss(prediction, near_half)) < 0.1


@pytest.mark.parametrize(
    ("written", "message"),
    [
        (("shpe",), "Did you mean 'shape'"),
        (("shape:regresion",), "Did you mean 'regression'"),
        (("shape", "shape"), "named twice"),
        (("shape:circular",), "not circular"),
    ],
)
def test_wrong_tasks_are_named(written, message):
    with pytest.raises(UserError, match=message):
        parse(DATASETS["dsprites"].space, written)
