"""Every method on one data set, ranked where it can be, beside published scores.

    .venv/bin/python -m disentangle compare --workdir=runs/comparison-dsprites \
        --config=experiments/comparison.py:dsprites,quick
    .venv/bin/python -m disentangle compare --workdir=runs/comparison-dsprites \
        --only=rf_vae
    .venv/bin/python -m disentangle report runs/comparison-dsprites

Argument: `dataset[,size]`, data set dsprites or shapes3d, or your `own` images with
--config.data.path=FOLDER_OR_FILE: then the unsupervised methods whose networks take
any size. The same command goes on
after a stop; `--only` takes some of the runs first. Three seeds for the six methods
of Locatello et al. 2019 and for RF-VAE, one for the others.

Within `quick` and within `overnight` every method has the same steps and batch, and its
main player the same learning rate; the other players keep the ratio that theirs have
to it in the paper (1:1 for the critics of FactorVAE and RF-VAE). The page says of each
method what is not as in its paper, and ranks only what was told as much.

quick      1,000 steps at learning rate 1e-3. What such short training shows is the
           ordering of ideas at best, never a published number. RF-VAE's relevance
           does not get from 1/2 to 0 or 1 in it: see its file.
overnight  20,000 steps at 5e-4. For a GPU, or idle cores overnight.
full       every method by its paper's protocol, where we know it (`Recipe.protocol`:
           learning rates, networks, batch, steps), else 300,000 steps at 1e-4; for a
           GPU. Methods of other steps or batch are ranked apart.

AnnealedVAE's and JointVAE's capacities grow over the first third and the whole of
training, as in their papers, whatever its length: schedules are shares of the steps.
"""

from typing import Any

from ml_collections import ConfigDict

from disentangle.data import DATASETS
from disentangle.errors import UserError, unknown
from disentangle.fields import fields_of
from disentangle.methods import METHODS
from disentangle.study.comparison import default_comparison

SIZES = {"quick": (1_000, 1e-3), "overnight": (20_000, 5e-4), "full": (300_000, 1e-4)}
RELEVANCE_START = {"quick": 0.5, "overnight": 0.05, "full": 0.0}  # share of the steps
# The learning rate of an optimiser that is the method's own, and that of a critic's.
OWN_RATE = {"qlae": "adamw_learning_rate", "tripod": "adamw_learning_rate"}
OWN_RATE |= {"enc_diff": "denoiser_learning_rate"}
OWN_RATE |= dict.fromkeys(("glow", "conditional_glow"), "adamax_learning_rate")
STYLED = "style_gan", "conditional_style_gan"
OWN_RATE |= dict.fromkeys(STYLED, "encoder_learning_rate")
CRITIC_RATE = "discriminator_learning_rate"
THREE_SEEDS = (
    "beta_vae",
    "annealed_vae",
    "factor_vae",
    "dip_vae_i",
    "dip_vae_ii",
    "beta_tcvae",
    "rf_vae",
)


UNTOLD = ("none", "relevance")  # what a method is told that needs no labels
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
    if name not in DATASETS:
        raise unknown("data set", name, DATASETS)
    steps, rate = SIZES[size]
    config = default_comparison(name, methods(name))
    for run in config.runs:
        section = config.runs[run]
        section.steps = steps
        if size == "full":
            follow_paper(section)
        else:
            set_rates(section, rate)
        section.seeds = 3 if run in THREE_SEEDS else 1
        section.log_every = max(50, section.steps // 100)
        section.eval_every = section.checkpoint_every = max(500, section.steps // 20)
    if size == "quick":
        config.score.metrics = LOCATELLO
    config.runs.rf_vae.method.relevance_start = RELEVANCE_START[size]
    return config


def methods(data: str) -> dict[str, dict[str, Any]]:
    """Every unsupervised and weakly supervised method, with its defaults.

    Of images that may have no labels, no grid and any size: those that need none.
    """
    told_all = {name for name in METHODS if METHODS[name].supervision == "all"}
    names = [name for name in METHODS if name not in told_all and _has_codes(name)]
    if DATASETS[data].network:
        names = [name for name in names if _takes_any(name)]
    return {name: {} for name in names}


def _has_codes(method: str) -> bool:
    """Whether a method learns an encoder: of most GANs there are images, no codes.

    A flow is one itself; scores read its codes' principal components. That of MUNIT
    reads images of one domain.
    """
    return bool({"encoder", "levels"} & set(fields_of(METHODS[method].settings)))


def _takes_any(method: str) -> bool:
    """Whether a method needs no labels and no images of a certain size."""
    encoder = getattr(METHODS[method].settings, "encoder", "any")
    return METHODS[method].supervision in UNTOLD and encoder in ("locatello", "any")


def set_rates(section: ConfigDict, rate: float) -> None:
    """The main player's learning rate becomes `rate`, a critic's keeps its ratio.

    The main player is the one that moves the encoder.
    """
    method = section.method
    main = OWN_RATE.get(method.name)
    paper = method[main] if main else section.optimizer.learning_rate
    section.optimizer.learning_rate = rate
    for field in (main, CRITIC_RATE):
        if field in method:
            method[field] *= rate / paper


def follow_paper(section: ConfigDict) -> None:
    """What the paper has unlike our defaults, where it is known."""
    protocol = METHODS[section.method.name].protocol
    section.update_from_flattened_dict(dict(protocol or {}))
