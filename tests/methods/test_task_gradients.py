"""The supervised method's task gradients, with every weighting, against the scalar's.

The weightings themselves: tests/test_weightings.py.
"""

from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from disentangle.errors import UserError
from disentangle.methods import METHODS, supervised
from disentangle.methods.base import Output, TaskGradients, init
from disentangle.training.config import default_config, read_experiment
from disentangle.training.final import final_rows
from disentangle.training.gradient import of_scalar, of_tasks
from disentangle.training.run import fit
from disentangle.weightings import WEIGHTINGS, pcgrad

KEY = jax.random.key(0)


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
    memory = player.gradient.weighting.init(player.gradient.tasks)
    return of_tasks(player.gradient, loss, params, memory, key=KEY)[:2]


def same(left, right, rtol=1e-5):
    for a, b in zip(jax.tree.leaves(left), jax.tree.leaves(right), strict=True):
        np.testing.assert_allclose(a, b, atol=rtol * np.abs(np.asarray(b)).max())


@pytest.mark.slow
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


@pytest.mark.slow
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
    how = TaskGradients(pcgrad.WEIGHTING, ("a",), 3)
    loss = lambda own: Output(own["a"])
    with pytest.raises(TypeError, match=r"3 tasks have shape \(2,\)"):
        of_tasks(how, loss, {"a": jnp.ones(2)}, (), key=KEY)


def test_a_weighting_of_losses_takes_one_pass_back_and_gives_the_same(toy):
    """FAMO by one pass, and as if it read the Gram matrix; the passes are counted."""
    famo = WEIGHTINGS["famo"]
    found, passes = {}, {}
    for reads in ("losses", "gram"):
        how = TaskGradients(famo._replace(reads=reads), ("a",), 3)

        def loss(own):
            return Output(
                jnp.square(own["a"] @ jnp.arange(6.0).reshape(2, 3) + own["b"])
            )

        own = {"a": jnp.float32([0.3, -0.7]), "b": jnp.float32([1.0, 2.0, 3.0])}
        call = lambda own, how=how, loss=loss: of_tasks(
            how, loss, own, famo.init(3), key=KEY
        )[1]
        found[reads], passes[reads] = call(own), str(jax.make_jaxpr(call)(own))
    same(found["losses"], found["gram"], rtol=1e-6)
    assert "scan" in passes["gram"]
    assert "scan" not in passes["losses"]


@pytest.mark.slow
@pytest.mark.parametrize("weighting", ["equal", "famo", "imtl_g"])
def test_an_infinite_loss_that_takes_no_part_kills_nothing(toy, weighting):
    """A head that overflows, of a task without weight or without a label."""
    method, params = built(toy, weighting=weighting)
    batch = batch_of(toy.space)
    expected, gradient = gradients(method, params, batch, (1.0, 1.0, 1.0, 0.0))
    heads = params["heads"] | {
        "prediction_3": jax.tree.map(
            lambda leaf: jnp.full_like(leaf, 3e38), params["heads"]["prediction_3"]
        )
    }
    broken = params | {"heads": heads}
    assert not np.isfinite(method.tasks.losses(broken, batch)).all()
    known = jnp.ones((12, 4), bool).at[:, 3].set(False)
    for masked, weights in (
        (batch, (1.0, 1.0, 1.0, 0.0)),
        (batch | {"known": known}, ()),
    ):
        found, got = gradients(method, broken, masked, weights)
        assert float(found.total) == pytest.approx(float(expected.total), rel=1e-5)
        same(got, gradient)


@pytest.mark.slow
@pytest.mark.parametrize("weighting", WEIGHTINGS)
def test_a_network_learns_with_every_weighting_and_goes_on(toy, tmp_path, weighting):
    """Above the trivial predictor on every task; stopped and resumed, the same bits."""
    chosen = default_config("toy", "supervised")
    chosen.method.encoder, chosen.method.weighting = "dense", weighting
    chosen.steps, chosen.batch_size, chosen.seeds = 300, 32, 1
    chosen.optimizer.learning_rate = 2e-3
    chosen.log_every = chosen.eval_every = chosen.checkpoint_every = 100
    whole = fit(chosen, toy, workdir=tmp_path / "whole", progress=False)
    assert whole.alive.all()
    row = next(iter(final_rows(whole, toy).values()))
    assert max(row["task_losses"]) < 1
    chosen.steps = 100
    fit(chosen, toy, workdir=tmp_path / "parts", progress=False)
    chosen.steps = 300
    parts = fit(chosen, toy, workdir=tmp_path / "parts", progress=False)
    pairs = zip(
        jax.tree.leaves(whole.params), jax.tree.leaves(parts.params), strict=True
    )
    assert all((np.asarray(a) == np.asarray(b)).all() for a, b in pairs)
