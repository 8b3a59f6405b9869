"""Weightings against closed forms; task gradients against the scalar's."""

import itertools
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from disentangle.errors import UserError
from disentangle.methods import METHODS, supervised
from disentangle.methods.base import Output, TaskGradients, Weighting, init
from disentangle.methods.weightings import WEIGHTINGS, pcgrad
from disentangle.training.config import default_config, read_experiment
from disentangle.training.gradient import of_scalar, of_tasks

KEY = jax.random.key(0)


def weigh(name, gram, active=None):
    gram = jnp.asarray(gram, jnp.float32)
    on = jnp.ones(len(gram), bool) if active is None else jnp.asarray(active)
    losses = jnp.ones(len(gram), jnp.float32)
    w, memory = jax.jit(WEIGHTINGS[name].weights)(gram, losses, on, (), key=KEY)
    assert memory == ()
    return np.asarray(w)


# |g1|^2, |g2|^2, g1 . g2 and the weights, worked out by hand from both papers.
TWO = [
    ((18, 38, -22), (20 / 9, 30 / 19), (0.6, 0.4)),
    ((1, 4, -1), (2.0, 1.25), (5 / 7, 2 / 7)),
    ((1, 4, 1), (1.0, 1.0), (1.0, 0.0)),
    ((1, 1, -0.5), (1.5, 1.5), (0.5, 0.5)),
]


@pytest.mark.parametrize(("abc", "projected", "shortest"), TWO)
def test_two_tasks_have_closed_forms(abc, projected, shortest):
    a, b, c = abc
    gram = [[a, c], [c, b]]
    np.testing.assert_allclose(weigh("pcgrad", gram), projected, rtol=1e-6)
    np.testing.assert_allclose(weigh("mgda", gram), shortest, atol=1e-6)
    assert weigh("equal", gram).tolist() == [1.0, 1.0]


def shortest(gram):
    """min w' G w on the simplex by every set of tasks that may have weight: exact."""
    n, best, found = len(gram), np.inf, None
    for size in range(1, n + 1):
        for on in map(list, itertools.combinations(range(n), size)):
            kkt = np.block(
                [
                    [gram[np.ix_(on, on)], np.ones((size, 1))],
                    [np.ones((1, size)), np.zeros((1, 1))],
                ]
            )
            own = np.linalg.solve(kkt, np.r_[np.zeros(size), 1.0])[:size]
            value = own @ gram[np.ix_(on, on)] @ own
            if (own > -1e-9).all() and value < best:
                best, found = value, (on, own)
    w = np.zeros(n)
    w[found[0]] = found[1]
    return w


@pytest.mark.parametrize("n", [3, 5, 8])
def test_mgda_finds_the_shortest_gradient(n):
    rng = np.random.default_rng(n)
    for _ in range(5):
        g = rng.normal(0.3, 1.0, (n, n + 2))
        exact = shortest(g @ g.T)
        np.testing.assert_allclose(weigh("mgda", g @ g.T), exact, atol=2e-3)


def test_pcgrad_is_its_algorithm_in_every_order():
    """Alg. 1 on the gradients themselves, in float64, for the orders of the key."""
    rng = np.random.default_rng(0)
    for _ in range(5):
        g = rng.normal(size=(4, 6))
        keys = jax.random.split(KEY, 4)
        total = np.zeros(6)
        for i in range(4):
            own = g[i].copy()
            for j in np.asarray(jax.random.permutation(keys[i], 4)):
                if j != i and own @ g[j] < 0:
                    own -= own @ g[j] / (g[j] @ g[j]) * g[j]
            total += own
        np.testing.assert_allclose(weigh("pcgrad", g @ g.T) @ g, total, atol=1e-5)


@pytest.mark.parametrize("name", WEIGHTINGS)
def test_a_task_that_is_not_active_changes_nothing(name):
    if name == "pcgrad":  # whose order is drawn for as many tasks as there are
        gram = np.array([[2.0, -1.0, 0.0], [-1.0, 3.0, 0.0], [0.0, 0.0, 0.0]])
    else:
        g = np.random.default_rng(1).normal(size=(3, 5))
        gram = g @ g.T
        gram[2] = gram[:, 2] = 0
    alone = weigh(name, gram[:2, :2])
    masked = weigh(name, gram, [True, True, False])
    np.testing.assert_allclose(masked[:2], alone, rtol=1e-6)
    assert masked[2] == 0
    assert weigh(name, np.zeros((2, 2)), [False, False]).tolist() == [0, 0]
    assert np.isfinite(weigh(name, np.zeros((2, 2)))).all()


def batch_of(space, n=12):
    index = np.arange(n) * 7 % space.size
    images = np.random.default_rng(0).random((n, 64, 64, 1), np.float32)
    factors = jnp.asarray(space.factors(index), jnp.int32)
    return {"images": jnp.asarray(images), "factors": factors}


def built(toy, **fields):
    settings = supervised.Settings(encoder="dense", **fields)
    method = METHODS["supervised"].build(settings, toy.space, toy.shape)
    return method, init(method, key=KEY)


def gradients(method, params, batch, weights=()):
    """(what the loss gave, gradient) of the player, as a step takes them."""
    player = method.players["multitask"]
    hyper = SimpleNamespace(weights=jnp.asarray(weights, jnp.float32))
    loss = lambda own: Output(*player.loss(own, hyper, batch, key=KEY, step=0))
    if player.gradient is None:
        return of_scalar(loss, params)
    return of_tasks(player.gradient, loss, params, (), key=KEY)[:2]


