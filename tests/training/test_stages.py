"""Jobs of several stages: their configs, their folders, killed anywhere."""

import shutil

import jax
import numpy as np
import pytest
import slopes
from killable import dataset

from disentangle.errors import UserError
from disentangle.methods import METHODS
from disentangle.training.checkpoint import Checkpoints
from disentangle.training.config import default_config, read_experiment, stage_configs
from disentangle.training.run import fit, load_run
from disentangle.training.writers import read_metrics

same = np.testing.assert_array_equal


@pytest.fixture(autouse=True)
def added(monkeypatch):
    monkeypatch.setitem(METHODS, "slopes", slopes.RECIPE)


def config(*stages, **fields):
    chosen = default_config("noise", "slopes").to_dict()
    chosen["method"] |= fields
    chosen |= {"batch_size": 4, "eval_every": 0, "log_every": 2, "checkpoint_every": 2}
    return chosen | {"stages": stages}


THREE = (
    {"steps": 4, "optimizer.learning_rate": 0.1},
    {"steps": 3, "method.layers": 1},
    {"steps": 6, "method.layers": 2, "data.train_size": 24},
)


def train(chosen, workdir=None):
    return fit(chosen, dataset(), workdir=workdir, progress=False)


def test_the_configs_of_stages():
    chosen = config(*THREE, slope=[1.0, 2.0])
    first, second, third = stage_configs(chosen)
    assert [one["steps"] for one in (first, second, third)] == [4, 3, 6]
    assert [one["method"]["layers"] for one in (first, second, third)] == [0, 1, 2]
    rates = [one["optimizer"]["learning_rate"] for one in (first, second, third)]
    assert rates == [0.1, 1e-4, 1e-4]
    assert [one["data"]["train_size"] for one in (first, second, third)] == [0, 0, 24]
    assert all(one["method"]["slope"] == [1.0, 2.0] for one in (first, second, third))
    # What is written: all that differs in every row, and {} for the config's own.
    rows = [
        {"steps": 4, "optimizer.learning_rate": 0.1, "method.layers": 0},
        {"steps": 3, "optimizer.learning_rate": 1e-4, "method.layers": 1},
    ]
    rows = [row | {"data.train_size": 0} for row in rows]
    assert first["stages"] == []
    assert second["stages"] == [rows[0], {}]
    assert third["stages"] == [*rows, {}]
    # So it stands for the same stages, also with other steps of the last.
    assert stage_configs(third) == [first, second, third]
    assert stage_configs(third | {"steps": 9})[:2] == [first, second]
    assert read_experiment(chosen).config == third


def test_another_method_takes_over_what_both_have_and_was_chosen():
    chosen = default_config("noise", "beta_vae").to_dict()
    chosen["method"] |= {"beta": 3.0, "latents": 5}
    other = {"method.name": "factor_vae", "method.gamma": 2.0}
    first, second = stage_configs(chosen | {"stages": [{}, other]})
    assert first["method"] == stage_configs(chosen)[0]["method"]
    assert second["method"]["latents"] == 5
    assert second["method"]["gamma"] == 2.0
    assert "beta" not in second["method"]
    assert second["stages"] == [{"steps": 20_000, "method": first["method"]}, {}]
    assert stage_configs(second) == [first, second]
    back = {"method.name": "beta_vae"}  # a field with another default keeps that
    (_, tc) = stage_configs(chosen | {"stages": [{}, {"method.name": "beta_tcvae"}]})
    assert tc["method"]["beta"] == 3.0
    plain = default_config("noise", "beta_tcvae").to_dict()
    assert stage_configs(plain | {"stages": [{}, back]})[1]["method"]["beta"] == 4.0


