"""One model for all groups: linear networks, for which the linearisation is exact."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from disentangle.affinity import ONE_MODEL
from disentangle.affinity.one_model import grad_tag, influence
from disentangle.affinity.one_model.linearised import every_group, linearise
from disentangle.errors import UserError

N, IMAGES, SIZE = 3, 40, 4
GROUPS = every_group(N)


def problem(order=(0, 1, 2), scale=(1, 1, 1), seed=0):
    """Three regressions that share theta: 0 and 1 agree, 2 wants another theta."""
    rng = np.random.default_rng(seed)
    wanted = np.array([[1, 0, 2, -1], [1.1, 0, 1.9, -1], [-2, 1, 0, 1]])
    x = rng.normal(size=(N, 2 * IMAGES, SIZE))
    y = np.einsum("tnp,tp->tn", x, wanted) + 0.1 * rng.normal(size=(N, 2 * IMAGES))
    order = list(order)
    x, y, weight = np.float32(x[order]), np.float32(y[order]), np.float32(scale)[order]

    def part(rows):
        def outputs(theta):
            return jnp.einsum("tnp,p->tn", x[:, rows], theta)[..., None]

        def losses(z):
            return weight * jnp.mean((z[..., 0] - y[:, rows]) ** 2, axis=1)

        return outputs, losses

    return part(slice(0, IMAGES)), part(slice(IMAGES, None)), x, y, weight


def linearised(*parts, directions=16, at=None):
    theta = jnp.zeros(SIZE) if at is None else jnp.asarray(at, jnp.float32)
    key = jax.random.key(2)
    options = {"directions": directions, "key": key}
    return [linearise(*part, theta, **options) for part in parts]


def squares(x, y, weight, rows, members):
    """The least-squares theta of some tasks, in float64."""
    x, y = x[members][:, rows].astype(np.float64), y[members][:, rows]
    w = np.sqrt(weight[members] / IMAGES)[:, None]
    a, b = (x * w[..., None]).reshape(-1, SIZE), (y * w).ravel()
    return np.linalg.lstsq(a, b, rcond=None)[0]


def losses_at(x, y, weight, rows, theta):
    return weight * np.mean((x[:, rows] @ theta - y[:, rows]) ** 2, axis=1)


@pytest.mark.slow
def test_grad_tag_is_the_trained_network_of_every_group_where_all_is_linear():
    train, held, x, y, weight = problem()
    parts = linearised(train, held, at=[0.3, 1, 0, 0])
    found = np.asarray(grad_tag.estimate(*parts, ridge=1e-5))
    fit, test = slice(0, IMAGES), slice(IMAGES, None)
    for row, inside in enumerate(GROUPS):
        theta = squares(x, y, weight, fit, np.flatnonzero(inside))
        expected = losses_at(x, y, weight, test, theta)
        np.testing.assert_allclose(found[row][inside], expected[inside], rtol=1e-2)
        assert np.isnan(found[row][~inside]).all()
    together, family = found[6], found[2]  # all; 0 and 1
    assert family[0] < 0.1 * together[0]  # task 2 does not belong to them


@pytest.mark.slow
def test_influence_of_a_quadratic_has_a_closed_form():
    train, held, x, y, weight = problem()
    theta = squares(x, y, weight, slice(0, IMAGES), [0, 1, 2])
    of, look = linearised(train, held, at=theta, directions=400)
    # Random signs over sqrt(d) with many directions: P P^T is nearly the identity.
    x64, y64 = np.float64(x[:, :IMAGES]), np.float64(y[:, :IMAGES])
    g = 2 * np.einsum("tnp,tn->tp", x64, x64 @ theta - y64) / IMAGES
    h = 2 * np.einsum("tnp,tnq->pq", x64, x64) / IMAGES
    v = np.float64(x[:, IMAGES:])
    ahead = 2 * np.einsum("tnp,tn->tp", v, v @ theta - y[:, IMAGES:]) / IMAGES
    expected = g @ np.linalg.inv(h) @ ahead.T
    found = np.asarray(influence.matrix(of, look, ridge=1e-3))
    np.testing.assert_allclose(found, expected, atol=0.05 * np.abs(expected).max())
    assert found[0, 1] > 0 > found[2, 0]
    table = influence.estimate(of, look, ridge=1e-3)
    before = losses_at(x, y, weight, slice(IMAGES, None), theta)
    np.testing.assert_allclose(
        table[2, 0], before[0] - found[[0, 1], 0].sum(), rtol=1e-3
    )


def test_the_projected_gradients_are_the_gradients_times_the_directions():
    train, _, x, _, _ = problem()
    (made,) = linearised(train, directions=3)
    keys = jax.random.split(jax.random.key(2), 3)
    signs = [jax.random.rademacher(jax.random.split(k, 1)[0], (SIZE,)) for k in keys]
    p = np.stack([np.asarray(s, np.float64) for s in signs], 1) / np.sqrt(3)
    np.testing.assert_allclose(made.slopes[:, :, 0], x[:, :IMAGES] @ p, atol=1e-6)


@pytest.mark.slow
def test_cross_entropies_are_fitted_to_their_minimum():
    """Logistic regression of three classes: the gradient of the fit is 0."""
    rng = np.random.default_rng(0)
    x = jnp.asarray(rng.normal(size=(2, 60, 3)), jnp.float32)
    labels = jnp.asarray(rng.integers(0, 3, (2, 60)))
    start = jnp.asarray(rng.normal(size=(3, 3)), jnp.float32)

    def losses(z):
        return optax.softmax_cross_entropy_with_integer_labels(z, labels).mean(1)

    made = linearise(
        lambda w: x @ w, losses, start, directions=8, key=jax.random.key(0)
    )
    w = grad_tag._fit(made, jnp.asarray([True, False]), 0.01)
    slope = jax.grad(lambda w: made.at(w)[0] + 0.005 * w @ w)(w)
    assert np.abs(slope).max() < 1e-5 and np.abs(w).max() > 0.1
    alone = grad_tag.estimate(made, made, ridge=1e-4)
    assert alone[0, 0] < losses(x @ start)[0] - 0.1
    assert alone[0, 0] <= alone[2, 0] + 1e-6  # what it was fitted on


@pytest.mark.slow
def test_the_released_fit_has_length_two_and_points_down_the_mean_gradient():
    train, held, *_ = problem()
    of, look = linearised(train, held, at=[0.3, 1, 0, 0])
    table = np.asarray(grad_tag.released(of, look, key=jax.random.key(1)))
    assert np.isfinite(table[GROUPS]).all() and np.isnan(table[~GROUPS]).all()
    pull = jax.grad(lambda z: of.losses(z).sum())(of.outputs) * IMAGES
    features = jnp.einsum("tnk,tnkd->tnd", pull, of.slopes)
    w = grad_tag._released_fit(features, jnp.asarray([True, False, False]))
    assert np.linalg.norm(w) == pytest.approx(2, rel=1e-5)
    mean = np.asarray(features[0].mean(0))
    cosine = -(w @ mean) / np.linalg.norm(w) / np.linalg.norm(mean)
    assert cosine > 0.9


@pytest.mark.slow
@pytest.mark.parametrize("name", ONE_MODEL)
def test_permuting_tasks_permutes_the_predictions(name):
    order = np.array([2, 0, 1])
    tables = []
    for chosen in ((0, 1, 2), order):
        train, held, *_ = problem(order=chosen)
        parts = linearised(train, held, at=[0.3, 1, 0, 0])
        tables.append(np.asarray(ONE_MODEL[name](*parts, ridge=0.01)))
    masks = np.arange(1, 8)
    rows = sum((masks >> i & 1) << int(order[i]) for i in range(3)) - 1
    np.testing.assert_allclose(tables[1], tables[0][rows][:, order], rtol=1e-3)


@pytest.mark.slow
@pytest.mark.parametrize("name", ONE_MODEL)
def test_the_twin_is_a_friend_and_the_stranger_is_not(name):
    train, held, x, y, weight = problem()
    theta = squares(x, y, weight, slice(0, IMAGES), [0, 1, 2])
    table = ONE_MODEL[name](*linearised(train, held, at=theta), ridge=0.01)
    assert table[2, 0] < table[6, 0] and table[2, 1] < table[6, 1]
    assert table[2, 0] < table[4, 0]  # with 1 better than with 2
    assert np.nanargmin(table[:, 2]) == 3  # task 2 is best alone


def test_too_many_tasks_get_a_sentence():
    with pytest.raises(UserError, match="11 tasks have 2,047 groups"):
        every_group(11)
