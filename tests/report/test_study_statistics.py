"""The statistics of a study as sections: what is planted is what they say."""

import itertools

import numpy as np
import pandas as pd
import pytest

from disentangle.errors import UserError
from disentangle.report import statistics_figures as figures
from disentangle.report.blocks import Row, Table
from disentangle.report.statistics import SECTIONS, counted, headline
from disentangle.report.statistics_columns import columns_of, ranking_score


def planted(data=("dsprites", "shapes3d"), strengths=(1.0, 4.0), seeds=4):
    """DCI is the method and seeds; UDR orders seeds as DCI does; TC orders nothing."""
    rng = np.random.default_rng(0)
    rows = []
    for d, m, h, s in itertools.product(data, range(3), strengths, range(seeds)):
        dci = 0.2 + 0.2 * m + 0.02 * rng.normal()
        rows.append(
            {"data": d, "method": f"m{m}", "strength": h, "seed": s}
            | {
                "dci/disentanglement": dci,
                "dci/completeness": dci,
                "udr/score": dci - m,
            }
            | {"mig/score": rng.random(), "training/elbo": rng.normal()}
            | {"unsupervised/gaussian_total_correlation": rng.random()}
            | {"downstream/logistic_efficiency_100": -dci}
        )
    return pd.DataFrame(rows)


def blocks_of(name, models):
    return SECTIONS[name][1](models)


def tables(blocks):
    return [block for block in blocks if isinstance(block, Table)]


def test_columns_are_one_of_each_metric_and_what_needs_no_labels():
    found = columns_of(planted())
    assert found.supervised[:2] == ["dci/disentanglement", "mig/score"]
    assert found.blind == {
        "unsupervised/gaussian_total_correlation": True,
        "udr/score": False,
        "training/elbo": False,
    }
    assert found.efficiency == ["downstream/logistic_efficiency_100"]
    assert ranking_score(planted()) == "dci/disentanglement"
    assert ranking_score(planted().drop(columns="dci/disentanglement")) != ""


@pytest.mark.parametrize("name", SECTIONS)
def test_every_section_has_something_to_say_of_a_whole_study(name):
    blocks = blocks_of(name, planted())
    assert blocks
    for table in tables(blocks):
        assert all(len(row) == len(table.header) for row in table.rows)
    for block in blocks:
        if isinstance(block, Row):
            assert all("<svg" in item.svg for item in block.items)


@pytest.mark.parametrize("name", SECTIONS)
def test_no_section_stumbles_over_little(name):
    """One model; and models without any score."""
    for models in (planted()[:1], planted()[["data", "method", "strength", "seed"]]):
        blocks_of(name, models)
        assert "nan" not in headline(models)
        assert counted(models)


def test_the_method_is_all_of_dci_and_the_seed_all_of_mig():
    first = tables(blocks_of("variance", planted()))[0]
    rows = {row[0]: row[1:] for row in first.rows}
    assert float(rows["D"][0].split()[0]) > 0.9
    assert float(rows["MIG"][2].split()[0]) > 0.8
    assert "9" in headline(planted()).split("% of its variance is the method")[0][-3:]


def test_udr_chooses_perfectly_and_a_random_score_blindly():
    (table,) = tables(blocks_of("selection", planted(seeds=6)))
    gains = {row[0]: float(row[2].split()[0].replace("−", "-")) for row in table.rows}
    assert gains["UDR"] == 1.0
    assert abs(gains["TC (lowest)"]) < 0.6


def test_a_choice_of_method_transfers_for_dci():
    (table,) = tables(blocks_of("transfer", planted()))
    won = {row[0]: row[1].value for row in table.rows}
    assert won["other data, same score"] > 0.55 > won["other data, other score"]


def test_what_cannot_be_drawn_is_said():
    models = planted()
    with pytest.raises(UserError, match="no score"):
        figures.violin_figure(models, {})
    with pytest.raises(UserError, match="no correlation"):
        figures.correlation_figure(np.zeros((0, 0)), [], [])
    with pytest.raises(UserError, match="no shares"):
        figures.shares_figure({})
    with pytest.raises(UserError, match="two strengths"):
        figures.strength_figure(planted(strengths=(1.0,)), "mig/score", "MIG")


def test_a_violin_has_a_dot_per_model_and_the_median():
    models = planted(data=("dsprites",))
    figure = figures.violin_figure(models, {"mig/score": "MIG"})
    (axes,) = figure.axes
    dots = [len(c.get_offsets()) for c in axes.collections if len(c.get_offsets()) > 1]
    assert dots == [8, 8, 8]
    expected = models.groupby("method")["mig/score"].median().tolist()
    assert [line.get_ydata()[0] for line in axes.lines] == pytest.approx(expected)
