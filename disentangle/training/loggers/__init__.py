"""Where the numbers of a run go: one file and one line each.

metrics.jsonl is always written, as the rest of the project reads it; the others are
asked for: `--loggers=tensorboard,wandb` of `train`, `study`, `pipeline`, `affinity` and
`compare`, `dt.train(..., loggers=["tensorboard"])`. Each is a `Writer`
(training/writers.py) for all members of a run, and takes the hyperparameters once,
numbers at every interval, and images at the end.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from disentangle.errors import UserError, as_list, unknown
from disentangle.training.config import Experiment
from disentangle.training.loggers import tensorboard, wandb
from disentangle.training.run_logs import SharedWriters
from disentangle.training.writers import FinalWriter, JsonlWriter, Writer


class Logger(NamedTuple):
    """A row of LOGGERS.

    Attributes:
      open: (workdir, member -> id) -> the writer.
      needs: raises UserError where its package is not installed.
    """

    open: Callable[[Path, Mapping[str, str]], Writer]
    needs: Callable[[], object] = lambda: None


ALWAYS = "jsonl"
LOGGERS: dict[str, Logger] = {
    "jsonl": Logger(lambda at, ids: JsonlWriter(at / "metrics.jsonl", ids=ids)),
    "tensorboard": Logger(tensorboard.TensorBoardWriter.of, tensorboard.library),
    "wandb": Logger(wandb.WandbWriter, wandb.library),
}


def chosen(names: str | Sequence[str], workdir: Any) -> tuple[str, ...]:
    """The loggers named, checked before any compute.

    Args:
      names: keys of LOGGERS, or one of them.
      workdir: where they write; without one there are none.

    Raises:
      UserError: an unknown name, a package that is missing, or no workdir.
    """
    listed = [names] if isinstance(names, str) else names
    found = as_list(listed, "loggers must be a list of names")
    for name in found:
        if not isinstance(name, str) or name not in LOGGERS:
            raise unknown("logger", name, LOGGERS)
        LOGGERS[name].needs()
    if found and workdir is None:
        raise UserError(f"loggers={found} need a workdir to write to")
    return tuple(dict.fromkeys(found))


def open_loggers(
    folder: Path, experiment: Experiment, names: Sequence[str], logs: Path | None = None
) -> SharedWriters:
    """The writers of a run, told of the hyperparameters of every member.

    Args:
      folder: the workdir, where metrics.jsonl is.
      experiment: of the run.
      names: keys of LOGGERS.
      logs: where the others write; None is the workdir.
    """
    ids = {member.name: member.id for member in experiment.population}
    asked = [name for name in names if name != ALWAYS]
    elsewhere = logs or folder
    if asked:
        elsewhere.mkdir(parents=True, exist_ok=True)
    opened = [LOGGERS[name].open(elsewhere, ids) for name in asked]
    always = [
        FinalWriter(folder / "final.json", ids),
        LOGGERS[ALWAYS].open(folder, ids),
    ]
    writers = SharedWriters([*always, *opened])
    writers.write_hyperparameters(hyperparameters(experiment))
    return writers


def hyperparameters(experiment: Experiment) -> dict[str, dict[str, Any]]:
    """member -> dotted field -> number or word, of all that its config says.

    Lists are written as words; a field that is swept has the member's own value.
    """
    config = {**experiment.config}
    found = {}
    for member in experiment.population:
        rows = {"data": config["data"]["name"], "seed": member.seed}
        rows |= {n: config[n] for n in ("steps", "batch_size")}
        for section in ("method", "optimizer"):
            own = {n: member.values.get(n, v) for n, v in config[section].items()}
            rows |= {f"{section}.{name}": value for name, value in own.items()}
        found[member.name] = {name: _plain(value) for name, value in rows.items()}
    return found


def _plain(value: Any) -> Any:
    return value if isinstance(value, int | float | str) else str(value)
