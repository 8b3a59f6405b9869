"""Retrieval beside disentanglement: correlations of planted numbers, and the figure."""

import json

import numpy as np
import pandas as pd
import pytest

from disentangle.errors import UserError
from disentangle.report import downstream


def models(count=12, **columns):
    rng = np.random.default_rng(0)
    d = rng.uniform(size=count)
    found = {
        "data": "dsprites",
        "method": np.repeat(["a", "b"], count // 2),
        "strength": 0.0,
        "seed": np.tile(np.arange(count // 2), 2),
        "dci/disentanglement": d,
        "mig/score": 1 - d,
        "edit_retrieval/kept": d**3,
        "similar_retrieval/conflict": rng.permutation(d),
    }
    return pd.DataFrame(found | columns)


def test_correlations_are_those_of_planted_orders():
    found = downstream.correlations(models())
    kept = "edit_retrieval/kept"
    assert found[kept, "dci/disentanglement"].value == pytest.approx(1)
    assert found[kept, "mig/score"].value == pytest.approx(-1)
    assert found[kept, "dci/disentanglement"].low == pytest.approx(1)
    table = models()
    ranks = table[["similar_retrieval/conflict", "mig/score"]].rank()
    expected = np.corrcoef(ranks.T)[0, 1]
    pair = ("similar_retrieval/conflict", "mig/score")
    assert found[pair].value == pytest.approx(expected)
    assert len(found) == 4


@pytest.mark.slow
def test_the_figure_has_a_dot_per_model_in_every_panel():
    figure = downstream.downstream_figure(models())
    assert len(figure.axes) == 4
    for panel in figure.axes:
        assert sum(len(line.get_xdata()) for line in panel.lines) == 12
    assert figure.axes[0].get_title(loc="left") == "ρ = 1.00"
    few = models(**{"mig/score": np.nan, "dci/disentanglement": np.nan})
    with pytest.raises(UserError, match="no 3 models have both a retrieval score"):
        downstream.downstream_figure(few)
    assert downstream.downstream(few) == []


@pytest.mark.slow
def test_a_comparison_has_the_section_where_its_scores_do(tmp_path):
    (tmp_path / "config.json").write_text(
        json.dumps({"data": {"name": "dsprites"}, "runs": {"a": {}, "b": {}}})
    )
    assert downstream.compared(tmp_path) == []
    rows = [
        {"representation": row["method"]}
        | {k: v for k, v in row.items() if k not in ("data", "method", "strength")}
        for row in models().to_dict("records")
    ]
    rows.append(rows[0] | {"edit_retrieval/kept": None})  # another of the same seed
    (tmp_path / "scores.json").write_text(json.dumps({"rows": rows, "ran": {}}))
    text, row, table = downstream.compared(tmp_path)
    assert len(table.rows) == 4 and table.rows[0][2].value == pytest.approx(1)
    assert "12 models" in row.items[0].caption or "13 models" in row.items[0].caption
    assert "ρ near 1" in text.text
