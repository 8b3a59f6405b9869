"""A large study: data sets x methods x strengths x seeds, trained, scored, one table.

  config.json study.json    the config it was last run with, and that it is one
  plan.json                its models, and which are trained together (plan.py)
  results/*.parquet         the table (table.py)
  models/<unit>.npz         the trained parameters (models.py)
  training/<unit>/          a unit in training, an ordinary run; gone when it is done
  claims/                   who works on what (claims.py)
  logs/<unit>/              what loggers wrote, where there are any

Any number of processes may work in one workdir, each with a config of its own: models
that one plans the others find. What is killed goes on: a unit that was being trained
from its last checkpoint, a unit that was being scored from its trained models.
"""

import time
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ml_collections import ConfigDict

from disentangle import progress as bars
from disentangle.data.dataset import Dataset
from disentangle.errors import UserError, unknown
from disentangle.files import place as path_of
from disentangle.study.evaluate import check_sample
from disentangle.study.stages import allow_changes, begin
from disentangle.study.sweeps import table
from disentangle.study.sweeps.claims import Claims
from disentangle.study.sweeps.config import Config, check, default_sweep
from disentangle.study.sweeps.estimate import plan_text
from disentangle.study.sweeps.executors import EXECUTORS
from disentangle.study.sweeps.executors.base import Task
from disentangle.study.sweeps.held import Held
from disentangle.study.sweeps.peers import (
    can_compare,
    compare,
    lacking,
    settings_of,
)
from disentangle.study.sweeps.plan import Ledger, Wanted, adopted, extended, wanted
from disentangle.study.sweeps.shelf import Shelf
from disentangle.study.sweeps.width import measured_width
from disentangle.study.sweeps.work import CLAIMS, Place
from disentangle.training.config import plain
from disentangle.training.loggers import chosen
from disentangle.training.run import prepare
from disentangle.training.workdir import refuse_other

NAME = "study"  # in STUDIES
PLAN = "plan"  # the claim of who writes plan.json
# What may change from one call to the next: further models, further scores.
FREE = (
    *("methods", "strengths", "seed", "seeds", "runs", "half_steps", "score"),
    *("log_every", "checkpoint_every", "data.name"),
)
WAIT = 5.0  # seconds between two looks at units that others have


def run_sweep(
    config: Mapping[str, Any] | ConfigDict,
    workdir: str | Path,
    *,
    dry_run: bool = False,
    shard: str | None = None,
    executor: str | None = None,
    address: str | None = None,
    loggers: str | Sequence[str] = (),
    data: Mapping[str, Dataset] | None = None,
    progress: bool = True,
) -> Path | str:
    """Runs, or goes on with, a study in `workdir`.

    Args:
      config: see `default_sweep`. A later call may bring more methods, strengths, seeds
        and scores: what is there is not done again.
      workdir: created if needed; several processes may share it.
      dry_run: write nothing, and return what would be done, in words.
      shard: "i/n", i from 1 to n: only every n-th unit from the i-th on, for the i-th
        of n jobs. None is all.
      executor: a name in EXECUTORS; None is "serial".
      address: of the executor's cluster; None is this machine.
      loggers: names in training/loggers, such as "tensorboard" (needs the extra):
        where numbers, hyperparameters and images of the models go besides.
      data: data set's name -> data set, in place of what the name loads.
      progress: show bars.

    Returns:
      The workdir; of a dry run the plan.

    Raises:
      UserError: on anything wrong, before any compute.
    """
    config = check(config)
    part = read_shard(shard)
    executor = executor or "serial"
    if executor not in EXECUTORS:
        raise unknown("executor", executor, EXECUTORS)
    folder = path_of(workdir, "workdir")
    asked = chosen(loggers, folder)
    refuse_other(folder)
    allow_changes(
        folder, config, plain(default_sweep("", {"vae": {}})), free=FREE, own=()
    )
    wants = [adopted(want, ledger_of(folder)) for want in wanted(config)]
    if dry_run:
        ledger, said = plan_text(folder, config, wants)
        place = Place(folder, ledger, config["score"], loggers=asked)
        task = Task(place, units_of(ledger, wants), Shelf(), tell_nobody, address or "")
        return "\n".join(filter(None, [EXECUTORS[executor].show(task), said]))
    shelf = Shelf(data)
    check_fits(folder, config, wants, shelf, progress)
    ledger = planned(folder, config, wants, shelf)
    place = Place(folder, ledger, config["score"], progress, asked)
    units = units_of(ledger, wants)[part[0] - 1 :: part[1]]
    do_units(place, units, executor, shelf, address or "", wait=part[1] == 1)
    compare_all(place, units, shelf)
    return folder


def tell_nobody(unit: str) -> None:
    """For a task that is not begun."""
    del unit