REFUSED = {
    "field": (
        [{"method.layer": 1}],
        r"field of stage 1 'method\.layer'\. Did you mean",
    ),
    "bare": ([{}, {"layers": 1}], "unknown field of stage 2 'layers'"),
    "value": ([{"steps": 0}, {}], "stage 1: steps=0 must be at least 1"),
    "last value": ([{}, {"method.layers": -1}], r"stage 2: method\.layers=-1 must be"),
    "method": (
        [{"method.name": "vea"}, {}],
        "unknown method 'vea'. Did you mean 'vae'",
    ),
    "inner": ([{"stages": []}, {}], "stage 1: stages is for all stages, not in a row"),
    "text": ("steps=3", "stages='steps=3' must be a list of tables of fields"),
    "rows": (["steps=3"], "must be a list of tables of fields"),
    "number": ([{"seeds": 2}, {"seeds": 3}], "stage-1: it has 2 models and this run 3"),
    "strangers": ([{}, {"method.nets": "cd"}], "stage-1: none of its parameters is he"),
    "data": ([{"data.name": "toy"}, {}], r"stage 1 is on data .*'toy'.* one per stage"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_list_of_stages_is_refused_before_any_is_trained(tmp_path, name):
    stages, said = REFUSED[name]
    with pytest.raises(UserError, match=said):
        train(config() | {"stages": stages}, tmp_path / "w")
    assert not (tmp_path / "w").exists()
    with pytest.raises(UserError, match="1 data sets for 2 stages"):
        fit(config({}, {}), [dataset()], workdir=tmp_path / "w", progress=False)


class Killed(BaseException):
    """As of a process that dies there."""


def killed(chosen, workdir, monkeypatch, save, before):
    """Trains until a save, counted from 1, and dies before or after it."""
    count, true = [0], Checkpoints.save

    def dying(self, step, tree):
        count[0] += 1
        if count[0] == save and before:
            raise Killed
        true(self, step, tree)
        if count[0] == save:
            raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(Checkpoints, "save", dying)
        with pytest.raises(Killed):
            train(chosen, workdir)


def compare(workdir, other):
    """Both jobs ended in the same bits, in every stage, and wrote the same lines."""
    for place in ("stage-1", "stage-2", ""):
        left, right = load_run(workdir / place), load_run(other / place)
        assert (left.step, left.before) == (right.step, right.before)
        jax.tree.map(same, left.params, right.params)
        assert read_metrics(workdir / place) == read_metrics(other / place)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    workdir = tmp_path_factory.mktemp("whole") / "w"
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(METHODS, "slopes", slopes.RECIPE)
        train(config(*THREE, slope=[1.0, 2.0]), workdir)
    return workdir


def test_each_stage_goes_on_from_the_one_before(whole):
    run = load_run(whole)
    assert (run.step, run.before) == (6, 7)
    # Adam on a constant gradient moves a number by its rate per step.
    moved = 4 * 0.1 + (3 + 6) * 1e-4
    np.testing.assert_allclose(run.params["a"]["w"], np.full((2, 2), -moved), rtol=1e-4)
    np.testing.assert_allclose(run.params["a"]["layer_2"], np.full((2, 2), 2.0))
    chosen = config(*THREE, slope=[1.0, 2.0])
    jax.tree.map(same, train(chosen).params, run.params)  # in memory


@pytest.mark.slow
def test_a_job_killed_three_times_ends_with_the_same_bits(whole, tmp_path, monkeypatch):
    chosen = config(*THREE, slope=[1.0, 2.0])
    killed(chosen, tmp_path / "w", monkeypatch, 1, before=False)  # in the first stage
    with pytest.raises(UserError, match=r"the folder of a job, .* take one of .*age-1"):
        load_run(tmp_path / "w")
    killed(chosen, tmp_path / "w", monkeypatch, 2, before=True)  # as the second begins
    killed(chosen, tmp_path / "w", monkeypatch, 5, before=False)  # in the last
    shutil.rmtree(tmp_path / "w/stage-1")  # not looked at again
    train(chosen, tmp_path / "w")
    assert not (tmp_path / "w/stage-1").exists()
    shutil.copytree(whole / "stage-1", tmp_path / "w/stage-1")
    compare(tmp_path / "w", whole)


@pytest.mark.slow
@pytest.mark.parametrize("before", [True, False])
@pytest.mark.parametrize("save", range(1, 10))
def test_a_job_killed_at_any_save(whole, tmp_path, monkeypatch, save, before):
    chosen = config(*THREE, slope=[1.0, 2.0])
    killed(chosen, tmp_path / "w", monkeypatch, save, before)
    train(chosen, tmp_path / "w")
    compare(tmp_path / "w", whole)


@pytest.mark.slow
def test_a_last_stage_whose_checkpoints_are_damaged_starts_with_the_one_before(
    whole, tmp_path
):
    shutil.copytree(whole, tmp_path / "w")
    for path in (tmp_path / "w/checkpoints").glob("*.files.json"):
        path.unlink()
    with pytest.warns(UserWarning, match="training begins again at step 0"):
        train(config(*THREE, slope=[1.0, 2.0]), tmp_path / "w")
    compare(tmp_path / "w", whole)


def test_what_a_job_may_be_given_more_of(whole, tmp_path):
    shutil.copytree(whole, tmp_path / "w")
    longer = (*THREE[:2], THREE[2] | {"steps": 8})
    run = train(config(*longer, slope=[1.0, 2.0]), tmp_path / "w")
    assert (run.step, run.before) == (8, 7)
    held = load_run(tmp_path / "w").config | {"steps": 9}  # as --config.steps=9
    assert train(held, tmp_path / "w").step == 9
    for row, change in ((0, {"steps": 5}), (1, {"optimizer.learning_rate": 0.1})):
        rows = [*longer]
        rows[row] = rows[row] | change
        with pytest.raises(UserError, match="what comes before the last is trained"):
            train(config(*rows, slope=[1.0, 2.0]), tmp_path / "w")


@pytest.mark.slow
def test_models_that_are_added_go_through_all_stages(whole, tmp_path):
    shutil.copytree(whole, tmp_path / "w")
    more = config(*THREE, slope=[1.0, 2.0, 3.0])
    grown = train(more, tmp_path / "w")
    jax.tree.map(same, grown.params, train(more).params)
