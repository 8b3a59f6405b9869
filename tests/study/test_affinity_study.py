"""Affinity measured on the way: it moves nothing, and it tells the truth."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import disentangle as dt
from disentangle.affinity import ESTIMATORS, probe
from disentangle.data.samplers import Split
from disentangle.errors import UserError
from disentangle.study.affinity import affinities, affinity_samples, observe_affinity
from disentangle.training.config import default_config, read_experiment
from disentangle.training.loop import compile_functions
from disentangle.training.run import fit, prepare
from disentangle.training.step import batch_of


def config(encoder="dense", **changes):
    chosen = default_config("toy", "supervised").to_dict()
    chosen["method"] |= {"encoder": encoder}
    chosen["optimizer"]["learning_rate"] = 1e-3
    return chosen | {"steps": 23, "batch_size": 8, "eval_every": 0} | changes


@pytest.mark.slow
@pytest.mark.parametrize("encoder", ["dense", "locatello"])
def test_measuring_leaves_the_trajectory_bit_for_bit(toy, encoder):
    plain = fit(config(encoder), toy, progress=False)
    watch = observe_affinity(ESTIMATORS, every=5, learning_rate=0.05, steps=23)
    seen = fit(config(encoder), toy, observers=watch, progress=False)
    for name, found in affinities(seen).items():
        assert found.samples == 5, name  # steps 0, 5, 10, 15, 20
    for a, b in zip(
        jax.tree.leaves(plain.params), jax.tree.leaves(seen.params), strict=True
    ):
        assert np.array_equal(a, b)


@pytest.mark.slow
def test_task_gradients_sum_to_the_training_gradient(toy):
    run = fit(config(steps=3), toy, progress=False)
    method, params = run.method, run.member(0)
    experiment = read_experiment(config())
    key = jax.random.key(0)
    state = type("State", (), {"key": key, "step": 3})
    batch, _ = batch_of(method, Split(toy), state, 8)
    hyper = jax.tree.map(lambda x: x[0], experiment.hyperparameters.method)

    def loss(shared):
        both = params | {"encoder": shared}
        value, *_ = method.players["multitask"].loss(
            both, hyper, batch, key=key, step=0
        )
        return value

    joint = jax.grad(loss)(params["encoder"])
    each = probe(
        lambda s, p: method.tasks.losses({"encoder": s} | p, batch),
        params["encoder"],
        {"heads": params["heads"]},
        learning_rate=0.1,
    ).gradients
    for total, tasks in zip(jax.tree.leaves(joint), jax.tree.leaves(each), strict=True):
        scale = np.abs(total).max()
        np.testing.assert_allclose(tasks.sum(0), total, atol=2e-6 * scale)


@pytest.mark.slow
def test_measured_affinity_is_fifty_et_al_eq_1_step_by_step(toy):
    """Every sampled step done again by hand: lookahead on each task, all losses."""
    watch = observe_affinity(["lookahead"], every=4, learning_rate=0.1)
    measured = affinities(fit(config(steps=9), toy, observers=watch, progress=False))[
        "lookahead"
    ]
    total = np.zeros((4, 4))
    for step in (0, 4, 8):
        run = fit(config(steps=step), toy, progress=False) if step else None
        total += by_hand(toy, run, step)
    np.testing.assert_allclose(measured.matrix, total / 3, rtol=2e-3, atol=2e-5)
    off = ~np.eye(4, dtype=bool)
    assert np.abs(measured.matrix - measured.matrix.T)[off].max() > 1e-3


def by_hand(toy, run, step):
    """Z[source, target] at one step, task by task, nothing shared."""
    experiment = read_experiment(config())
    method = experiment.recipe.build(experiment.settings, toy.space, toy.shape)
    from disentangle.training.loop import compile_functions

    first = compile_functions(experiment, method, Split(toy), ()).first().state
    state = jax.tree.map(lambda x: x[0], first)._replace(step=np.int32(step))
    params = run.member(0) if run else state.params
    batch, _ = batch_of(method, Split(toy), state, 8)
    losses = lambda shared: method.tasks.losses(params | {"encoder": shared}, batch)
    before = np.float64(losses(params["encoder"]))
    rows = []
    for source in range(4):
        gradient = jax.grad(lambda s, i=source: losses(s)[i])(params["encoder"])
        moved = jax.tree.map(lambda p, g: p - 0.1 * g, params["encoder"], gradient)
        rows.append(1 - np.float64(losses(moved)) / before)
    return np.stack(rows)


MEMORY = ("lookahead_momentum", "lookahead_optimizer", "lookahead_excess")


@pytest.mark.slow
@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
def test_samples_are_kept_and_the_real_optimiser_is_seen(toy, optimizer):
    """Step 4 done again by hand, with optax's own state rebuilt from step 0."""
    chosen = config(steps=5)
    changes = {"adam": {"b1": 0.8}, "sgd": {"learning_rate": 0.05, "momentum": 0.7}}
    section = default_config("toy", "supervised", optimizer).to_dict()["optimizer"]
    chosen["optimizer"] = section | {"learning_rate": 1e-3} | changes[optimizer]
    watch = observe_affinity(MEMORY, every=2, learning_rate=0.1, steps=5)
    seen = fit(chosen, toy, observers=watch, progress=False)
    (kept,) = affinity_samples(seen, 2)
    assert list(kept.steps) == [0, 2, 4]
    for name, found in affinities(seen).items():
        np.testing.assert_allclose(
            kept.values[name].mean(0), found.matrix, rtol=1e-4, atol=1e-6
        )
    experiment, method, split, _ = prepare(chosen, toy)
    first = compile_functions(experiment, method, split, ()).first().state
    state = jax.tree.map(lambda x: x[0], first)
    params, past = state.params, []
    rate = chosen["optimizer"]["learning_rate"]
    tx = optax.sgd(rate, 0.7) if optimizer == "sgd" else optax.adam(rate, b1=0.8)
    memory = tx.init(params)
    losses = lambda p, batch: method.tasks.losses(p, batch)
    total = jax.jit(jax.grad(lambda p, batch: losses(p, batch).sum()))
    update = jax.jit(tx.update)
    for step in range(4):
        batch, _ = batch_of(method, split, state._replace(step=np.int32(step)), 8)
        past.append(total(params, batch))
        with jax.numpy_dtype_promotion("standard"):
            move, memory = update(past[-1], memory, params)
        params = optax.apply_updates(params, move)
    batch, _ = batch_of(method, split, state._replace(step=np.int32(4)), 8)
    value = jax.jit(lambda p: losses(p, batch))
    before, m = value(params), 0.7 if optimizer == "sgd" else 0.8
    np.testing.assert_allclose(kept.losses[2], before, rtol=1e-5)
    drift = jax.tree.map(
        lambda *g: sum(m ** (len(g) - k) * x for k, x in enumerate(g)), *past
    )
    gradient = jax.jit(
        lambda p, i: jax.grad(lambda e: losses(p | {"encoder": e}, batch)[i])(
            p["encoder"]
        )
    )
    still = jax.tree.map(jnp.zeros_like, params)

    def after_update(own):
        with jax.numpy_dtype_promotion("standard"):
            move, _ = update(still | {"encoder": own}, memory, params)
        moved = optax.apply_updates(params, move)["encoder"]
        return 1 - np.float64(value(params | {"encoder": moved})) / before

    for source in range(4):
        g = gradient(params, source)
        heavy = jax.tree.map(
            lambda p, g, d: p - 0.1 * (g + d), params["encoder"], g, drift["encoder"]
        )
        z = 1 - np.float64(value(params | {"encoder": heavy})) / before
        close = partial(np.testing.assert_allclose, rtol=2e-3, atol=3e-5)
        close(kept.values["lookahead_momentum"][2, source], z)
        z = after_update(g)
        close(kept.values["lookahead_optimizer"][2, source], z)
        z = z - after_update(still["encoder"])
        close(kept.values["lookahead_excess"][2, source], z)
    assert np.abs(kept.values["lookahead_optimizer"][2]).max() > 1e-3


