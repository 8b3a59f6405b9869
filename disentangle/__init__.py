"""disentangle: multi-task affinity and disentanglement studies in JAX.

The notebook API. `import disentangle as dt`, then `dt.load`, `dt.train`,
`dt.evaluate`, `dt.measure_affinity`, `dt.group_tasks`; each has a docstring.
"""

from disentangle.affinity import Affinity, Grouping, group_tasks
from disentangle.data import load
from disentangle.errors import UserError
from disentangle.metrics.score import score
from disentangle.study.affinity import measure_affinity
from disentangle.study.evaluate import evaluate, summary
from disentangle.training.run import Run, load_run, train

__version__ = "0.1.0"  # setup.cfg reads it here

__all__ = [
    "Affinity",
    "Grouping",
    "Run",
    "UserError",
    "__version__",
    "evaluate",
    "group_tasks",
    "load",
    "load_run",
    "measure_affinity",
    "score",
    "summary",
    "train",
]
