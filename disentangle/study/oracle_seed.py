"""One seed of the oracle: all groups trained, in parts that a kill does not lose."""

import time
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from disentangle import progress as bars
from disentangle.data.dataset import Dataset
from disentangle.data.pooled import pooled
from disentangle.oracle import train
from disentangle.oracle.examples import Parts, parts_of
from disentangle.study.oracle_config import held_of, regime_of, scored_index, sources
from disentangle.study.oracle_files import (
    PARTIAL,
    SeedResult,
    read_partial,
    write_partial,
)
from disentangle.study.stages import digest
from disentangle.training import stopping

SAVE_SECONDS = 60.0  # of work that a kill may cost


def train_seed(
    config: dict[str, Any],
    name: str,
    seed: int,
    folder: Path,
    data: Dataset,
    bar: bars.Progress,
) -> None:
    """All groups of one seed; writes seed-S.npz."""
    regime = regime_of(config, name)
    program = train.program_of(regime, data.space, data.shape[2])
    parts = parts_of(regime, held_of(config), data, seed)
    groups = train.every_group(len(program.network.tasks))
    spot = folder / name / PARTIAL.format(seed)
    source = digest(dict(sources(config))[f"{name}/seed-{seed}"])
    state = trained(program, groups, seed, parts, (spot, source), bar)
    rows = scored_index(config, data)
    images = parts.standardised(pooled(data, rows, regime.pixels))
    codes = train.codes_of(program, state.best.shared, images)
    masked = lambda values: np.where(groups, np.asarray(values, np.float32), np.nan)
    SeedResult(
        groups,
        masked(state.best.validation),
        masked(state.best.test),
        masked(state.best.step),
        np.asarray(codes),
    ).save(folder / name, SeedResult.name(seed))


def trained(
    program: train.Program,
    groups: np.ndarray,
    seed: int,
    parts: Parts,
    kept: tuple[Path, str],
    bar: bars.Progress,
) -> train.State:
    """The state after all steps, from `kept` where a part of them is done.

    It is written there once per minute, and when a signal stops the work.

    Args:
      program, groups, seed, parts: see `train.start`.
      kept: the file of a seed in the middle, and what it must be of.
      bar: told of every step.
    """
    regime, rows = program.regime, jnp.asarray(groups)
    state = read_partial(*kept, program, rows)
    if state is None:
        state = train.start(program, rows, seed, parts)
    done, last = int(state.step), time.monotonic()
    bar.advance(done, before=True)
    with stopping.deferred() as signals:
        while done < regime.steps and not signals.number:
            state = train.advance(program, state, rows, seed, parts, regime.every)
            jax.block_until_ready(state)
            done += regime.every
            signals.unsaved = True
            bar.advance(regime.every)
            is_due = time.monotonic() - last > SAVE_SECONDS
            if done < regime.steps and (signals.number or is_due):
                write_partial(*kept, state)
                signals.unsaved, last = False, time.monotonic()
    return state
