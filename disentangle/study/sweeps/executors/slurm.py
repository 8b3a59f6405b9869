"""As an array job of SLURM, through submitit: --executor=slurm --address=PARTITION.

Every job of the array is a shard of the study. One whose time is over is put into the
queue again and goes on where it was; units of a node that died the others take over.
All nodes write into the study's workdir, so it must be on a file system that they
share. Needs the extra: pip install -e '.[slurm]'.

The address is a partition, further parameters of submitit by name, or both:
--address=gpu,gpus_per_node=1,time=600. --dry_run shows the script that is submitted.
"""

import shlex
import subprocess
import sys
from collections.abc import Sequence
from types import ModuleType
from typing import Any

from disentangle.errors import UserError, unknown
from disentangle.progress import say
from disentangle.study.sweeps.executors.base import Task

FOLDER = "slurm"  # of scripts and logs, in the workdir
MOST = 64  # jobs of an array
DEFAULTS = {"time": 24 * 60, "cpus_per_task": 8, "array_parallelism": MOST}


class Shard:
    """One job: the study's command with its share of the units.

    Args:
      words: the command.
    """

    def __init__(self, words: Sequence[str]):
        self.words = list(words)

    def __call__(self) -> int:
        """Runs the command; its exit code."""
        return subprocess.call(self.words)

    def checkpoint(self) -> Any:
        """What is put into the queue again when the time is over: the same."""
        return _library().helpers.DelayedSubmission(self)


def run(task: Task) -> None:
    """Submits the array and waits for its jobs.

    Raises:
      UserError: the extra is missing, this machine has no SLURM, or a job failed.
    """
    submitit, folder = _library(), task.place.folder / FOLDER
    script(task)  # asks whether SLURM takes what it is given
    try:
        executor = submitit.SlurmExecutor(folder)
    except RuntimeError as error:
        raise UserError(f"executor=slurm: {error}") from None
    executor.update_parameters(**parameters(task))
    with executor.batch():
        jobs = [executor.submit(shard) for shard in shards(task)]
    say(f"{len(jobs)} jobs are submitted; their logs are in {folder}")
    for job in jobs:
        try:
            code = job.result()
        except submitit.core.utils.UncompletedJobError:
            code = None  # killed, or its node died
        if code != 0:
            how = "was killed" if code is None else f"ended with code {code}"
            raise UserError(f"job {job.job_id} {how}; its log is in {folder}")
    for unit in task.units:
        task.tell(unit)


def script(task: Task) -> str:
    """The script that is submitted, with the command of the first job.

    Raises:
      UserError: the extra is missing, or SLURM does not take a parameter.
    """
    _library()
    from submitit.slurm.slurm import SlurmExecutor, _make_sbatch_string

    own, jobs = parameters(task), shards(task)
    known = SlurmExecutor._valid_parameters()
    for name in own:
        if name not in known:
            raise unknown("parameter of SLURM in address", name, sorted(known))
    text = _make_sbatch_string(
        command=shlex.join(jobs[0].words),
        folder=task.place.folder / FOLDER,
        map_count=len(jobs),
        **own,
    )
    return str(text)


def shards(task: Task) -> list[Shard]:
    """The jobs: one per unit, up to MOST."""
    count = max(1, min(MOST, len(task.units)))
    folder = task.place.folder.absolute()
    program = [sys.executable, "-m", "disentangle", "study", f"--workdir={folder}"]
    if task.place.loggers:
        program.append(f"--loggers={','.join(task.place.loggers)}")
    return [
        Shard([*program, f"--shard={number}/{count}", "--noprogress"])
        for number in range(1, count + 1)
    ]


def parameters(task: Task) -> dict[str, Any]:
    """What SLURM is asked for per job: DEFAULTS and the address, as submitit names it.

    Raises:
      UserError: the address is no partition and no name=value.
    """
    found: dict[str, Any] = {"job_name": "study", **DEFAULTS}
    for word in filter(None, task.address.split(",")):
        name, equals, value = word.partition("=")
        if equals and not (name.isidentifier() and value):
            raise UserError(f"address={task.address!r} must be PARTITION,NAME=VALUE")
        name, value = (name, value) if equals else ("partition", word)
        found[name] = int(value) if value.isdecimal() else value
    return found


def _library() -> ModuleType:
    try:
        import submitit
    except ImportError:
        raise UserError(
            "executor=slurm needs the extra: pip install -e '.[slurm]'"
        ) from None
    return submitit
