"""Every field of every section, odd values: an experiment or one sentence, fast."""

import copy
import time

import numpy as np
import pytest

import disentangle as dt
from disentangle.errors import UserError
from disentangle.methods import METHODS
from disentangle.study import comparison, impossibility, pipeline
from disentangle.training.config import default_config, read_experiment
from disentangle.training.members import members
from disentangle.training.optimizers import OPTIMIZERS

HUGE = 10**400
ODD = [
    None,
    True,
    False,
    -1,
    0,
    1,
    10**12,
    HUGE,
    -HUGE,
    -0.5,
    0.5,
    1e30,
    1e39,
    1e308,
    float("nan"),
    float("inf"),
    "",
    "x",
    "\x1b[31m",
    [],
    [[]],
    [None],
    [1, 1],
    [1.0, 1.0000001],
    [1, "x"],
    [[1.0], 2.0],
    [[1.0], [1.0, 2.0]],
    ["shape", "shape"],
    [["shape"]],
    list(range(1000)),
    {},
    {"a": 1},
    np.float32(2.0),
    np.arange(3),
    b"bytes",
    object(),
    10**12 * 1.5,
]


def places(tree, path=()):
    """Every field and every section, as paths."""
    for name, value in tree.items():
        yield (*path, name)
        if isinstance(value, dict):
            yield from places(value, (*path, name))


def changed(tree, path, value):
    new = copy.deepcopy(tree)
    inner = new
    for name in path[:-1]:
        inner = inner[name]
    inner[path[-1]] = value
    return new


def walk(read, tree, skip=()):
    """Every odd value in every place, one at a time; returns how many were refused."""
    refused = 0
    for path in places(tree):
        if path in skip:
            continue
        for value in ODD:
            began = time.monotonic()
            try:
                read(changed(tree, path, value))
            except UserError as error:
                refused += 1
                assert 3 < len(str(error)) < 1_200, (path, value, str(error))
            except Exception as error:  # what this test is about
                raise AssertionError(
                    f"{path} = {str(value)[:40]}: {error!r}"
                ) from error
            assert time.monotonic() - began < 5, (path, value)
    return refused


FEW = ("beta_vae", "rf_vae", "joint_vae", "s2_factor_vae", "supervised")
WALKED = [pytest.param(m, marks=() if m in FEW else pytest.mark.slow) for m in METHODS]


@pytest.mark.parametrize("method", WALKED)
def test_a_training_config_with_an_odd_value_is_an_experiment_or_a_sentence(method):
    tree = default_config("toy", method).to_dict()
    if method != "beta_vae":  # the other sections are the same for all
        read = lambda part: read_experiment(tree | {"method": part})
        assert walk(read, tree["method"]) > 20
        return
    assert walk(read_experiment, tree) > 300


def test_an_optimizer_with_an_odd_value_is_an_experiment_or_a_sentence():
    for optimizer in OPTIMIZERS:
        tree = default_config("toy", "vae", optimizer).to_dict()
        read = lambda part, tree=tree: read_experiment(tree | {"optimizer": part})
        assert walk(read, tree["optimizer"]) > 40


@pytest.mark.parametrize("whole", ODD)
def test_a_config_that_is_none_is_a_sentence(whole):
    with pytest.raises(UserError):
        read_experiment(whole)


JOBS = {
    "pipeline": (pipeline.check, lambda: pipeline.default_pipeline("toy")),
    "comparison": (
        comparison.check,
        lambda: comparison.default_comparison("toy", {"vae": {}}),
    ),
    "impossibility": (
        impossibility.check,
        lambda: impossibility.default_impossibility("toy"),
    ),
}
TRAINING = {"supervised", "unsupervised", "vae"}  # walked above


