"""The tables in the package: whole, small, and what training gives again."""

import importlib.util
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest

from disentangle.data import DATASETS, load
from disentangle.errors import UserError
from disentangle.oracle import shipped, shipped_names, shipped_scores, train
from disentangle.oracle.examples import parts_of
from disentangle.oracle.regime import Held
from disentangle.oracle.shipped import folder
from disentangle.oracle.variance import clear_cells, pair_gains

ROOT = Path(__file__).resolve().parents[2]


def regimes():
    spec = importlib.util.spec_from_file_location(
        "experiments_oracle", ROOT / "experiments" / "oracle.py"
    )
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return {
        f"{data}-{name}": regime
        for data, named in module.REGIMES.items()
        for name, regime in named.items()
    }


def test_there_is_a_table_per_named_regime_under_a_megabyte():
    assert set(shipped_names()) == set(regimes())
    assert sum(path.stat().st_size for path in folder().iterdir()) < 1_000_000
    with pytest.raises(UserError, match="Did you mean 'dsprites-bottleneck'"):
        shipped("dsprites-botleneck")


@pytest.mark.parametrize("name", sorted(regimes()))
def test_a_table_is_exhaustive_with_five_seeds(name):
    table, scores = shipped(name), shipped_scores(name)
    data, _, regime = name.partition("-")
    assert (table.data, table.regime) == (data, regime)
    assert table.tasks == DATASETS[data].space.names
    assert len(table.seeds) >= 5
    assert len(table.groups) == 2 ** len(table.tasks) - 1
    assert table.validation is not None and table.steps is not None
    assert np.nanmax(table.steps) <= regimes()[name].steps
    assert (table.alone < 1.1).all()
    assert {"dci_lasso/disentanglement", "mig/score"} <= set(scores)
    for key, values in scores.items():
        assert values.shape == table.loss.shape[:2], key
        known = np.isfinite(values)
        assert known.all() or key.startswith("own/")
        assert (values[known] >= 0).all() and (values[known] <= 1).all()


def test_what_the_regimes_are_named_for_is_in_their_tables():
    """dSprites: orientation helps shape. Shapes3D: competition, and true transfer."""
    pairs = {name: pair_gains(shipped(name)).mean(0) for name in shipped_names()}
    place = shipped("dsprites-bottleneck").tasks.index
    found = pairs["dsprites-bottleneck"]
    assert found[place("orientation"), place("shape")] > 0.1
    assert found[place("x_position"), place("shape")] < 0
    up, down, cells = clear_cells(shipped("shapes3d-bottleneck"))
    assert down > cells / 2 and up < 0.02 * cells
    table = shipped("shapes3d-unequal")
    up, _, _ = clear_cells(table)
    assert up >= 10
    place = table.tasks.index
    assert pairs["shapes3d-unequal"][place("object_hue"), place("shape")] > 0.05


@pytest.mark.slow
def test_training_again_gives_the_table_within_the_spread_of_seeds():
    """Six groups of one seed of the dSprites bottleneck."""
    name, seed = "dsprites-bottleneck", 0
    table, regime = shipped(name), regimes()[name]
    data = load("dsprites")
    wanted = ["shape", "orientation", "shape+orientation", "x_position"]
    wanted += ["shape+x_position", table.names[-1]]
    rows = [table.names.index(one) for one in wanted]
    groups = jnp.asarray(table.groups[rows])
    program = train.program_of(regime, data.space, data.shape[2])
    parts = parts_of(regime, Held(), data, seed)
    state = train.start(program, groups, seed, parts)
    for _ in range(regime.steps // regime.every):
        state = train.advance(program, state, groups, seed, parts, regime.every)
    found = np.where(table.groups[rows], np.asarray(state.best.test), np.nan)
    held = table.loss[:, rows]
    spread = held.std(0, ddof=1)
    beyond = np.abs(found - held.mean(0)) > 4 * spread + 0.01
    assert not beyond[table.groups[rows]].any()
