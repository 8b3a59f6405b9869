"""Losses of labels that are not all there: means over those that are."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from disentangle.data import from_arrays
from disentangle.methods.label_losses import LABEL_LOSSES
from disentangle.methods.tasks import parse

SIZES = (3, 2, 5)
RNG = np.random.default_rng(3)
MEANS = RNG.normal(size=(9, 4))
LABELS = np.stack([RNG.integers(0, size, 9) for size in SIZES], axis=1)
KNOWN = RNG.random((9, 3)) < 0.6
KNOWN[:, 2] = [True] + [False] * 8


def by_hand(name, params):
    """The loss in float64, a factor at a time over the images whose label is known."""
    total = 0.0
    for j, size in enumerate(SIZES):
        z, y = MEANS[KNOWN[:, j]][:, j], LABELS[KNOWN[:, j]][:, j]
        sigmoid = 1 / (1 + np.exp(-z))
        if name == "xent":
            share = y / size
            total += -(
                share * np.log(sigmoid) + (1 - share) * np.log(1 - sigmoid)
            ).mean()
        elif name == "l2":
            total += ((sigmoid - y / size) ** 2).mean()
        elif name == "scaled_l2":
            total += ((z - y) ** 2).mean()
        elif name == "embed":
            places = np.asarray(params[f"places_{j}"], np.float64)
            logits = -((z[:, None] - places[None]) ** 2)
            chance = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
            total += -np.log(chance[np.arange(len(y)), y]).mean()
        else:
            codes = MEANS[KNOWN[:, j]]
            for i in range(codes.shape[1]):
                c = np.mean((codes[:, i] - codes[:, i].mean()) * (y - y.mean()))
                total += c**2 * (i != j)
    return total


@pytest.mark.slow
@pytest.mark.parametrize("name", LABEL_LOSSES)
def test_a_mean_over_the_labels_that_are_known(name):
    distance = LABEL_LOSSES[name](SIZES)
    params = distance.init(jax.random.key(0)) if distance.init else {}
    means, known = jnp.asarray(MEANS, jnp.float32), jnp.asarray(KNOWN)
    loss = lambda labels, means: distance.loss(
        params, means, jnp.asarray(labels, jnp.int32), known
    )
    assert float(loss(LABELS, means)) == pytest.approx(by_hand(name, params), rel=1e-4)
    others = np.where(KNOWN, LABELS, 0)  # as a batch has them
    for moved in (loss, jax.grad(loss, argnums=1)):
        np.testing.assert_array_equal(moved(others, means), moved(LABELS, means))


@pytest.mark.slow
@pytest.mark.parametrize("name", LABEL_LOSSES)
def test_no_label_at_all_is_no_loss_and_no_gradient(name):
    distance = LABEL_LOSSES[name](SIZES)
    params = distance.init(jax.random.key(0)) if distance.init else {}
    means, none = jnp.asarray(MEANS, jnp.float32), jnp.zeros((9, 3), bool)
    loss = lambda means: distance.loss(
        params, means, jnp.zeros((9, 3), jnp.int32), none
    )
    value, gradient = jax.value_and_grad(loss)(means)
    assert float(value) == 0.0
    assert not np.asarray(gradient).any()


@pytest.mark.slow
@pytest.mark.parametrize("name", LABEL_LOSSES)
def test_all_labels_known_is_the_loss_of_a_complete_table(name):
    distance = LABEL_LOSSES[name](SIZES)
    params = distance.init(jax.random.key(0)) if distance.init else {}
    means, labels = jnp.asarray(MEANS, jnp.float32), jnp.asarray(LABELS, jnp.int32)
    every = distance.loss(params, means, labels, jnp.ones((9, 3), bool))
    assert float(every) == pytest.approx(
        float(distance.loss(params, means, labels)), rel=1e-5
    )


def test_a_task_of_a_table_is_one_for_its_best_constant():
    """Classes and numbers that are not equally frequent: the trivial loss is 1."""
    words = np.array(["a"] * 70 + ["b"] * 20 + ["c"] * 10)
    ages = np.repeat([0.5, 1.0, 4.25], [60, 30, 10])
    table = np.stack([words.astype(object), ages.astype(object)], axis=1)
    data = from_arrays(np.zeros((100, 2, 2), np.uint8), table, ["word", "age"])
    factors = jnp.asarray(data.factors(np.arange(100)))
    word, age = parse(data.space, ())
    logits = jnp.log(jnp.asarray([[0.7, 0.2, 0.1]], jnp.float32)).repeat(100, 0)
    assert float(word.loss(logits, factors)) == pytest.approx(1.0, abs=1e-5)
    constant = jnp.zeros((100, 1), jnp.float32)
    assert float(age.loss(constant, factors)) == pytest.approx(1.0, abs=1e-5)
