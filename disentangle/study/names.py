"""The names that `disentangle.study` offers, each from the module it lives in."""

# ruff: noqa: F401 (they are here to be had from here)

from disentangle.study.code_survey import survey
from disentangle.study.contest import Results as ContestResults
from disentangle.study.contest import default_contest, run_contest
from disentangle.study.retrieval import Shown
from disentangle.study.sweeps.config import default_sweep
from disentangle.study.sweeps.grids import runs as locatello_runs
from disentangle.study.sweeps.run import run_sweep
from disentangle.study.sweeps.wide import models as sweep_models
from disentangle.study.visualize import latent_plane
