"""Locatello et al. 2019, "Challenging Common Assumptions ...": their protocol.

    .venv/bin/python -m disentangle train --workdir=runs/beta \
        --config=experiments/locatello2019.py:dsprites,beta_vae
    .venv/bin/python -m disentangle train --workdir=runs/m437 \
        --config=experiments/locatello2019.py:437
    .venv/bin/python -m disentangle evaluate --workdir=runs/beta --metrics=all \
        --protocol=locatello
    .venv/bin/python -m disentangle study --workdir=runs/locatello \
        --config=experiments/locatello2019.py:study,dsprites

Argument: `study,dataset`, for `study`, is the whole study of a data set, 1,800 models;
several data sets are joined by +. `dataset,method` trains the method's whole grid, six
strengths times `seeds` seeds (50 there), as one program; a number is the model of that
index in their study (0 to 1799 dSprites, 10800 to 12599 Shapes3D; the five data sets
between are not built here) with its strength and seed.

Network: 4x4 and 2x2 stride-2 convolutions, 10 latents; batch 64; Adam 1e-4
(0.9, 0.999, 1e-8); Bernoulli loss; 300,000 steps; images drawn with replacement
from the whole grid. FactorVAE is theirs, one batch for both players; their step
counter advanced by two an update, so it stops after 150,000 updates here too.
beta-TCVAE uses their estimator of the total correlation.

Cost: 1.75 hours of a P100 GPU a model there, evaluation included (2.52 GPU-years
over 12,600 models). What a step takes here is printed by
`.venv/bin/python -m benchmarks.vae_step`.
Expected: Locatello et al. report distributions, not tables; what other
papers report under it is in `disentangle/study/targets.py`.
"""

from ml_collections import ConfigDict

from disentangle.errors import UserError, unknown
from disentangle.study.sweeps.config import JOIN, default_sweep
from disentangle.study.sweeps.grids import LOCATELLO, runs
from disentangle.training.config import default_config

STEPS, SEEDS = 300_000, 50
SCORES = (
    "dci",
    "mig",
    "sap",
    "factor_vae",
    "beta_vae",
    "modularity",
    "explicitness",
    "irs",
    "unsupervised",
    "downstream",
    "fairness",
)

GRIDS = LOCATELLO
DATASETS = {"dsprites": 0, "shapes3d": 6}  # name -> place in their list of seven
PER_DATASET = len(GRIDS) * 6 * SEEDS


def get_config(argument: str = "dsprites,beta_vae") -> ConfigDict:
    """The config for `study,dataset`, `dataset,method` or a model's index."""
    if argument.strip().isdigit():
        return _model(int(argument))
    name, _, method = argument.partition(",")
    if name == "study":
        return _study(method or "dsprites")
    method = method or "beta_vae"
    if name not in DATASETS:
        raise unknown("data set of this study", name, DATASETS)
    if method not in GRIDS:
        raise unknown("method of this study", method, GRIDS)
    field, grid, _ = GRIDS[method]
    config = _protocol(name, method)
    config.seeds = SEEDS
    with config.ignore_type():  # a sweep is a tuple where a number stood
        config.method[field] = grid
    return config


def _study(names: str) -> ConfigDict:
    """Every model of the study on these data sets."""
    for name in names.split(JOIN):
        if name not in DATASETS:
            raise unknown("data set of this study", name, DATASETS)
    config = default_sweep(names, runs(), half_steps=("factor_vae",))
    config.steps, config.seeds = STEPS, SEEDS
    config.log_every, config.checkpoint_every = 1000, 10_000
    config.score.metrics = SCORES
    return config


def _model(index: int) -> ConfigDict:
    """One of the 12,600: data set, method and strength, seed; the seed fastest."""
    place, rest = divmod(index, PER_DATASET)
    names = [name for name, at in DATASETS.items() if at == place]
    if not names:
        raise UserError(
            f"model {index} is on a data set that is not built here: 0 to 1799 are "
            "dSprites, 10800 to 12599 Shapes3D"
        )
    strength, seed = divmod(rest, SEEDS)
    method = list(GRIDS)[strength // 6]
    field, grid, _ = GRIDS[method]
    config = _protocol(names[0], method)
    config.method[field] = grid[strength % 6]
    config.seed = seed
    return config


def _protocol(name: str, method: str) -> ConfigDict:
    config = default_config(name, method)
    for field, value in GRIDS[method][2].items():
        config.method[field] = value
    config.steps = STEPS // 2 if method == "factor_vae" else STEPS
    config.log_every = 1000
    config.eval_every = 10_000
    config.checkpoint_every = 10_000
    return config
