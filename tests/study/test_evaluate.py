"""Scores of a run: a row a model and score, and scores that compare models."""

from dataclasses import replace

import numpy as np
import pytest

import disentangle as dt
from disentangle.errors import UserError
from disentangle.metrics import METRICS, Population, Settings
from disentangle.metrics.mig import mig
from disentangle.metrics.udr import gaussian_kl, udr
from disentangle.study.evaluate import evaluate, posterior_table, sample_index


@pytest.fixture
def run(toy):
    quick = {"steps": 2, "batch_size": 8, "progress": False}
    return dt.train("vae", toy, encoder="dense", decoder="dense", seeds=3, **quick)


def first(run, members):
    """The run as if it had only its first members."""
    names, swept = run.members[:members], run.swept[:members]
    return replace(run, members=names, swept=swept)


def test_udr_of_a_run_is_the_metric_of_its_training_rows(run, toy, monkeypatch):
    table = evaluate(run, "mig,udr", data=toy, num_train=60, num_test=20)
    assert list(table["metric"]) == ["mig/score", "udr/score"] * 3
    assert list(table["member"][::2]) == list(run.members)
    means, logvars = posterior_table(run, toy, sample_index(toy, 80, seed=0))
    means, logvars = means[:, :60], logvars[:, :60]
    expected = udr(Population(means, gaussian_kl(means, logvars)), Settings())
    found = table[table["metric"] == "udr/score"]["value"]
    np.testing.assert_allclose(found, expected.parts["score"])

    rows = {"data": toy, "num_train": 40, "num_test": 10}
    assert set(evaluate(run, "udr", **rows)["metric"]) == {"udr/score"}
    for name in METRICS:
        monkeypatch.setitem(METRICS, name, mig)
    single = {f"{name}/score" for name in METRICS}
    everything = evaluate(run, "all", **rows)
    assert set(everything["metric"]) == single | {"udr/score"}
    assert set(evaluate(first(run, 1), "all", **rows)["metric"]) == single


def test_udr_is_refused_before_any_compute_where_it_cannot_be(run):
    with pytest.raises(UserError, match="this run has one, 'seed=0': train several"):
        evaluate(first(run, 1), "udr")
    certain = replace(run, method=run.method._replace(posterior=None))
    with pytest.raises(UserError, match="Gaussian codes, which method 'vae' has not"):
        evaluate(certain, ["udr"])
