"""A workdir belongs to its data; it can be extended, and older ones are read."""

import dataclasses
import json

import jax
import numpy as np
import pytest

from disentangle.__main__ import main
from disentangle.data import DATASETS
from disentangle.data.dataset import Recipe
from disentangle.data.space import Factor, FactorSpace
from disentangle.errors import UserError
from disentangle.training.config import default_config
from disentangle.training.data_spec import read_spec
from disentangle.training.run import fit, load_run


def config(**changes):
    chosen = default_config("toy", "vae").to_dict()
    chosen["method"] |= {"encoder": "dense", "decoder": "dense", "latents": 2}
    chosen |= {"steps": 4, "batch_size": 8, "eval_every": 0}
    return chosen | changes


def train(workdir, data, **changes):
    return fit(config(**changes), data, workdir=workdir, progress=False)


@pytest.fixture(scope="module")
def finished(toy, tmp_path_factory):
    workdir = tmp_path_factory.mktemp("finished") / "run"
    train(workdir, toy)
    return workdir


@pytest.fixture
def workdir(finished, tmp_path):
    import shutil

    return shutil.copytree(finished, tmp_path / "run")


def same_bits(one, other):
    leaves = zip(
        jax.tree.leaves(one.params), jax.tree.leaves(other.params), strict=True
    )
    return all(np.array_equal(a, b) for a, b in leaves)


def plain_space(*sizes):
    letters = "abcdefg"
    items = [
        Factor(letters[i], n, "ordinal", tuple(map(float, range(n))))
        for i, n in enumerate(sizes)
    ]
    return FactorSpace(tuple(items))


def others(toy):
    """Data sets that are not `toy`, and what is said of each."""
    images = np.array(toy.arrays)
    images[40, 5, 5] ^= 1
    by_hand = dataclasses.replace(toy.space.items[1], values=(1.0, 2.0, 3.0))
    items = (toy.space.items[0], by_hand, *toy.space.items[2:])
    return {
        "factors: shape .2, categorical.*-> a .12": {"space": plain_space(12, 8)},
        "name: toy -> other": {"name": "other"},
        "hash of the images": {"arrays": jax.numpy.asarray(images)},
        "largest pixel value: 1 -> 2": {"max_value": 2},
        "factors: others -> with other values": {"space": FactorSpace(items)},
    }


@pytest.mark.slow
@pytest.mark.parametrize("which", range(5))
def test_a_finished_run_is_not_returned_for_other_data(workdir, toy, which):
    message, change = list(others(toy).items())[which]
    kept = {p: p.read_bytes() for p in workdir.rglob("*.json")}
    with pytest.raises(UserError, match=f"other data .{message}.*another workdir"):
        train(workdir, dataclasses.replace(toy, **change), steps=9)
    assert {p: p.read_bytes() for p in workdir.rglob("*.json")} == kept
    assert same_bits(load_run(workdir), train(workdir, toy))


@pytest.mark.slow
def test_two_orders_of_the_same_sizes_are_two_data_sets(tmp_path, toy):
    one = dataclasses.replace(toy, space=plain_space(8, 12))
    train(tmp_path / "r", one, steps=1)
    with pytest.raises(UserError, match=r"a .8, .*-> a .12"):
        train(tmp_path / "r", dataclasses.replace(toy, space=plain_space(12, 8)))


@pytest.mark.slow
def test_an_older_workdir_without_a_hash_is_taken_with_a_warning(workdir, toy):
    held = json.loads((workdir / "data.json").read_text())
    digest = held.pop("digest")
    (workdir / "data.json").write_text(json.dumps(held))
    assert load_run(workdir).step == 4
    with pytest.warns(UserWarning, match="does not say what the images were"):
        train(workdir, toy)
    assert read_spec(workdir / "data.json").digest == digest == toy.digest
    train(workdir, toy)  # and says it once


