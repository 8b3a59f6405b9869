"""An addition is one file (tests/recipes/) and one line, and then it is everywhere.

The line is `monkeypatch.setitem` here; for good it is a line of the dict literal.
"""

import json
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest
from recipes import blocks, correlation, inner_product, warmup_vae

import disentangle as dt
from disentangle.__main__ import main
from disentangle.affinity import ESTIMATORS
from disentangle.data import DATASETS
from disentangle.methods import METHODS
from disentangle.metrics import METRICS
from disentangle.nn import ENCODERS
from disentangle.training.writers import read_metrics

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(autouse=True)
def added(monkeypatch):
    monkeypatch.setitem(METHODS, "warmup_vae", warmup_vae.RECIPE)
    monkeypatch.setitem(METRICS, "correlation", correlation.METRIC)
    monkeypatch.setitem(ESTIMATORS, "inner_product", inner_product.estimate)
    monkeypatch.setitem(DATASETS, "blocks", blocks.RECIPE)


def test_a_data_set():
    data = dt.load("blocks")
    assert (data.space.names, len(data)) == (("size", "x", "y"), 128)
    images = np.asarray(data.images(np.arange(128)))
    assert images.shape == (128, 64, 64, 1)
    assert list(images.sum((1, 2, 3))) == [64] * 64 + [256] * 64
    lit = np.argwhere(images[data.space.index(np.array([1, 3, 0])), ..., 0])
    assert (lit.min(0).tolist(), lit.max(0).tolist()) == ([0, 18], [15, 33])


def test_a_metric():
    rng = np.random.default_rng(0)
    factors = rng.integers(0, 4, (600, 2))
    codes = np.stack([-2.0 * factors[:, 0], rng.normal(size=600)], axis=1)
    scores = dt.score(codes, factors, ["correlation"], num_train=400)
    by_hand = [
        [
            abs(np.cov(c, f)[0, 1]) / c.std(ddof=1) / f.std(ddof=1)
            for f in factors[:400].T
        ]
        for c in codes[:400].T
    ]
    assert by_hand[0][0] == pytest.approx(1.0)
    expected = np.mean(np.max(by_hand, axis=0))
    assert scores == {"correlation/score": pytest.approx(expected, abs=1e-9)}


@pytest.mark.slow
def test_a_method_in_a_sweep():
    run = dt.train(
        "warmup_vae",
        dt.load("blocks"),
        warmup=[2.0, 1e9],
        steps=30,
        batch_size=16,
        learning_rate=1e-2,
        progress=False,
        encoder="dense",
        decoder="dense",
    )
    assert run.members == ("warmup=2,seed=0", "warmup=1e+09,seed=0")
    codes = run.encode(dt.load("blocks").images(jnp.arange(128)))
    assert codes.shape == (2, 128, 10)
    # What costs nothing is used more: without a KL the codes spread further.
    assert codes[1].std() > 1.5 * codes[0].std()


@pytest.mark.slow
def test_an_affinity_estimator(monkeypatch):
    monkeypatch.setitem(ENCODERS, "locatello", ENCODERS["dense"])
    data = dt.load("blocks")
    settings = {"steps": 4, "every": 2, "batch_size": 16, "progress": False}
    product = dt.measure_affinity(data, method="inner_product", **settings)
    assert (product.tasks, product.samples) == (data.space.names, 2)
    np.testing.assert_allclose(product.matrix, product.matrix.T, rtol=1e-6)
    assert (np.diag(product.matrix) > 0).all()
    assert dt.group_tasks(product, budget=2).groups


@pytest.mark.slow
def test_on_the_command_line(capsys, tmp_path):
    assert main(["list"]) == 0
    listed = capsys.readouterr().out
    for name in ("warmup_vae", "correlation", "inner_product", "blocks"):
        assert f"  {name} " in listed
    train = [
        "train",
        f"--config={ROOT}/experiments/vae.py:blocks,warmup_vae,warmup=4",
        "--config.method.encoder=dense",
        "--config.method.decoder=dense",
        "--config.steps=8",
        "--config.log_every=4",
        f"--workdir={tmp_path}/run",
        "--noprogress",
    ]
    assert main(train) == 0
    weights = [r["weight"] for r in read_metrics(tmp_path / "run") if "weight" in r]
    assert weights[:2] == pytest.approx([np.mean([0, 0.25, 0.5, 0.75]), 1.0])
    score = ["--metrics=correlation", "--num_train=40", "--num_test=20"]
    out = tmp_path / "scores.json"
    assert main(["evaluate", f"--workdir={tmp_path}/run", *score, f"--json={out}"]) == 0
    (row,) = json.loads(out.read_text())
    assert row["metric"] == "correlation/score" and 0 < row["value"] <= 1
