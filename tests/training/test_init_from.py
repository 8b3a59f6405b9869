"""Starting with another run's parameters: what goes over, for whom, and once."""

import dataclasses
import json
import shutil

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import slopes
from killable import dataset
from recipes import batch_norm

import disentangle as dt
from disentangle.errors import UserError
from disentangle.export.weights import model_bytes, read_model
from disentangle.methods import METHODS
from disentangle.study.facts import describe
from disentangle.training.config import default_config
from disentangle.training.init_from import Origin, Start, given_by
from disentangle.training.load import load_run, run_of
from disentangle.training.loop import start
from disentangle.training.run import fit, prepare
from disentangle.training.state import apart

same = np.testing.assert_array_equal


@pytest.fixture(autouse=True)
def added(monkeypatch):
    monkeypatch.setitem(METHODS, "slopes", slopes.RECIPE)
    monkeypatch.setitem(METHODS, "batch_norm", batch_norm.RECIPE)


def config(steps=4, seeds=1, name="slopes", **fields):
    chosen = default_config("noise", name, "sgd").to_dict()
    chosen["method"] |= fields
    chosen |= {"steps": steps, "seeds": seeds, "batch_size": 4, "eval_every": 0}
    return chosen | {"log_every": 2, "checkpoint_every": 2}


def train(chosen, workdir=None, **more):
    return fit(chosen, dataset(), workdir=workdir, progress=False, **more)


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """A run of two models with different numbers, and one of one model."""
    folder = tmp_path_factory.mktemp("sources")
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(METHODS, "slopes", slopes.RECIPE)
        train(config(slope=[1.0, 2.0], layers=2), folder / "two")
        train(config(slope=3.0, layers=2), folder / "one")
    return folder


def began(chosen, run, rows):
    """(fresh state, state that starts with `run`) of an experiment's models."""
    experiment, method, _, _ = prepare(chosen, dataset())
    fresh = start(method, experiment)
    return fresh, Start("there", lambda: given_by(run)).begin(fresh, rows)


def test_what_is_there_by_path_and_shape_goes_over_and_the_rest_is_fresh(source):
    run = load_run(source / "two")
    fresh, state = began(config(slope=[4.0, 5.0], layers=3), run, [0, 1])
    w = np.asarray(run.params["a"]["w"])
    assert (w[0] != w[1]).all() and (w != 0).all()
    same(state.params["a"]["w"], w)
    same(state.params["b"]["w"], run.params["b"]["w"])
    same(state.params["a"]["layer_3"], fresh.params["a"]["layer_3"])
    same(state.step, [0, 0])
    # Others batches than those of the same seed in the source, which had 4 steps.
    key = jax.vmap(lambda key: jax.random.fold_in(key, 4))(fresh.key)
    same(jax.random.key_data(state.key), jax.random.key_data(key))
    assert state.alive.all()


def test_models_start_with_the_one_in_their_place_or_with_the_only_one(source):
    two, one = load_run(source / "two"), load_run(source / "one")
    _, state = began(config(slope=[4.0, 5.0]), two, [1])  # the second batch of two
    same(state.params["a"]["w"], np.asarray(two.params["a"]["w"])[1:])
    _, state = began(config(seeds=3), one, [0, 1, 2])
    same(state.params["a"]["w"], np.repeat(one.params["a"]["w"], 3, axis=0))


@pytest.mark.slow
def test_averages_and_states_go_over():
    chosen = config(name="batch_norm", decay=0.5)
    experiment, method, _, _ = prepare(chosen, dataset())
    fresh = start(method, experiment)
    grown = lambda tree, by: jax.tree.map(lambda x: x + jnp.float32(by), tree)
    held = fresh._replace(average=grown(fresh.average, 1), state=grown(fresh.state, 2))
    run = run_of(experiment, method, held, {}, None, None)
    _, state = began(chosen, run, [0])
    jax.tree.map(same, state.params, held.average)  # what it is evaluated with
    jax.tree.map(same, state.average, held.average)
    jax.tree.map(same, state.state, apart(run.params)[1])
    jax.tree.map(same, state.state, held.state)


@pytest.mark.slow
def test_a_run_goes_on_with_the_same_bits_when_its_source_is_gone(source, tmp_path):
    shutil.copytree(source / "one", tmp_path / "one")
    chosen = config(6, seeds=2) | {"init_from": str(tmp_path / "one")}
    whole = train(chosen)
    train(chosen | {"steps": 3}, tmp_path / "cut")
    origin = Origin.load(tmp_path / "cut")
    assert (origin.step, origin.before, len(origin.digests)) == (4, 4, 1)
    assert origin.copied == ("params.a.w", "params.b.w") and origin.fresh == ()
    shutil.rmtree(tmp_path / "one")
    cut = train(chosen, tmp_path / "cut")
    assert cut.before == load_run(tmp_path / "cut").before == 4
    jax.tree.map(same, cut.params, whole.params)
    with pytest.raises(UserError, match=r"init_from: '.*one' -> '.*two'"):
        train(chosen, tmp_path / "cut", init_from=source / "two")
    with pytest.raises(UserError, match=r"init_from: no run at .*one"):
        train(chosen, tmp_path / "fresh")
    assert not (tmp_path / "fresh").exists()


