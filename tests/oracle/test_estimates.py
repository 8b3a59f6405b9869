"""Estimates for the oracle's own network, against the network done by hand."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from disentangle.affinity import ESTIMATORS, ONE_MODEL
from disentangle.affinity.rates import name_at, names_at
from disentangle.affinity.samples import Samples
from disentangle.errors import UserError
from disentangle.oracle import estimates, measured
from disentangle.oracle.contest import Bench
from disentangle.oracle.examples import parts_of
from disentangle.oracle.regime import Held, Regime
from disentangle.oracle.table import TaskTable
from disentangle.oracle.train import all_together, every_group, program_of

REGIME = Regime(train_size=60, batch_size=8, steps=6, every=2, hidden=12, head=5)
HELD = Held(validation_size=18, test_size=18)
RATES, RIDGES = (0.01, 0.1), (0.1, 1.0)
SEEDS = (0, 3)


@pytest.fixture(scope="module")
def program(toy):
    return program_of(REGIME, toy.space, toy.shape[2])


@pytest.fixture(scope="module")
def seen(program):
    """Numbers in the form of a measurement; no network is trained."""
    rng, tasks = np.random.default_rng(1), tuple(t.name for t in program.network.tasks)
    found = {}
    for seed in SEEDS:
        draw = lambda *shape: rng.normal(size=shape).astype(np.float32)
        values = {
            name: draw(3, 15 if "groups" in name else 4, 4)
            for name in names_at(ESTIMATORS, RATES)
        }
        losses = np.abs(draw(3, 4)) + 0.1
        samples = Samples(tasks, np.array([0, 2, 4]), losses, values)
        named = [name_at(name, r) for name in ONE_MODEL for r in RIDGES]
        predicted = {
            name: np.where(every_group(4), draw(15, 4), np.nan)
            for name in (*named, measured.RELEASED)
        }
        found[seed] = measured.Measured(samples, predicted, 2)
    return found


@pytest.fixture(scope="module")
def trained(toy, program):
    options = {"every": 2, "batches": 2, "rates": RATES, "ridges": RIDGES}
    return {
        seed: measured.measure(
            program, parts_of(REGIME, HELD, toy, seed), seed, **options
        )
        for seed in SEEDS
    }


@pytest.fixture(scope="module")
def table(program):
    groups = every_group(4)
    rng = np.random.default_rng(0)
    loss = np.where(groups, rng.uniform(0.5, 1.5, (2, 15, 4)), np.nan)
    order = rng.permutation(15)
    tasks = tuple(task.name for task in program.network.tasks)
    turn = [2, 0, 3, 1]  # the table has its tasks and groups in an order of its own
    return TaskTable(
        tuple(tasks[i] for i in turn),
        groups[order][:, turn],
        SEEDS,
        loss[:, order][:, :, turn],
        validation=loss[:, order][:, :, turn],
    )


@pytest.mark.slow
def test_samples_are_those_of_the_training_by_hand(toy, program, trained):
    found = trained[3].samples
    assert set(found.values) == set(names_at(ESTIMATORS, RATES))
    assert list(found.steps) == [0, 2, 4] and found.losses.shape == (3, 4)
    assert "lookahead@0.1" in found.values and "cosine" in found.values
    parts = parts_of(REGIME, HELD, toy, 3)
    last = [s for s in all_together(program, parts, 3, every=2, batches=2)][2]
    network, rate = program.network, 0.1
    looked, adam = [], []
    for m in range(2):
        batch = jax.tree.map(lambda leaf, m=m: leaf[m], last.batches)
        value = lambda shared, b=batch: network.losses(shared, last.private, b)
        before, rows, own = np.float64(value(last.shared)), [], []
        for i in range(4):
            g = jax.grad(lambda s, i=i, v=value: v(s)[i])(last.shared)
            moved = jax.tree.map(lambda p, g: p - rate * g, last.shared, g)
            rows.append(1 - np.float64(value(moved)) / before)
            still = (g, jax.tree.map(jnp.zeros_like, last.private))
            with jax.numpy_dtype_promotion("standard"):
                move, _ = program.optimizer.update(still, last.optimizer, None)
            moved = optax.apply_updates(last.shared, move[0])
            own.append(1 - np.float64(value(moved)) / before)
        looked.append(rows)
        adam.append(own)
    close = lambda a, b: np.testing.assert_allclose(a, b, rtol=3e-3, atol=3e-5)
    close(found.values["lookahead@0.1"][2], np.mean(looked, 0))
    close(found.values["lookahead_optimizer"][2], np.mean(adam, 0))
    by_group = found.values["lookahead_groups@0.1"][2]
    for i in range(4):
        close(by_group[(1 << i) - 1], np.mean(looked, 0)[i])


@pytest.mark.slow
def test_predictions_are_losses_of_the_groups(trained, seen):
    assert set(trained[0].predicted) == set(seen[0].predicted)
    for name, held in trained[0].predicted.items():
        assert held.shape == (15, 4), name
        np.testing.assert_array_equal(np.isfinite(held), every_group(4))
    strong = trained[0].predicted["grad_tag@1"]
    weak = trained[0].predicted["grad_tag@0.1"]
    assert np.nanmax(np.abs(strong - weak)) > 1e-4


def test_files_come_back_bit_for_bit(tmp_path, seen):
    measured.save(tmp_path / "m.npz", seen)
    back = measured.load(tmp_path / "m.npz")
    assert list(back) == [0, 3]
    for seed, one in seen.items():
        for part in ("values", "predicted"):
            held = one.samples.values if part == "values" else one.predicted
            got = (
                back[seed].samples.values if part == "values" else back[seed].predicted
            )
            assert sorted(held) == sorted(got)
            for name, value in held.items():
                np.testing.assert_array_equal(got[name], value)
        np.testing.assert_array_equal(back[seed].samples.losses, one.samples.losses)


def test_costs_are_counted_in_trainings(seen):
    of = lambda name: measured.cost(name, REGIME, seen[0])
    looks = 3 * 2  # three samples of two batches, in a training of 6 steps of 3 passes
    assert of("lookahead@0.1") == pytest.approx(1 + looks * (1 + 3 * 4) / 18)
    assert of("cosine") == pytest.approx(1 + looks * (1 + 2 * 4) / 18)
    assert of("jvp_sketch") == pytest.approx(1 + looks * 3 / 18)
    assert of("lookahead_groups@0.01") == pytest.approx(1 + looks * (9 + 15) / 18)
    assert of("grad_tag@1") > 1
    with pytest.raises(UserError, match="unknown estimate"):
        of("lookahed")


def test_scores_find_their_group_in_any_order_of_tasks(table, seen):
    names = {}
    for given in estimates.per_step(table, REGIME, seen):
        names[given.name] = given
        assert given.scores.shape == (2, 15, 4)
    tasks = seen[0].samples.tasks
    row = table.names.index(next(n for n in table.names if n.count("+") == 2))
    members = [
        task for task in table.tasks if table.groups[row][table.tasks.index(task)]
    ]
    z = seen[3].samples.values["lookahead@0.1"].mean(0)
    for task in members:
        column = table.tasks.index(task)
        onto = [z[tasks.index(o), tasks.index(task)] for o in members if o != task]
        of = lambda name, c=column: names[name].scores[1, row, c]
        assert of("lookahead@0.1, mean") == pytest.approx(np.mean(onto), rel=1e-5)
        assert of("lookahead@0.1, sum") == pytest.approx(np.sum(onto), rel=1e-5)
        mask = sum(1 << tasks.index(o) for o in members)
        groups = seen[3].samples.values["lookahead_groups@0.01"].mean(0)
        by_hand = groups[mask - 1, tasks.index(task)]
        assert of("lookahead_groups@0.01") == pytest.approx(by_hand, rel=1e-5)
        predicted = seen[3].predicted["influence@1"][mask - 1, tasks.index(task)]
        (influence,) = [
            e
            for e in estimates.one_model(table, REGIME, seen)
            if e.name == "influence@1"
        ]
        assert influence.scores[1, row, column] == pytest.approx(-predicted, rel=1e-5)
    alone = table.sizes == 1
    assert (names["cosine, sum"].scores[:, alone][:, table.groups[alone]] == 0).all()
    assert np.isnan(names["cosine, mean"].scores[:, alone]).all()
    kinds = {name.partition(",")[0].partition("@")[0] for name in names}
    assert kinds == set(ESTIMATORS)


def test_fits_read_the_groups_they_pay_for_alone(table):
    found = estimates.from_groups(table, draws=(8, 12))
    spoiled = table.validation.copy()
    for one in found:
        for seed in range(2):
            spoiled = table.validation.copy()
            spoiled[seed][~one.seen[seed]] += np.where(
                table.groups[~one.seen[seed]], 1e6, 0
            )
            other = dataclasses.replace(table, validation=spoiled)
            again = {e.name: e for e in estimates.from_groups(other, draws=(8, 12))}
            np.testing.assert_array_equal(
                again[one.name].scores[seed], one.scores[seed]
            )
        assert one.cost == one.seen[0].sum() == one.seen[1].sum()
    prices = {one.name: one.cost for one in found}
    assert prices["pairs_mean"] == 6 and prices["pairs_sum"] == 10
    assert prices["surrogate, 8"] == 8
    rows = [estimates.drawn(table.groups, 8, seed).tolist() for seed in SEEDS]
    assert rows[0] != rows[1]
    assert all(table.groups[one].sum(0).min() >= 2 for one in rows)


def test_all_of_them_can_be_judged(table, seen):
    per_step = estimates.per_step(table, REGIME, seen, statistic="ratio_of_sums")
    held_out = [e for e in per_step if e.name == "lookahead_held_out@0.1, sum"]
    fitted = estimates.from_groups(table, draws=(10,), calibrated=held_out)
    assert any(e.name.startswith("calibrated lookahead_held_out") for e in fitted)
    assert fitted[-1].cost == pytest.approx(10 + held_out[0].cost)
    bench = Bench(table, (1, 2))
    for one in (*per_step, *estimates.one_model(table, REGIME, seen), *fitted):
        judged = bench.judge(one)
        assert judged.area.mean is not None, one.name


def test_mistakes_get_a_sentence(table, seen):
    with pytest.raises(UserError, match=r"seed 3 of .* was not measured"):
        estimates.per_step(table, REGIME, {0: seen[0]})
    with pytest.raises(UserError, match="unknown statistic"):
        estimates.per_step(table, REGIME, seen, statistic="men")
