"""The names of the notebook API, each from the room it lives in."""

# ruff: noqa: F401 (they are here to be had from here)

from disentangle.affinity import Affinity, Grouping, group_tasks
from disentangle.data import from_arrays, from_folder, load
from disentangle.errors import UserError
from disentangle.metrics.score import score
from disentangle.study.affinity import measure_affinity
from disentangle.study.edit_pictures import edit
from disentangle.study.evaluate import evaluate, summary
from disentangle.study.retrieval import retrieve
from disentangle.study.zoo import load_model
from disentangle.training.run import Run, load_run, train
from disentangle.training.writers import read_metrics