@pytest.mark.slow
def test_a_run_in_memory_is_a_source_as_its_workdir_is(source, tmp_path):
    run = load_run(source / "one")
    in_memory = dataclasses.replace(run, workdir=None)
    by_path = train(config(2), init_from=source / "one")
    jax.tree.map(same, train(config(2), init_from=run).params, by_path.params)
    found = train(config(2), tmp_path / "w", init_from=in_memory)
    jax.tree.map(same, found.params, by_path.params)
    jax.tree.map(same, run.params, load_run(source / "one").params)  # not given away
    with pytest.raises(UserError, match="lives nowhere else: give it again"):
        train(found.config, tmp_path / "new")


@pytest.mark.slow
def test_models_that_come_later_start_with_the_same_source_or_not_at_all(
    source, tmp_path
):
    shutil.copytree(source / "one", tmp_path / "one")
    chosen = config(2) | {"init_from": str(tmp_path / "one")}
    train(chosen, tmp_path / "w")
    grown = train(chosen | {"seeds": 2}, tmp_path / "w")
    jax.tree.map(same, grown.params, train(chosen | {"seeds": 2}).params)
    train(config(6, slope=3.0, layers=2), tmp_path / "one")
    with pytest.raises(UserError, match=r"one has changed \(step 4 -> 6\) since other"):
        train(chosen | {"seeds": 3}, tmp_path / "w")


REFUSED = {
    "three of two": (
        "two",
        dict(seeds=3),
        r"it has 2 models and this run 3: as many, each from the one in its place, or",
    ),
    "nothing goes over": (
        "one",
        dict(nets="cd"),
        r"none of its parameters is here .* it has a \(layer_1 \(1,\), layer_2 \(2,\), "
        r"w \(2,\)\), b \(w \(2,\)\), this run c \(w \(2,\)\), d \(w \(2,\)\)",
    ),
    "no run": ("three", {}, r"init_from: no run at .*three: it is not a folder"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_started_with_is_refused_in_a_sentence(source, tmp_path, name):
    where, fields, said = REFUSED[name]
    with pytest.raises(UserError, match=said):
        train(config(**fields), tmp_path / "w", init_from=source / where)
    assert not (tmp_path / "w").exists()


def test_models_that_diverged_stay_so_and_all_are_refused(source):
    run = load_run(source / "two")
    run = dataclasses.replace(run, alive=np.array([True, False]))
    _, state = began(config(slope=[4.0, 5.0]), run, [0, 1])
    same(state.alive, [True, False])
    run = dataclasses.replace(run, alive=np.zeros(2, bool))
    with pytest.raises(UserError, match="two: all of its models diverged"):
        train(config(slope=[4.0, 5.0]), init_from=run)


@pytest.mark.slow
def test_a_frozen_encoder_goes_over_whole_or_not_at_all(toy):
    quick = {"steps": 1, "batch_size": 4, "progress": False}
    start = {"encoder": "dense", "latents": 16}
    says = r"kernel \(\d+, 20\) \(there \(\d+, 16\)\)"
    codes = dt.train("autoencoder", toy, decoder="dense", **quick, **start)
    told = {"source": "dense", "denoiser": "dense"}
    with pytest.raises(UserError, match=f"would be random: .*{says}"):
        dt.train("diffusion_on_codes", toy, init_from=codes, **quick, **told)


@pytest.mark.slow
def test_what_earlier_trainings_were_told_stays_said(toy, tmp_path):
    """A denoiser is told nothing; on codes that were taught it is of taught codes."""
    quick = {"batch_size": 4, "progress": False, "encoder": "dense"}
    codes = dt.train("ada_gvae", toy, steps=1, decoder="dense", latents=4, **quick)
    told = {"source": "dense", "denoiser": "dense", "latents": 4}
    start = {"init_from": codes, "workdir": tmp_path / "one", "progress": False}
    one = dt.train("diffusion_on_codes", toy, steps=1, **start, **told)
    assert (codes.supervision, one.supervision) == ("pairs", "pairs")
    assert load_run(tmp_path / "one").supervision == "pairs"
    two = dt.train("supervised", toy, steps=1, init_from=tmp_path / "one", **quick)
    assert two.supervision == "pairs + all"
    assert describe(two, toy).supervision == "pairs + all"
    (tmp_path / "two.safetensors").write_bytes(model_bytes(two, 0))
    assert read_model(tmp_path / "two.safetensors").supervision == "pairs + all"
    # Stages say it too, and an init.json of before is read.
    config = default_config("toy", "diffusion_on_codes").to_dict()
    config |= {"steps": 1, "batch_size": 4}
    config["method"] |= told
    first = {"method.name": "ada_gvae", "method.encoder": "dense", "steps": 1}
    config["stages"] = [first | {"method.decoder": "dense"}, {}]
    three = fit(config, toy, workdir=tmp_path / "three", progress=False)
    assert three.supervision == "pairs"
    held = tmp_path / "three" / "init.json"
    said = json.loads(held.read_text())
    assert said.pop("told") == "pairs"
    held.write_text(json.dumps(said))
    assert load_run(tmp_path / "three").supervision == "none"


@pytest.mark.slow
def test_what_stays_random_is_said(toy, capsys):
    quick = {"steps": 1, "batch_size": 4, "progress": False}
    dt.train("diffusion_on_codes", toy, source="dense", denoiser="dense", **quick)
    assert "no init_from: encoder stays random" in capsys.readouterr().err
