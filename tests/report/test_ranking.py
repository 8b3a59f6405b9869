"""Ranking: only among runs told as much and trained as long, and only what lives."""

import dataclasses
import json

import numpy as np
import pytest

from disentangle.report import write_report
from disentangle.report.ranking import (
    Group,
    grouped,
    ranking,
    sentence,
    standings,
    told_words,
)
from disentangle.study.facts import Facts, Member, Unlike

PLAIN = Facts(
    method="vae",
    supervision="none",
    labels=None,
    steps=1000,
    batch_size=64,
    images_per_step=64,
    images_seen=64_000,
    learning_rates={"vae": [1e-3]},
    latents=10,
    members=[Member("seed=0", 0, 7, "learned"), Member("seed=1", 1, 5, "learned")],
    unlike=[Unlike("steps", 1000, 300_000)],
    published="Nobody et al. 2019",
)


def told(**changes):
    return dataclasses.replace(PLAIN, **changes)


# run -> its facts, DCI disentanglement of its seeds
STUDY = {
    "weak": (told(), [0.1, 0.3]),
    "strong": (told(learning_rates={"vae": [1e-3], "critic": [1e-4]}), [0.4, 0.5]),
    "dead": (told(members=[Member("seed=0", 0, 0, "collapsed")]), [0.9]),
    "lost": (
        told(members=[*PLAIN.members, Member("seed=2", 2, 0, "diverged")]),
        [0.8, 0.8],
    ),
    "longer": (told(steps=2500, images_seen=160_000, unlike=[]), [0.6, 0.6]),
    "smaller": (told(batch_size=32, unlike=None, published=""), [0.05, 0.05]),
    "few": (told(supervision="labels", labels=100), [0.7, 0.7]),
    "many": (told(supervision="labels", labels=1000), [0.75, 0.75]),
    "pairs": (told(supervision="pairs", images_seen=128_000), [0.55, 0.55]),
}


@pytest.fixture
def study(tmp_path):
    rows = [
        {"representation": name, "seed": seed, "dci/disentanglement": value}
        for name, (_, values) in STUDY.items()
        for seed, value in enumerate(values)
    ]
    facts = {name: dataclasses.asdict(facts) for name, (facts, _) in STUDY.items()}
    table = {"rows": rows, "ran": {"dci": {"num_train": 5}}, "facts": facts}
    (tmp_path / "scores.json").write_text(json.dumps(table))
    runs = {name: {"method": {"name": "vae"}, "steps": 1} for name in STUDY}
    config = {"data": {"name": "dsprites"}, "runs": runs}
    (tmp_path / "config.json").write_text(json.dumps(config))
    return tmp_path


def test_runs_meet_only_their_like(study):
    groups = grouped(standings(study), "dci/disentanglement")
    names = [[run.name for run in runs] for runs in groups.values()]
    assert names == [
        ["smaller"],
        ["strong", "weak", "dead", "lost"],
        ["longer"],
        ["pairs"],
        ["few"],
        ["many"],
    ]


def test_what_collapsed_or_diverged_is_shown_and_has_no_place(study):
    tables = [block for block in ranking(study) if block.kind == "table"]
    (table,) = [t for t in tables if len(t.rows) == 4]
    assert [row[1] for row in table.rows] == ["1", "2", "–", "–"]
    names = [row[0] for row in table.rows]
    assert names[2:] == ["dead (collapsed)", "lost (1 of 3 diverged)"]
    alone = [t.rows[0][1] for t in tables if len(t.rows) == 1]
    assert alone == ["alone"] * 5
    cells = dict(zip(table.header, table.rows[0], strict=True))
    assert cells["D"].value == pytest.approx(0.45)
    assert cells["D"].spread == pytest.approx(np.std([0.4, 0.5], ddof=1))
    assert cells["seeds"].value == 2 and cells["images seen"].value == 64_000
    assert cells["active latents"] == "7, 5 of 10"
    assert cells["learning rate"] == "vae 0.001, critic 0.0001"


def test_the_first_sentence_names_one_of_each_group_and_the_dead(study):
    words = sentence(study)
    for first in ("strong 0.450", "longer 0.600", "pairs 0.550", "few 0.700", "many"):
        assert first in words
    assert "strong 0.450 ± 0.071 (2 seeds; 1,000 steps; first of 2)" in words
    assert "longer 0.600 ± 0.000 (2 seeds; 2,500 steps; alone)" in words
    assert "with 1,000 labels, many" in words and "weak" not in words
    assert "Not ranked, collapsed or diverged: dead and lost." in words
    page = write_report(study).read_text()
    assert "best 3 of" not in page and "strong 0.450" in page
    assert "steps 1,000 (300,000). Settings: Nobody et al. 2019." in page
    assert "The paper&#39;s settings are not known here." in page


def test_a_study_without_facts_is_not_ranked(study):
    table = json.loads((study / "scores.json").read_text())
    del table["facts"]
    (study / "scores.json").write_text(json.dumps(table))
    assert sentence(study) == "" and ranking(study) == []
    assert "best" not in write_report(study).read_text().partition("<main>")[0]


def test_damaged_facts_are_one_sentence(study):
    table = json.loads((study / "scores.json").read_text())
    table["facts"]["weak"]["steps"] = "many"
    (study / "scores.json").write_text(json.dumps(table))
    assert "scores.json cannot be shown" in write_report(study).read_text()


def test_a_model_of_two_trainings_is_told_what_both_were():
    """The labels of the last are counted, those of an earlier one are some."""
    words = lambda told, labels: told_words(Group(told, labels, 10, 4))
    assert words("labels", 1000) == "with 1,000 labels"
    assert words("pairs + labels", 1000) == "with pairs and with 1,000 labels"
    assert words("labels + given", None) == "with some labels and with factors given"
