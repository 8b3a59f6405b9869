"""Every method at its paper's strength on one data set, beside published scores.

    python -m disentangle compare --config=experiments/comparison.py:dsprites,quick \
        --workdir=runs/comparison-dsprites
    python -m disentangle compare --workdir=runs/comparison-dsprites --only=rf_vae
    python -m disentangle report runs/comparison-dsprites

Argument: `dataset[,size]`, data set dsprites or shapes3d. The same command goes on
after a stop; `--only` takes some of the runs first. Three seeds for the six methods
of Locatello et al. 2019 and for RF-VAE, one for the others.

quick      1,000 steps at learning rate 1e-3. RF-VAE 2,500: its relevance has to get
           from 1/2 to 0 or 1, and starts when the latents are in use, see its file.
           What such short training shows is the ordering of ideas at best, never a
           published number.
overnight  20,000 steps at 5e-4. For a GPU, or idle cores overnight.
full       300,000 steps at 1e-4 (FactorVAE 300,000, its paper's), the published
           protocols' length; for a GPU.

AnnealedVAE's and JointVAE's capacities grow over the first third and the whole of
training, as in their papers, whatever its length: schedules are shares of the steps.
"""

from typing import Any

from ml_collections import ConfigDict

from disentangle.errors import UserError, unknown
from disentangle.methods import METHODS
from disentangle.study.comparison import default_comparison

# size -> steps, learning rate; for RF-VAE steps and relevance_start, a share of them
SIZES = {
    "quick": ((1_000, 1e-3), (2_500, 0.2)),
    "overnight": ((20_000, 5e-4), (20_000, 0.05)),
    "full": ((300_000, 1e-4), (300_000, 0.0)),
}
THREE_SEEDS = (
    "beta_vae",
    "annealed_vae",
    "factor_vae",
    "dip_vae_i",
    "dip_vae_ii",
    "beta_tcvae",
    "rf_vae",
)


# What takes seconds a model; the larger sizes take every score.
LOCATELLO = (
    "dci",
    "mig",
    "sap",
    "factor_vae",
    "beta_vae",
    "modularity",
    "explicitness",
    "irs",
    "unsupervised",
    "z_max_variance",
)


def get_config(argument: str = "dsprites,quick") -> ConfigDict:
    """The study's config for `dataset[,size]`."""
    name, _, size = argument.partition(",")
    size = size or "quick"
    if size not in SIZES:
        raise unknown("size of the study", size, SIZES)
    if not name:
        raise UserError("the config needs a data set, as in comparison.py:dsprites")
    (steps, rate), (relevance_steps, relevance_start) = SIZES[size]
    config = default_comparison(name, methods())
    for run in config.runs:
        section = config.runs[run]
        section.steps = steps
        section.optimizer.learning_rate = rate
        section.seeds = 3 if run in THREE_SEEDS else 1
        section.log_every = max(50, steps // 100)
        section.eval_every = section.checkpoint_every = max(500, steps // 20)
    if size == "quick":
        config.score.metrics = LOCATELLO
    config.runs.rf_vae.steps = relevance_steps
    config.runs.rf_vae.method.relevance_start = relevance_start
    return config


def methods() -> dict[str, dict[str, Any]]:
    """Every unsupervised and weakly supervised method, with its defaults."""
    return {name: {} for name in METHODS if name != "supervised"}
