"""One method on one data set; the Locatello et al. 2019 protocol.

    .venv/bin/python -m disentangle train --workdir=runs/a \
        --config=experiments/vae.py:dsprites,beta_vae --config.method.beta=4

    .venv/bin/python -m disentangle train --workdir=runs/mine \
        --config=experiments/vae.py:own,beta_vae --config.data.path=FOLDER

Argument: `dataset,method[,field=value...]`; of your `own` images the path is a folder
of PNG or JPEG (with labels.csv, if there are labels), an .npz or an .h5.
Values separated by | are a sweep:
`experiments/vae.py:dsprites,beta_vae,beta=1|4|16` trains three models in one
program. Batch 64, Adam 1e-4, 10 latents, Bernoulli loss. Their 300,000 steps
take hours on a GPU; the default here is 20,000.
"""

from ml_collections import ConfigDict

from disentangle.errors import UserError, unknown
from disentangle.training.config import default_config


def get_config(argument: str = "dsprites,beta_vae") -> ConfigDict:
    """The training config for `dataset,method[,field=value...]`."""
    name, *rest = argument.split(",")
    method, *fields = rest or ["beta_vae"]
    config = default_config(name, method)
    for field in fields:
        key, equals, text = field.partition("=")
        if not equals:
            raise UserError(f"{field!r} in the config's argument is not field=value")
        if key not in config.method:
            raise unknown(f"field of {method}", key, config.method.keys())
        with config.ignore_type():  # a sweep is a tuple where a number stood
            config.method[key] = _values(key, text, config.method[key])
    return config


def _values(key: str, text: str, default: object) -> object:
    """`text` as the type of the default; `|` makes a sweep of numbers."""
    try:
        if isinstance(default, float):
            values = tuple(float(part) for part in text.split("|"))
            return values if len(values) > 1 else values[0]
        return type(default)(text) if not isinstance(default, tuple) else (text,)
    except ValueError:
        raise UserError(f"{key}={text!r} is not a {type(default).__name__}") from None
