"""Codes of thousands of columns are read as principal components, and say so."""

import warnings

import numpy as np
import pytest

import disentangle as dt
from disentangle.study.components import components, narrowed
from disentangle.study.editors import ways_of
from disentangle.study.visualize import Panels, write_panels

SMALL = {"levels": 2, "depth": 1, "width": 8, "steps": 2, "batch_size": 8}


def test_components_are_those_that_were_planted():
    """Three directions of falling spread in 300 columns, and a little noise."""
    rng = np.random.default_rng(0)
    axes = np.linalg.qr(rng.normal(size=(300, 3)))[0].T
    codes = rng.normal(size=(500, 3)) * [9.0, 5.0, 2.0] @ axes + 4.0
    mean, found = components(np.float32(codes + 0.01 * rng.normal(size=codes.shape)), 3)
    np.testing.assert_allclose(mean, codes.mean(0), atol=0.01)
    np.testing.assert_allclose(found @ found.T, np.eye(3), atol=1e-5)
    np.testing.assert_allclose(np.abs(found @ axes.T), np.eye(3), atol=0.12)


def test_components_are_no_more_than_rows_and_columns_allow():
    assert components(np.eye(5, 40, dtype=np.float32), 64)[1].shape == (4, 40)
    assert components(np.full((9, 4), np.nan, np.float32), 3)[1].shape == (3, 4)


@pytest.mark.slow
def test_a_flow_is_scored_shown_and_edited_by_what_its_code_is(toy, tmp_path):
    data = dt.data.smaller(toy, 16)
    run = dt.train("glow", data, seeds=2, workdir=tmp_path, progress=False, **SMALL)
    index = np.arange(80)
    read = narrowed(run, data, index)
    codes = read.encode(data.images(index))
    assert run.encode(data.images(index)).shape == (2, 80, 256)
    assert codes.shape == (2, 80, 64)
    spread = codes.std(1)
    assert (np.diff(spread, axis=1) < 1e-3).all()
    with pytest.warns(UserWarning, match="read as their first 64 principal components"):
        found = dt.evaluate(
            run, "dci", data=data, num_train=60, num_test=30, progress=False
        )
    assert found["value"].notna().all()
    write_panels(run, data, tmp_path / "panels.npz")
    panels = Panels.load(tmp_path)
    assert panels.traversals.shape == (16, 7, 16, 16, 1)
    assert len(panels.captions) == 16
    assert ways_of(run) == ("directions",)


@pytest.mark.slow
def test_a_code_that_is_narrow_is_read_as_it_is(toy):
    run = dt.train(
        "vae", toy, encoder="dense", decoder="dense", steps=2, progress=False
    )
    assert narrowed(run, toy, np.arange(9)) is run
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        dt.evaluate(run, "dci", data=toy, num_train=60, num_test=30, progress=False)
