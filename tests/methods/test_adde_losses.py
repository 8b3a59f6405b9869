"""ADDE's losses and their gradients against loops in float64 and cases by hand."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import logsumexp

from disentangle.errors import UserError
from disentangle.methods import adde_losses as adde

RNG = np.random.default_rng(0)


def semi_hard(labels, x, margin=0.5, missing="class"):
    rows = [tuple(np.atleast_1d(label)) for label in labels]
    if missing == "ignore":
        kept = [i for i, row in enumerate(rows) if min(row) >= 0]
        rows, x = [rows[i] for i in kept], x[kept]
    found = []
    for a in range(len(rows)):
        far = [((x[a] - x[n]) ** 2).sum() for n in range(len(x)) if rows[n] != rows[a]]
        for p in range(len(rows)):
            if p != a and rows[p] == rows[a]:
                near = ((x[a] - x[p]) ** 2).sum()
                beyond = [d for d in far if d > near]
                negative = min(beyond) if beyond else max(far, default=0.0)
                found.append(max(0.0, margin + near - negative))
    return np.mean(found) if found else 0.0


def normalise(x):
    return x / np.maximum(np.linalg.norm(x, axis=-1, keepdims=True), 1e-12)


def entropy(logits, labels):
    known = labels >= 0
    if not known.any():
        return 0.0
    at = logits[known, labels[known]]
    return (logsumexp(logits[known], axis=1) - at).mean()


def compositional(e, p, n, margin=0.5):
    distance = lambda x, y: np.linalg.norm(x - y + 1e-6, axis=1)
    return np.maximum(0, distance(e, p) - distance(e, n) + margin).mean()


def ranking(p, n, margin=0.3):
    return max(0.0, p.mean() - n.mean(1).min() + margin)


def labels_of(*shape, values=3, least=-1):
    return RNG.integers(least, values, shape).astype(np.int32)


Y, ROWS = labels_of(17), labels_of(17, 2, values=2)
MEMORY, ONEHOTS = RNG.normal(size=(6, 5)), RNG.integers(0, 2, (7, 5)).astype(float)
OFF = RNG.integers(0, 2, (6, 5)).astype(float)
CASES = {
    "cross entropy": (
        lambda x: adde.cross_entropy(x, jnp.asarray(Y)),
        lambda x: entropy(x, Y),
        (17, 3),
    ),
    "semi-hard": (
        lambda x: adde.semi_hard_triplet(jnp.asarray(Y), x),
        lambda x: semi_hard(Y, x),
        (17, 4),
    ),
    "semi-hard of rows": (
        lambda x: adde.semi_hard_triplet(jnp.asarray(ROWS), x, 0.2),
        lambda x: semi_hard(ROWS, x, 0.2),
        (17, 4),
    ),
    "semi-hard without missing": (
        lambda x: adde.semi_hard_triplet(jnp.asarray(Y), x, 0.5, "ignore"),
        lambda x: semi_hard(Y, x, 0.5, "ignore"),
        (17, 4),
    ),
    "semi-hard of normalised rows without missing": (
        lambda x: adde.semi_hard_triplet(
            jnp.asarray(ROWS), adde.l2_normalise(x), missing="ignore"
        ),
        lambda x: semi_hard(ROWS, normalise(x), missing="ignore"),
        (17, 3),
    ),
    "compositional": (
        lambda x: adde.compositional_triplet(x[0], x[1], x[2]),
        lambda x: compositional(x[0], x[1], x[2]),
        (3, 9, 4),
    ),
    "consistency": (
        lambda x: adde.consistency(
            jnp.float32(MEMORY), x, jnp.asarray(ONEHOTS, jnp.float32)
        ),
        lambda x: np.abs(ONEHOTS @ MEMORY.T - x).mean(),
        (7, 6),
    ),
    "consistency of the memory": (
        lambda x: adde.consistency(
            x, jnp.full((7, 6), 0.3), jnp.asarray(ONEHOTS, jnp.float32)
        ),
        lambda x: np.abs(ONEHOTS @ x.T - 0.3).mean(),
        (6, 5),
    ),
    "memory block": (
        lambda x: adde.memory_block(x, jnp.asarray(OFF, jnp.float32)),
        lambda x: np.abs(x[OFF == 1]).sum(),
        (6, 5),
    ),
    "outfit ranking": (
        lambda x: adde.outfit_ranking(x[0], x[1:], 2.0),
        lambda x: ranking(x[0], x[1:], 2.0),
        (5, 4),
    ),
    "l2": (
        lambda x: 9 + (adde.l2_normalise(x) * jnp.arange(4.0)[None]).sum(),
        lambda x: 9 + (normalise(x) * np.arange(4.0)).sum(),
        (6, 4),
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_values_and_gradients_are_those_of_a_loop_in_float64(name):
    ours, loop, shape = CASES[name]
    x = RNG.normal(size=shape)
    assert loop(x) > 0
    value, gradient = jax.jit(jax.value_and_grad(ours))(jnp.float32(x))
    assert value.shape == ()
    assert float(value) == pytest.approx(loop(x), rel=2e-5)
    step = 1e-6
    expected = np.zeros(shape)
    for place in np.ndindex(shape):
        moved = np.zeros(shape)
        moved[place] = step
        expected[place] = (loop(x + moved) - loop(x - moved)) / (2 * step)
    np.testing.assert_allclose(gradient, expected, atol=2e-5)


def test_four_points_on_a_line_by_hand():
    labels, points = (
        jnp.asarray([7, 7, 9, 9]),
        jnp.asarray([[0.0], [1.0], [2.0], [4.0]]),
    )
    assert float(adde.semi_hard_triplet(labels, points)) == 0.125


def test_missing_labels_are_a_label_or_take_no_part():
    labels = jnp.asarray([-1, -1, 0, 1])
    points = jnp.asarray([[0.0], [1.0], [5.0], [9.0]])
    # As a label: two pairs, D = 1, nearest further negatives 25 and 16.
    assert float(adde.semi_hard_triplet(labels, points, 30.0)) == (6 + 15) / 2
    assert float(adde.semi_hard_triplet(labels, points, 30.0, "ignore")) == 0.0


@pytest.mark.parametrize("missing", adde.MISSING)
@pytest.mark.parametrize("labels", [[-1] * 6, [0, 1, 2, 3, 4, 5], [2] * 6])
def test_nothing_to_compare_is_zero_and_never_nan(labels, missing):
    labels, x = jnp.asarray(labels), jnp.asarray(RNG.normal(size=(6, 4)), jnp.float32)
    loss = lambda x: adde.semi_hard_triplet(labels, x, 0.5, missing)
    value, gradient = jax.value_and_grad(loss)(x)
    assert np.isfinite(gradient).all()
    has_pairs = len(set(labels.tolist())) == 1
    if not has_pairs or (missing == "ignore" and labels[0] < 0):
        assert value == 0
        assert not gradient.any()


def test_a_batch_without_labels_has_no_cross_entropy():
    loss = lambda x: adde.cross_entropy(x, jnp.full(5, -1))
    value, gradient = jax.value_and_grad(loss)(jnp.ones((5, 3)))
    assert value == 0
    assert not gradient.any()


def test_short_vectors_are_divided_by_the_least_length():
    value, pullback = jax.vjp(
        adde.l2_normalise, jnp.float32([[0.0, 0.0], [3e-13, 0.0]])
    )
    np.testing.assert_allclose(value, [[0, 0], [0.3, 0]], rtol=1e-6)
    assert np.isfinite(pullback(jnp.ones((2, 2)))[0]).all()


@pytest.mark.slow
def test_equal_embeddings_have_finite_gradients():
    x = jnp.ones((4, 3))
    loss = lambda x: adde.compositional_triplet(x, x, x)
    assert np.isfinite(jax.grad(loss)(x)).all()
    labels = jnp.asarray([0, 0, 1, 1])
    loss = lambda x: adde.semi_hard_triplet(labels, adde.l2_normalise(x))
    value, gradient = jax.value_and_grad(loss)(x)
    assert float(value) == 0.5
    assert np.isfinite(gradient).all()


def test_another_way_to_treat_missing_labels_is_refused():
    with pytest.raises(UserError, match="Did you mean 'ignore'"):
        adde.semi_hard_triplet(jnp.zeros(3, int), jnp.ones((3, 2)), missing="ignored")
