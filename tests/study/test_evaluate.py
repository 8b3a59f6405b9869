"""Scores of a run: a row a model and score, and scores that compare models."""

from dataclasses import replace

import numpy as np
import pytest

import disentangle as dt
from disentangle.errors import UserError
from disentangle.metrics import METRICS, Population, Settings
from disentangle.metrics.udr import gaussian_kl, udr
from disentangle.study.encoding import posterior_table
from disentangle.study.evaluate import evaluate, sample_index
from disentangle.study.peers import population_results
from disentangle.training.members import members


@pytest.fixture(scope="module")
def run(toy):
    quick = {"steps": 2, "batch_size": 8, "progress": False}
    return dt.train("vae", toy, encoder="narrow", decoder="dense", seeds=3, **quick)


def first(run, count):
    """The run as if it had only its first members."""
    return replace(run, population=run.population[:count], alive=run.alive[:count])


@pytest.mark.slow
def test_udr_of_a_run_is_the_metric_of_its_training_rows(run, toy, monkeypatch):
    table = evaluate(run, "mig,udr", data=toy, num_train=60, num_test=20)
    assert list(table["metric"]) == ["mig/score", "udr/score"] * 3
    assert list(table["member"][::2]) == list(run.members)
    means, logvars = posterior_table(run, toy, sample_index(toy, 80, seed=0))
    means, logvars = means[:, :60], logvars[:, :60]
    expected = udr(Population(means, gaussian_kl(means, logvars)), Settings())
    found = table[table["metric"] == "udr/score"]["value"]
    np.testing.assert_allclose(found, expected.values["score"])

    rows = {"data": toy, "num_train": 40, "num_test": 10}
    assert set(evaluate(run, "udr", **rows)["metric"]) == {"udr/score"}
    single = [name for name in METRICS if name != "udr"]
    for name in single:
        monkeypatch.setitem(METRICS, name, METRICS["mig"])
    single = {f"{name}/score" for name in single}
    everything = evaluate(run, "all", **rows)
    assert set(everything["metric"]) == single | {"udr/score"}
    with pytest.warns(UserWarning, match="udr is left out: .*this run has one"):
        alone = evaluate(first(run, 1), "all", **rows)
    assert set(alone["metric"]) == single | {"udr"}
    assert alone.set_index("metric")["value"].isna().sum() == 1


@pytest.mark.slow
def test_udr_compares_members_of_equal_hyperparameters(toy):
    quick = {"steps": 2, "batch_size": 8, "progress": False}
    quick |= {"encoder": "narrow", "decoder": "dense", "seeds": 3}
    sweep = dt.train("beta_vae", toy, beta=[1.0, 8.0], **quick)
    alone = dt.train("beta_vae", toy, beta=8.0, **quick)
    rows = {"data": toy, "num_train": 60, "num_test": 10}
    found, peers = evaluate(sweep, "udr", **rows), evaluate(alone, "udr", **rows)
    np.testing.assert_allclose(found["value"][3:], peers["value"], atol=1e-5)
    # One of beta=8 diverged: no peer, no score, and the others go on.
    two = replace(sweep, alive=np.array([True] * 3 + [True, False, True]))
    found = evaluate(two, "mig,udr", **rows)
    udr_rows = found[found["metric"] == "udr/score"].reset_index()
    assert udr_rows["value"].isna().tolist() == [False] * 4 + [True, False]
    assert found[~found["alive"]]["value"].isna().all()
    one = replace(sweep, alive=np.array([True] * 3 + [True, False, False]))
    with pytest.warns(UserWarning, match="'beta=8,seed=0' has no living one"):
        found = evaluate(one, "mig,udr", **rows)
    last = found[found["member"] == "beta=8,seed=0"]
    assert last["metric"].tolist() == ["mig/score", "udr"]
    assert last["value"].isna().tolist() == [False, True]
    none = replace(sweep, alive=np.zeros(6, bool))
    assert evaluate(none, "mig", **rows)["value"].isna().all()


@pytest.mark.slow
def test_three_good_seeds_are_not_judged_by_six_of_other_settings(run):
    """.90 among themselves, .50 beside the six; by hand, of three standardised codes.

    The good ones are alike up to order and sign: the Lasso takes its penalty 0.1 off a
    coefficient of 1. The others have two codes turned by 45 degrees, each with another
    pair: two coefficients of 1/sqrt(2) - 0.1 =: r for a code, of which the largest has
    the share r^2 / (2 r).
    """
    grid = np.stack([axis.ravel() for axis in np.indices((10, 10, 10))], axis=1) - 4.5
    good = [grid, -grid[:, [2, 0, 1]], grid[:, [1, 0, 2]]]
    turn = np.array([[1.0, 1.0, 0.0], [-1.0, 1.0, 0.0], [0.0, 0.0, np.sqrt(2)]])
    turn = turn / np.sqrt(2)
    orders = ([0, 1, 2], [1, 2, 0], [2, 0, 1])
    turned = [grid[:, order] @ turn.T for order in orders]
    codes = np.stack([*good, *turned, *(-z for z in turned)])
    population = members({"beta": [4.0, 8.0, 16.0]}, seed=0, seeds=3)
    nine = replace(run, population=population, alive=np.ones(9, bool))
    shape = codes.shape
    found = population_results(nine, ["udr"], codes, np.full(shape, -4.0), Settings())
    scores = [result["udr"].values["score"] for result in found]
    assert scores[:3] == pytest.approx([0.9] * 3)
    together = udr(Population(codes, np.ones((9, 3))), Settings()).values["score"]
    half = (np.sqrt(0.5) - 0.1) / 2
    assert together[:3] == pytest.approx([(0.9 + 2 * half) / 3] * 3)
    assert together[:3] == pytest.approx([0.51] * 3, abs=0.01)


def test_a_member_whose_codes_are_broken_costs_only_itself(run, toy, monkeypatch):
    """One member's codes are NaN though nothing says that it diverged."""
    posterior = type(run).posterior

    def broken(self, images):
        means, logvars = posterior(self, images)
        lost = np.arange(len(means))[:, None, None] == 1
        return np.where(lost, np.nan, means), logvars

    monkeypatch.setattr(type(run), "posterior", broken)

    rows = {"data": toy, "num_train": 60, "num_test": 10, "progress": False}
    with pytest.warns(UserWarning, match="mig is left out: codes has .* NaN"):
        table = evaluate(run, "mig", **rows)
    assert table["value"].isna().tolist() == [False, True, False]
    assert "NaN" in table["note"][1]


def test_evaluate_draws_the_images_of_z_max_once_for_all_members(run, toy):
    calls = []
    rows = {"data": toy, "num_train": 20, "num_test": 10}
    told = lambda what, done, total: calls.append((what, done, total))
    table = evaluate(run, "z_max_variance", progress=told, **rows)
    assert table["value"].between(0, 1).all() and len(table) == 3
    encoded = [call for call in calls if call[0] == "encode" and call[1] == 0]
    assert len(encoded) == 2 and encoded[1][2] <= len(toy)  # rows; different images


def test_udr_is_refused_before_any_compute_where_it_cannot_be(run):
    with pytest.raises(UserError, match="this run has one, 'seed=0': train several"):
        evaluate(first(run, 1), "udr")
    certain = replace(run, method=run.method._replace(posterior=None))
    with pytest.raises(UserError, match="Gaussian codes, which method 'vae' does not"):
        evaluate(certain, ["udr"])
