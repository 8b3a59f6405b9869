"""Every field of every config file, walked from what is said about it.

Where a field is defined stand its type, range and choices: here every config file is
given what these exclude, one field at a time, and has to refuse it in one sentence.
"""

import copy
import importlib.util
import math
from pathlib import Path

import pytest

from disentangle.errors import UserError
from disentangle.fields import fields_of, spec_of
from disentangle.fields.check import STRONGEST
from disentangle.fields.define import item_type, single_type
from disentangle.methods import METHODS
from disentangle.study import comparison, impossibility, oracle_config, pipeline
from disentangle.study.sections import ALONE, SECTIONS
from disentangle.training.config import default_config, plain, read_experiment
from disentangle.training.config_fields import config_fields
from disentangle.training.optimizers import OPTIMIZERS
from disentangle.training.sections import Data, Run

EXPERIMENTS = Path(__file__).resolve().parents[2] / "experiments"
FILES = {
    "vae": ("toy,beta_vae", read_experiment),
    "locatello2019": ("dsprites,factor_vae", read_experiment),
    "pipeline": ("dsprites,quick", pipeline.check),
    "comparison": ("dsprites,quick", comparison.check),
    "impossibility": ("dsprites", impossibility.check),
}


def config_of(name):
    path = EXPERIMENTS / f"{name}.py"
    spec = importlib.util.spec_from_file_location(f"walked_{name}", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    tree = plain(module.get_config(FILES[name][0]))
    if name == "comparison":  # the methods are walked alone, below
        tree["runs"] = {"beta_vae": tree["runs"]["beta_vae"]}
    return tree


def leaves(tree, prefix=""):
    for name, value in tree.items():
        if isinstance(value, dict):
            yield from leaves(value, f"{prefix}{name}.")
        else:
            yield prefix + name


def changed(tree, field, value):
    new = copy.deepcopy(tree)
    inner = new
    *sections, last = field.split(".")
    for section in sections:
        inner = inner[section]
    inner[last] = value
    return new


def wrong_values(field):
    """What may not stand in a field, from what is said about it."""
    spec, item = spec_of(field), item_type(field)
    kind, may_be_none = (item, False) if item else single_type(field)
    wrong = [{"a": 1}, *([] if may_be_none else [None])]
    wrong += [True, "x"] if kind in (int, float) else []
    wrong += [1, 0.5, ""] if kind is bool else []
    wrong += [1, 0.5, True] if kind is str else []
    wrong += [0.5] if kind is int else []
    wrong += [math.nan, math.inf, 10**400] if kind in (int, float) else []
    unit = 1 if kind is int else 0.5
    wrong += [spec.least - unit] if math.isfinite(spec.least) else []
    wrong += [spec.most + unit] if math.isfinite(spec.most) else []
    wrong += [end for end in (spec.above, spec.below) if math.isfinite(end)]
    wrong += ["no such name"] if spec.choices and kind is str else []
    wrong += [2 * STRONGEST] if spec.is_swept else []
    if item:
        twice = [field.default[0]] * 2 if field.default else ["shape", "shape"]
        lists = [[value] for value in wrong]
        lists += [[]] if spec.filled else []
        return [*wrong, *lists, *([twice] if spec.distinct else [])]
    if spec.is_swept:
        sweeps = [[], [1.0, 1.0], [0.5, 0.5 + 1e-9], [0.5, "x"]]
        return [*wrong, *sweeps, *([value] for value in wrong)]
    return [*wrong, [field.default, field.default], []]


def walk(read, tree, fields):
    refused = 0
    for name, field in fields.items():
        for value in wrong_values(field):
            try:
                read(changed(tree, name, value))
            except UserError as error:
                said = str(error)
                assert 10 < len(said) < 1_200 and "\n" not in said
                last = name.rpartition(".")[2].split("_")[-1]  # "the lookahead rate"
                is_named = last.rstrip("s") in said
                assert is_named or name.startswith("affinity."), (name, said)
                refused += 1
                continue
            raise AssertionError(f"{name}={value!r} was taken")
    return refused


@pytest.mark.parametrize("name", FILES)
def test_every_field_of_a_config_file_refuses_what_it_excludes(name):
    tree = config_of(name)
    known = config_fields(tree, sections=SECTIONS, alone=ALONE)
    named = {field for field in leaves(tree) if field not in known}
    ends = (".method.name", ".optimizer.name")
    assert all(f".{field}".endswith(ends) for field in named), named
    read = FILES[name][1]
    read(tree)
    assert walk(read, tree, known) > 5 * len(known)


@pytest.mark.parametrize("method", METHODS)
def test_every_field_of_a_method_refuses_what_it_excludes(method):
    tree = plain(default_config("toy", method))
    known = config_fields(tree)
    own = {name: field for name, field in known.items() if name.startswith("method.")}
    assert {name.removeprefix("method.") for name in own} == set(
        fields_of(METHODS[method].settings)
    )
    walk(read_experiment, tree, own)


def test_every_field_says_what_it_means_and_its_default_is_in_its_range():
    kinds = [recipe.settings for recipe in METHODS.values()]
    for kind in [*kinds, *OPTIMIZERS.values(), *SECTIONS.values(), *ALONE, Data, Run]:
        kind()  # the defaults are checked
        for name, field in fields_of(kind).items():
            spec = spec_of(field)
            assert len(spec.meaning) > 2, name
            assert spec.meaning.rstrip(".") == spec.meaning
            assert spec.is_swept == (not field.metadata["static"])


def test_the_defaults_of_studies_are_those_of_their_fields():
    for tree in (
        pipeline.default_pipeline("toy"),
        comparison.default_comparison("toy", {"vae": {}}),
        impossibility.default_impossibility("toy"),
        oracle_config.default_oracle("toy"),
    ):
        held = plain(tree)
        known = config_fields(held, sections=SECTIONS, alone=ALONE)
        for name, field in known.items():
            value = held
            for part in name.split("."):
                value = value[part]
            value = tuple(value) if isinstance(value, list) else value
            own = name in ("data.name", "score.metrics") or (
                "regimes" in held and name in ("score.num_train", "score.num_test")
            )
            assert value == field.default or own, name
