"""Who does the units of a study. A new executor is one file and one line here.

An executor is given units that lack something and calls `do_unit` for each, wherever.
It may leave some: others may have them, and whoever starts it looks again. What a unit
is, what is done of it and by whom is in the workdir (plan.json, results/, claims/), so
that any of them may be killed, and several may work at once.
"""

from disentangle.study.sweeps.executors import ray, serial, slurm
from disentangle.study.sweeps.executors.base import Executor

EXECUTORS: dict[str, Executor] = {
    "serial": Executor(serial.run),
    "ray": Executor(ray.run),
    "slurm": Executor(slurm.run, slurm.script),
}
