"""What the models of a run are on the test images, for the step the run ended at.

Never read from metrics.jsonl: a log may be cut, and its last line is then an earlier
step's. The record is final.json; where that is missing, damaged or of another step the
models are evaluated anew.
"""

import dataclasses
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from disentangle.data.dataset import Dataset
from disentangle.errors import UserError
from disentangle.files import read_json, write_json
from disentangle.training.batches import part
from disentangle.training.loop import batched, compile_functions, start
from disentangle.training.run import Run, prepare
from disentangle.training.state import apart
from disentangle.training.writers import Final, finite_rows

AT_ONCE = 64  # members evaluated together
Rows = dict[str, dict[str, Any]]  # member -> name -> a number, a list of them, or None


def read_final(workdir: Path) -> Final | None:
    """final.json; None where there is none, or, with a warning, it is damaged."""
    path = workdir / "final.json"
    if not path.exists():
        return None
    try:
        return read_json(path, Final)
    except UserError as error:
        warnings.warn(f"{error}; the models are evaluated anew", stacklevel=2)
        return None


def final_rows(run: Run, data: Dataset) -> Rows:
    """The values of every member on the test images at the run's last step.

    Args:
      run: from `fit` or `load_run`.
      data: the data set it was trained on.

    Returns:
      member -> the names and values of a test row of its log; None for what is not
      finite.
    """
    held = None if run.workdir is None else read_final(run.workdir)
    if held and held.step == run.step and set(run.members) <= set(held.rows):
        return held.rows
    rows = evaluated(run, data)
    if run.workdir is not None:
        ids = {member.name: member.id for member in run.population}
        table = dataclasses.asdict(Final(run.step, rows, ids))
        write_json(run.workdir / "final.json", table)
    return rows


def evaluated(
    run: Run,
    data: Dataset,
    index: np.ndarray | None = None,
    members: Sequence[int] | None = None,
) -> Rows:
    """The same from the parameters: one pass over the images.

    Args:
      run, data: see `final_rows`.
      index: (n,) the images; None is the test images.
      members: places in the run; None is all of them.
    """
    experiment, method, split, test_index = prepare(run.config, data)
    batches = batched(test_index if index is None else index)
    places = range(len(run.members)) if members is None else list(members)
    found = {}
    for first in range(0, len(places), AT_ONCE):
        rows = places[first : first + AT_ONCE]
        own = part(experiment, rows)
        at = jnp.asarray(rows)
        # Averages are among these parameters.
        params, held = apart(jax.tree.map(lambda x, at=at: x[at], run.params))
        state = start(method, own)
        steps = jnp.full_like(state.step, run.step)
        state = state._replace(params=params, state=held, average={}, step=steps)
        evaluate = compile_functions(own, method, split, ()).evaluate
        logs = jax.device_get(evaluate(state, split, batches))
        for i, row in enumerate(rows):
            found[run.members[row]] = {name: value[i] for name, value in logs.items()}
    return finite_rows(found)
