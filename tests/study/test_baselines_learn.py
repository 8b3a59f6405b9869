"""Baselines of retrieval are above what needs no training, on the toy images."""

import pytest

import disentangle as dt

pytestmark = pytest.mark.usefixtures("toy_world")

ASKED = {"labels": 24, "queries": 60, "triplets": 400, "searches": 60, "sets": 400}
QUICK = {"batch_size": 32, "learning_rate": 1e-3, "progress": False}
FIRST = [{"method.learns": "attributes", "steps": 250}, {"steps": 200}]
# method -> (fields, task, score, way, the least it must have, what needs no training)
LEARN = {
    "amnet": (
        {"encoder": "narrow", "stages": FIRST},
        *("edit", "exact@1", "replace", 0.6, "nothing"),
    ),
    "fashion_search_net": (
        {"steps": 150, "subspace": 8},
        *("edit", "exact@1", "replace", 0.6, "nothing"),
    ),
    "csn": (
        {"encoder": "narrow", "steps": 400},
        *("similar", "conflict", "own", 0.7, "whole"),
    ),
    "csa_net": (
        {"encoder": "narrow", "steps": 400},
        *("complete", "fitb hard", "attention", 0.8, "chance"),
    ),
    "type_aware": (
        {"encoder": "narrow", "steps": 400},
        *("complete", "fitb hard", "attention", 0.8, "chance"),
    ),
    "adde_outfits": (
        {"encoder": "narrow", "steps": 400, "subspace": 4, "hidden": 16},
        *("complete", "fitb hard", "attention", 0.8, "chance"),
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", LEARN)
def test_a_baseline_learns_its_task(toy, name):
    """Twice what the code of an image as it is, or chance, gives, and above a share."""
    fields, task, score, way, least, other = LEARN[name]
    run = dt.train(name, toy, **QUICK, **fields)
    found = dt.retrieve(run, toy, task, bootstrap=0, progress=False, **ASKED)
    rows = found[(found["attribute"] == "all") & (found["score"] == score)]
    values = rows.set_index("way")["value"]
    assert values[way] > max(least, 2 * values[other])
