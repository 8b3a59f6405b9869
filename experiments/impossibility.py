"""The theorem as an experiment (Locatello et al. 2019, Theorem 1).

    .venv/bin/python -m disentangle impossibility \
        --config=experiments/impossibility.py:dsprites --workdir=runs/impossibility

Argument: a data set, dsprites or shapes3d. Its factors become a perfect Gaussian
code, one latent N(0, 1) a factor; all pairs of latents are turned by 0, 5, 10, 20
and 45 degrees. The code stays N(0, I) and a linear probe's accuracy stays; DCI
disentanglement and MIG fall. About a minute on two cores; a table, the figure
impossibility.png and a page. A stopped run goes on with the next angle.

A trained VAE is turned the same way with --config.run=runs/a (a workdir, or a
peer's .npz of weights): encoder and decoder take the rotation in between them, so
that images and bound stay what they are. The number beside it that does change
is what the bound would lose with a diagonal posterior.
"""

from ml_collections import ConfigDict

from disentangle.errors import UserError
from disentangle.study.impossibility import default_impossibility


def get_config(argument: str = "dsprites") -> ConfigDict:
    """The experiment's config for a data set."""
    if not argument:
        raise UserError("the config needs a data set: impossibility.py:dsprites")
    return default_impossibility(argument)
