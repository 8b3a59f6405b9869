"""Differences of grouped networks from others: by hand, seed by seed."""

import json

import numpy as np
import pytest
from scipy import stats

from disentangle.report.page import all_sections
from disentangle.report.paired import paired, paired_text
from disentangle.report.studies import STUDIES
from disentangle.study.scores import Scores

OWN = {"grouped": [0.5, 0.9, 0.7], "single-task": [0.4, 0.9, 0.3]}
ADDE = {"adde-grouped": [0.1, 0.2, 0.4], "adde-all-together": [0.3, 0.3]}


def held(tmp_path, values):
    """scores.json with two scores, of which the second is ten times the first."""
    rows = [
        {"representation": name, "seed": seed, "mig/score": v, "a/b": 10 * v}
        for name, own in values.items()
        for seed, v in enumerate(own)
    ]
    ran = {"mig": {"num_train": 3, "num_test": 2}}
    path = tmp_path / "scores.json"
    path.write_text(json.dumps({"rows": rows, "ran": ran}))
    return Scores.load(tmp_path)


def test_a_difference_is_taken_of_networks_of_one_seed(tmp_path):
    found = held(tmp_path, OWN | ADDE)
    apart = found.differences("grouped", "single-task")
    np.testing.assert_allclose(apart[:, 0], [0.1, 0.0, 0.4])
    np.testing.assert_allclose(apart[:, 1], [1.0, 0.0, 4.0])
    assert found.differences("grouped", "beta_vae").shape == (0, 2)
    # Seed 2 of the one network diverged.
    few = found.differences("adde-grouped", "adde-all-together")
    np.testing.assert_allclose(few[:, 0], [-0.2, -0.1])


def test_the_page_and_the_terminal_have_the_mean_and_students_interval(tmp_path):
    held(tmp_path, OWN | ADDE)
    (table,) = paired(tmp_path)
    assert list(table.header) == ["difference", "MIG", "a/b"]
    rows = {row[0]: row[1] for row in table.rows}
    assert list(rows) == ["grouped - single-task", "adde-grouped - adde-all-together"]
    apart = np.array([0.1, 0.0, 0.4])
    half = stats.t.ppf(0.975, 2) * apart.std(ddof=1) / np.sqrt(3)
    found = rows["grouped - single-task"]
    assert found.value == pytest.approx(0.5 / 3) and found.spread == pytest.approx(half)
    text = paired_text(tmp_path)
    assert f"0.167 ± {half:.3f}" in text and "2 seeds" in text


@pytest.mark.parametrize("study", ["", *STUDIES])
def test_the_section_on_scores_has_them_on_every_page(study, tmp_path):
    """A section of one study goes before that of all pages: both are the same."""
    held(tmp_path, OWN)
    _, build = all_sections(study)["scores"]
    assert paired(tmp_path)[0] in build(tmp_path)


def test_of_one_seed_or_without_groups_there_is_nothing_to_say(tmp_path):
    assert paired(tmp_path) == []
    for values in ({"grouped": [0.5], "single-task": [0.4]}, {"vae": [0.1, 0.2]}):
        held(tmp_path, values)
        assert paired(tmp_path) == [] and paired_text(tmp_path) == ""