@pytest.mark.slow
def test_more_steps_go_on_with_the_bits_of_a_run_that_had_them_at_once(
    workdir, toy, tmp_path
):
    longer = train(workdir, toy, steps=7, log_every=3, eval_every=2, checkpoint_every=2)
    assert longer.step == load_run(workdir).step == 7
    assert same_bits(longer, train(tmp_path / "once", toy, steps=7))
    kept = json.loads((workdir / "config.json").read_text())
    assert (kept["steps"], kept["log_every"]) == (7, 3)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"steps": 3}, r"steps: 4 -> 3, it can only grow"),
        ({"seed": 2}, r"seed: 0 -> 2, the model seed=0 would be .*another workdir"),
        ({"seed": 1, "seeds": 2}, r"seed: 0 -> 1, the model seed=0 .* only be added"),
        ({"batch_size": 4, "log_every": 2}, r"\(batch_size: 8 -> 4\)"),
    ],
)
def test_what_may_not_change_says_what_to_do(workdir, toy, change, message):
    before = (workdir / "config.json").read_bytes()
    with pytest.raises(UserError, match=message):
        train(workdir, toy, **change)
    assert (workdir / "config.json").read_bytes() == before


FIELDS = [
    (section, name)
    for section, part in config().items()
    if isinstance(part, dict)
    for name in part
] + [("", name) for name, part in config().items()]
NEEDED = {("data", "name"), ("method", "name"), ("", "data"), ("", "method")}


@pytest.mark.parametrize(("section", "name"), sorted(set(FIELDS)))
def test_a_config_of_an_older_version_lacking_a_field_is_read(
    finished, tmp_path, section, name
):
    """Each field in turn; without a method or a data set there is no run."""
    (tmp_path / "checkpoints").symlink_to(finished / "checkpoints")
    (tmp_path / "data.json").write_text((finished / "data.json").read_text())
    tree = json.loads((finished / "config.json").read_text())
    del (tree[section] if section else tree)[name]
    (tmp_path / "config.json").write_text(json.dumps(tree))
    if (section, name) in NEEDED or (section, name) == ("", "optimizer"):
        with pytest.raises(UserError, match="holds no run that can be read"):
            load_run(tmp_path)
        return
    if (section, name) in {("method", n) for n in ("latents", "encoder", "decoder")}:
        with (
            pytest.warns(UserWarning, match="older version"),
            pytest.raises(UserError, match="of another program"),
        ):
            load_run(tmp_path)  # these were not at their defaults
        return
    with pytest.warns(UserWarning, match=f"older version: .*{name} taken as today's"):
        assert load_run(tmp_path).step == 4


def test_the_command_goes_on_with_a_config_of_an_older_version(
    workdir, toy, monkeypatch, capsys
):
    """`train --workdir=...` alone, where a field came with an update."""
    monkeypatch.setitem(DATASETS, "toy", Recipe(toy.space, lambda cache_dir: toy))
    tree = json.loads((workdir / "config.json").read_text())
    del tree["data"]["split_seed"]
    (workdir / "config.json").write_text(json.dumps(tree))
    with pytest.warns(UserWarning, match="older version: data.split_seed taken"):
        assert main(["train", f"--workdir={workdir}", "--quiet"]) == 0
    assert "1 of 1 models trained to step 4" in capsys.readouterr().out


def test_a_config_of_a_newer_version_is_one_sentence(workdir, toy):
    tree = json.loads((workdir / "config.json").read_text()) | {"stepz": 1}
    (workdir / "config.json").write_text(json.dumps(tree))
    with pytest.raises(UserError, match="unknown config field 'stepz'"):
        load_run(workdir)
    with pytest.raises(UserError, match=r"stepz: 1 -> .\(absent\)"):
        train(workdir, toy)


def annealed(threshold):
    tree = config()
    tree["method"] = default_config("toy", "annealed_vae").to_dict()["method"]
    tree["method"] |= {"encoder": "dense", "decoder": "dense", "threshold": threshold}
    return tree


@pytest.mark.slow
def test_a_share_of_the_steps_keeps_them(tmp_path, toy):
    tree = annealed(threshold=0.5)
    fit(tree, toy, workdir=tmp_path / "r", progress=False)
    with pytest.raises(UserError, match=r"threshold is a share of them"):
        fit(tree | {"steps": 6}, toy, workdir=tmp_path / "r", progress=False)


@pytest.mark.slow
def test_a_threshold_in_steps_takes_more_steps(tmp_path, toy):
    tree = annealed(threshold=100.0)
    fit(tree, toy, workdir=tmp_path / "s", progress=False)
    longer = fit(tree | {"steps": 6}, toy, workdir=tmp_path / "s", progress=False)
    assert longer.step == 6