def read_shard(shard: str | None) -> tuple[int, int]:
    """(i, n) of "i/n"; (1, 1) of None.

    Raises:
      UserError: it is something else, or i is not in 1 .. n.
    """
    if not shard:
        return 1, 1
    number, slash, count = shard.partition("/")
    if not (slash and number.isdecimal() and count.isdecimal()):
        raise UserError(f"shard={shard!r} must be i/n, such as 1/8")
    if not 1 <= int(number) <= int(count):
        raise UserError(f"shard={shard!r}: the first number must be 1 to {int(count)}")
    return int(number), int(count)


def ledger_of(folder: Path) -> Ledger:
    """What is planned in a workdir."""
    return Ledger.load(folder) if (folder / Ledger.FILE).exists() else Ledger()


def units_of(ledger: Ledger, wants: Sequence[Wanted]) -> list[str]:
    """The units that have a model that is wanted, in the order they were planned."""
    of_model = ledger.models
    have = {of_model[model.id] for want in wants for model in want.models}
    return [unit for unit in ledger.units if unit in have]


def check_fits(
    folder: Path,
    config: Config,
    wants: Sequence[Wanted],
    shelf: Shelf,
    progress: bool,
) -> None:
    """Raises UserError where a group does not go with its data set.

    Groups that the workdir has already are passed over: they were looked at.
    """
    held = ledger_of(folder)
    score, seen = config["score"], set()
    rows = (score["num_train"], score["num_test"])
    with bars.waiting("check the methods", shown=progress):
        for want in wants:
            section = want.group.config["data"]
            if want.key not in held.groups:
                prepare(want.group.config, shelf.get(section))
            if section["name"] not in seen and want.key not in held.groups:
                check_sample(shelf.get(section), rows, seed=score["seed"])
                seen.add(section["name"])


def planned(
    folder: Path, config: Config, wants: Sequence[Wanted], shelf: Shelf
) -> Ledger:
    """The workdir's units, with those that are new; also its config and columns."""
    folder.mkdir(parents=True, exist_ok=True)
    columns = table.own_columns(config)
    with Claims(folder / CLAIMS).alone(PLAN):
        held = ledger_of(folder)
        ledger = extended(held, wants, measured_width(shelf), columns)
        if ledger != held:
            ledger.save(folder)
        begin(folder, NAME, config)
        for path, why in Held.of(folder).damaged.items():
            warnings.warn(f"{why}: what it had is done again", stacklevel=3)
            path.unlink(missing_ok=True)
        if ledger.columns != held.columns:
            for path in table.results(folder):
                table.same_columns(path, ledger.columns)
    return ledger


def compare_all(place: Place, units: Sequence[str], shelf: Shelf) -> None:
    """Scores that compare models, of the settings whose models are all trained."""
    held, claims = Held.of(place.folder), Claims(place.folder / CLAIMS)
    todo = [
        setting
        for setting in settings_of(place.ledger, units)
        if lacking(place, held, setting) and can_compare(place, held, setting)
    ]
    for setting in bars.over(todo, "compare", unit="setting", shown=place.progress):
        compare(place, setting, shelf, claims)


def do_units(
    place: Place,
    units: Sequence[str],
    executor: str,
    shelf: Shelf,
    address: str,
    *,
    wait: bool,
) -> None:
    """Does what units lack, until nothing is left or what is left others have.

    Args:
      place: the study.
      units: ids.
      executor: a name in EXECUTORS; None is "serial".
      shelf: the data sets.
      address: for the executor.
      wait: for the units that others have, and take over those of the dead.
    """
    ledger = place.ledger
    claims = Claims(place.folder / CLAIMS)
    models = {unit: len(ledger.units[unit].models) for unit in units}

    def left() -> list[str]:
        held = Held.of(place.folder)
        return [u for u in units if not held.is_done(u, ledger.units[u], place.score)]

    todo = left()
    total = sum(models.values())
    with bars.Progress(
        "study",
        total=total,
        unit="model",
        done=total - sum(models[unit] for unit in todo),
        shown=place.progress,
        hourly=True,
    ) as bar:
        told: set[str] = set()

        def tell(unit: str) -> None:
            if unit not in told:
                told.add(unit)
                bar.advance(models[unit])

        while todo:
            free = [unit for unit in todo if not claims.is_taken(unit)]
            if free:
                EXECUTORS[executor].run(Task(place, free, shelf, tell, address))
            elif not wait:
                bars.say(f"{len(todo)} units are at work elsewhere")
                return
            else:
                time.sleep(WAIT)
            now = left()
            for unit in set(todo) - set(now):
                tell(unit)
            if free and now == todo and not any(map(claims.is_taken, now)):
                raise RuntimeError(f"units {', '.join(now)} cannot be done")
            todo = now
