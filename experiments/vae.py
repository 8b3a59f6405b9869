"""One method on one data set; the Locatello et al. 2019 protocol.

    .venv/bin/python -m disentangle train --workdir=runs/a \
        --config=experiments/vae.py:dsprites,beta_vae --config.method.beta=4

    .venv/bin/python -m disentangle train --workdir=runs/mine \
        --config=experiments/vae.py:own,beta_vae --config.data.path=FOLDER

Argument: `dataset,method[,field=value...]`; of your `own` images the path is a folder
of PNG or JPEG (with labels.csv, if there are labels), an .npz or an .h5.
Values separated by | are a sweep:
`experiments/vae.py:dsprites,beta_vae,beta=1|4|16` trains three models in one
program, `learning_rate=1e-4|3e-4` two; `discriminator=100+100` is a list. Fields are
those of the method, the optimiser, the run and the data. Batch 64, Adam 1e-4, 10
latents, Bernoulli loss. Their 300,000 steps take hours on a GPU; the default here is
20,000.
"""

from ml_collections import ConfigDict

from disentangle.training.config import default_config
from disentangle.training.config_fields import set_fields


def get_config(argument: str = "dsprites,beta_vae") -> ConfigDict:
    """The training config for `dataset,method[,field=value...]`."""
    name, *rest = argument.split(",")
    method, *fields = rest or ["beta_vae"]
    return set_fields(default_config(name, method), fields)