@pytest.mark.parametrize("job", JOBS)
def test_a_job_with_an_odd_value_is_a_config_or_a_sentence(job):
    check, default = JOBS[job]
    tree = default().to_dict()
    skip = [p for p in places(tree) if set(p[:-1]) & TRAINING]
    assert walk(check, tree, skip) > 200
    for value in ODD:
        with pytest.raises(UserError):
            check(value)


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("optimizer.learning_rate", -1e-3, "learning_rate=-0.001 must be at least 0"),
        ("optimizer.learning_rate", 1e39, "within .* as float32"),
        ("optimizer.b1", 1e30, "b1=1e.30 must be at least 0 and below 1"),
        ("optimizer.b2", 0.999999999, "below 1"),
        ("optimizer.eps", -1, "eps=-1 must be above 0"),
        ("optimizer.eps", 1e-60, "above 0"),
        ("data.split_seed", -1, "split_seed=-1 must be at least 0"),
        ("data.train_size", -5, "train_size=-5"),
        ("data.test_size", 0, "test_size=0"),
        ("seeds", 10**8, "seeds=100000000 are more models than one run takes"),
        ("seed", 2**32, "seed=4294967296 must be at most"),
        ("steps", 2**31, "steps=2147483648 must be at most"),
        ("log_every", 10**12, "log_every=1000000000000 must be at most"),
        ("steps", True, "steps=True must be a whole number"),
        ("steps", [1, 2], r"steps=\[1, 2\] must be a whole number"),
        ("steps", HUGE, r"steps=\(a number of 401 digits\)"),
        ("optimizer", [], "'optimizer' must be a section"),
        ("method.beta", [1.0, 1.00000001], "equal as float32"),
        ("method.beta", [4.0, 4.0], "swept over 4.0 and 4.0"),
        ("method.latents", 10**12, "latents=1000000000000 must be at most"),
    ],
)
def test_the_range_is_in_the_sentence(field, value, message):
    tree = default_config("toy", "beta_vae").to_dict()
    with pytest.raises(UserError, match=message):
        read_experiment(changed(tree, field.split("."), value))


def test_numbers_of_numpy_are_numbers():
    tree = default_config("toy", "beta_vae").to_dict()
    tree["method"]["beta"] = np.linspace(1, 3, 3)
    tree["steps"] = np.int64(7)
    experiment = read_experiment(tree)
    assert experiment.members == ("beta=1,seed=0", "beta=2,seed=0", "beta=3,seed=0")
    assert experiment.config["steps"] == 7


def test_names_are_unique_whatever_the_numbers():
    close = [1.0000001, 1.0000002, 1.00000036, 4.0, 1e-30, 123456789.0]
    found = members({"beta": close, "rate": [1.0, 2.0]}, 3, 2)
    assert len({one.name for one in found}) == len(found) == 24
    assert found[0].name == "beta=1.0000001,rate=1,seed=3"
    vectors = members({"weights": [[1.0, 0.0], [1.0, 1e-9]]}, 0, 1)
    names = [one.name for one in vectors]
    assert names == ["weights=1+0,seed=0", "weights=1+1e-09,seed=0"]
    for again in ([[1.0, 0.0], [1.0, 0.0]], [[1.0, 0.0], [1.0, -0.0]]):
        with pytest.raises(UserError, match="weights is swept over"):
            members({"weights": again}, 0, 1)


@pytest.mark.slow
def test_every_row_of_a_close_sweep_is_in_the_log(toy, tmp_path):
    import json

    dt.train(
        "beta_vae",
        toy,
        beta=[1.0000001, 1.0000002],
        encoder="dense",
        decoder="dense",
        steps=2,
        batch_size=4,
        workdir=tmp_path / "r",
        progress=False,
    )
    lines = (tmp_path / "r/metrics.jsonl").read_text().splitlines()
    rows = [json.loads(line) for line in lines]
    assert len({r["member"] for r in rows if r["split"] == "train"}) == 2


@pytest.mark.slow
def test_what_memory_cannot_hold_is_refused_before_it_is_asked_for(toy):
    small = {"encoder": "dense", "decoder": "dense", "steps": 1, "progress": False}
    with pytest.raises(UserError, match=r"90,000 models of .* parameters each take"):
        dt.train("vae", toy, seeds=90_000, **small)
    with pytest.raises(UserError, match="batch_size=100000000: its images alone"):
        dt.train("vae", toy, batch_size=10**8, **small)