def same(left, right, rtol=1e-5):
    for a, b in zip(jax.tree.leaves(left), jax.tree.leaves(right), strict=True):
        np.testing.assert_allclose(a, b, atol=rtol * np.abs(np.asarray(b)).max())


def test_equal_weights_are_the_scalar_gradient(toy):
    method, params = built(toy)
    batch, weights = batch_of(toy.space), (1.0, 0.0, 2.0, 0.5)
    scalar, expected = gradients(method, params, batch, weights)
    other, _ = built(toy, weighting="pcgrad")
    player = other.players["multitask"]
    how = TaskGradients(WEIGHTINGS["equal"], ("encoder",), 4)
    players = {"multitask": player._replace(gradient=how)}
    found, gradient = gradients(other._replace(players=players), params, batch, weights)
    assert float(found.total) == pytest.approx(float(scalar.total), rel=1e-6)
    assert found.logs["task_weights"].tolist() == [1, 0, 1, 1]
    same(gradient, expected)


@pytest.mark.parametrize("name", ["pcgrad", "mgda"])
def test_the_encoder_moves_along_the_weighted_gradients(toy, name):
    """Against the gradients of the tasks taken one by one; the heads keep theirs."""
    method, params = built(toy, weighting=name)
    plain, _ = built(toy)
    batch = batch_of(toy.space)
    found, gradient = gradients(method, params, batch)
    singles = [
        gradients(plain, params, batch, np.eye(4)[i])[1]["encoder"] for i in range(4)
    ]
    flat = np.stack([jax.flatten_util.ravel_pytree(g)[0] for g in singles])
    key = KEY
    active = jnp.ones(4, bool)
    gram = jnp.asarray(np.float64(flat) @ np.float64(flat).T, jnp.float32)
    w, _ = WEIGHTINGS[name].weights(gram, jnp.ones(4), active, (), key=key)
    np.testing.assert_allclose(found.logs["task_weights"], w, rtol=1e-3, atol=1e-3)
    weighted = np.asarray(found.logs["task_weights"]) @ flat
    got = jax.flatten_util.ravel_pytree(gradient["encoder"])[0]
    np.testing.assert_allclose(got, weighted, atol=1e-5 * np.abs(weighted).max())
    same(gradient["heads"], gradients(plain, params, batch)[1]["heads"])


@pytest.mark.slow
@pytest.mark.parametrize("weighting", ["equal", "mgda"])
def test_missing_labels_are_left_out_and_a_task_without_any_is_silent(toy, weighting):
    method, params = built(toy, weighting=weighting)
    plain, _ = built(toy)
    batch = batch_of(toy.space)
    known = np.ones((12, 4), bool)
    known[5:, 1] = False  # 'size' of the first five alone
    known[:, 3] = False  # 'x' of none
    missing = batch | {
        "factors": jnp.where(known, batch["factors"], -1),
        "known": jnp.asarray(known),
    }
    found, gradient = gradients(method, params, missing)
    few = {name: rows[:5] for name, rows in batch.items()}
    losses = np.asarray(method.tasks.losses(params, missing))
    whole = np.asarray(method.tasks.losses(params, batch))
    first = np.asarray(method.tasks.losses(params, few))
    expected = [whole[0], first[1], whole[2], 0.0]
    np.testing.assert_allclose(losses, expected, rtol=1e-5)
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(gradient))
    for layer in ("hidden_3", "code_3", "prediction_3"):
        assert not any(leaf.any() for leaf in jax.tree.leaves(gradient["heads"][layer]))
    if weighting == "equal":
        one = lambda on, batch: gradients(plain, params, batch, on)[1]
        parts = [one((1, 0, 1, 0), batch), one((0, 1, 0, 0), few)]
        same(gradient, jax.tree.map(jnp.add, *parts))
    else:
        assert found.logs["task_weights"][3] == 0
        nothing = missing | {"known": jnp.zeros((12, 4), bool)}
        _, gradient = gradients(method, params, nothing)
        assert not any(leaf.any() for leaf in jax.tree.leaves(gradient))


@pytest.mark.slow
def test_an_angle_needs_the_factor_that_its_symmetry_is_of(toy):
    method, params = built(toy)
    batch = batch_of(toy.space)
    known = np.ones((12, 4), bool)
    known[:6, 0] = False  # 'shape', which says how far 'turn' can be seen
    losses = method.tasks.losses(params, batch | {"known": jnp.asarray(known)})
    last = {name: rows[6:] for name, rows in batch.items()}
    expected = method.tasks.losses(params, last)[2]
    np.testing.assert_allclose(losses[2], expected, rtol=1e-5)


def test_an_unknown_weighting_is_refused():
    chosen = default_config("toy", "supervised").to_dict()
    chosen["method"]["weighting"] = "pcgad"
    with pytest.raises(UserError, match="pcgrad"):
        read_experiment(chosen)


def test_losses_of_another_number_of_tasks_are_a_mistake():
    how = TaskGradients(Weighting(pcgrad.weights), ("a",), 3)
    loss = lambda own: Output(own["a"])
    with pytest.raises(TypeError, match=r"3 tasks have shape \(2,\)"):
        of_tasks(how, loss, {"a": jnp.ones(2)}, (), key=KEY)
