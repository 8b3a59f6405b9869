"""Affinity measured on the way: it moves nothing, and it tells the truth."""

import jax
import numpy as np
import pytest

import disentangle as dt
from disentangle.affinity import probe
from disentangle.data.samplers import Split
from disentangle.errors import UserError
from disentangle.study.affinity import affinities, observe_affinity
from disentangle.training.config import default_config, read_experiment
from disentangle.training.run import fit
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
    watch = observe_affinity(["lookahead", "cosine"], every=5, learning_rate=0.05)
    seen = fit(config(encoder), toy, observers=watch, progress=False)
    assert affinities(seen)["lookahead"].samples == 5  # steps 0, 5, 10, 15, 20
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
        value, _ = method.players["multitask"].loss(both, hyper, batch, key=key, step=0)
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
    from disentangle.training.loop import first_progress

    first = first_progress(experiment, method, Split(toy), ()).state
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