@pytest.mark.slow
def test_samples_go_on_in_a_run_of_more_steps(toy, tmp_path):
    """Also after a checkpoint of a version that kept none."""
    watch = lambda steps: observe_affinity(
        ["cosine"], every=2, learning_rate=0.1, steps=steps
    )
    at_once = fit(config(steps=9), toy, observers=watch(9), progress=False)
    fit(config(steps=5), toy, workdir=tmp_path / "a", observers=watch(5))
    more = fit(config(steps=9), toy, workdir=tmp_path / "a", observers=watch(9))
    (one,), (other,) = affinity_samples(at_once, 2), affinity_samples(more, 2)
    assert list(one.steps) == list(other.steps) == [0, 2, 4, 6, 8]
    np.testing.assert_array_equal(one.values["cosine"], other.values["cosine"])
    np.testing.assert_array_equal(one.losses, other.losses)
    fit(config(steps=5), toy, workdir=tmp_path / "b", observers=watch(0))
    later = fit(config(steps=9), toy, workdir=tmp_path / "b", observers=watch(9))
    assert len(affinity_samples(later, 2)[0].steps) == 2  # steps 6 and 8
    assert affinities(later)["cosine"].samples == 5


@pytest.mark.slow
def test_a_run_without_samples_says_so(toy):
    watch = observe_affinity(["cosine"], every=2, learning_rate=0.1)
    seen = fit(config(steps=1), toy, observers=watch, progress=False)
    with pytest.raises(UserError, match="kept no samples"):
        affinity_samples(seen, 2)


@pytest.mark.slow
def test_measure_affinity_of_chosen_tasks(toy):
    measured = dt.measure_affinity(
        toy, tasks=("x", "shape"), steps=6, every=2, batch_size=8, progress=False
    )
    assert measured.tasks == ("x", "shape")
    assert measured.samples == 3
    assert dt.group_tasks(measured, budget=1).groups == (("x", "shape"),)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"method": "lookahed"}, "Did you mean 'lookahead'"),
        ({"tasks": ("y",)}, "unknown task 'y'"),
        ({"every": 0}, "every=0 must be at least 1"),
        ({"lookahead_rate": 0.0}, "must be above 0"),
        ({"steps": 0}, "steps=0"),
    ],
)
def test_wrong_arguments(toy, arguments, message):
    with pytest.raises(UserError, match=message):
        dt.measure_affinity(toy, **({"steps": 2, "progress": False} | arguments))
