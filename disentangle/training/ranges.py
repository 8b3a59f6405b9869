"""What the numbers of a config may be: each is refused by name before any compute.

The numbers of a method have their ranges in its recipe; here are those of the other
sections, and what every number must be whatever it means.
"""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from disentangle.errors import UserError

LARGEST = 2**31 - 1  # counts are int32 on the device
MEMBERS = 100_000  # models of one run
FLOAT32 = float(np.finfo(np.float32).max)


def whole_number(name: str, value: Any, least: int, most: int = LARGEST) -> int:
    """`value`, a whole number in least .. most; UserError otherwise."""
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise UserError(
            f"{name}={short(value)} must be a whole number, at least {least}"
        )
    if value > most:
        raise UserError(f"{name}={short(value)} must be at most {most:,}")
    return value


def number(name: str, value: Any) -> float:
    """`value` as a float that float32 can hold; UserError otherwise."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise UserError(f"{name}={short(value)} must be a number")
    if not abs(value) <= FLOAT32:  # also NaN, and integers of 400 digits
        finite = isinstance(value, int) or math.isfinite(value)
        beyond = "within +-3.4e38, as float32 holds it" if finite else "finite"
        raise UserError(f"{name}={short(value)} must be {beyond}")
    return float(value)


def text(name: str, value: Any) -> str:
    """`value`, a string; UserError otherwise."""
    if not isinstance(value, str):
        raise UserError(f"{name}={short(value)} must be a string")
    return value


def short(value: Any) -> str:
    """The value as it would be written, cut after 60 characters."""
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) >= 10**30:
        return f"{'-' * (value < 0)}(a number of {_digits(value)} digits)"
    written = repr(value)
    return written if len(written) <= 60 else f"{written[:57]}..."


def _digits(value: int) -> int:
    return int(abs(value).bit_length() * math.log10(2)) + 1


def check_counts(config: Mapping[str, Any]) -> None:
    """The numbers that are not in a section."""
    for name in ("steps", "batch_size", "seeds", "log_every", "checkpoint_every"):
        whole_number(name, config[name], 1)
    whole_number("eval_every", config["eval_every"], 0)
    whole_number("seed", config["seed"], 0, 2**32 - 1)
    if config["seeds"] > MEMBERS:
        raise UserError(
            f"seeds={config['seeds']} are more models than one run takes, {MEMBERS:,}"
        )
    if config["seed"] + config["seeds"] > 2**32:
        raise UserError(
            f"seed={config['seed']} with seeds={config['seeds']} goes beyond 32 bits"
        )


def check_data(section: Mapping[str, Any]) -> None:
    """The data section; what its names mean is asked when it is loaded."""
    for name in ("name", "path", "source"):
        if name in section:
            text(f"data.{name}", section[name])
    for name, least in (("train_size", 0), ("test_size", 1)):
        if name in section:
            whole_number(f"data.{name}", section[name], least)
    if "split_seed" in section:
        whole_number("data.split_seed", section["split_seed"], 0, 2**64 - 1)


def names(name: str, value: Any) -> list[str]:
    """`value`, a list of strings that is not empty; UserError otherwise."""
    if not isinstance(value, list) or not value:
        raise UserError(f"{name}={short(value)} must be a list of names")
    return [text(name, item) for item in value]


def check_optimizer(section: Mapping[str, Any]) -> None:
    """The optimizer section, its learning rates too."""
    rates = section["learning_rate"]
    for rate in rates if isinstance(rates, list) else [rates]:
        if number("optimizer.learning_rate", rate) < 0:
            raise UserError(f"optimizer.learning_rate={short(rate)} must be at least 0")
    for name in ("b1", "b2", "momentum"):
        if name in section:
            value = number(f"optimizer.{name}", section[name])
            if not (value >= 0 and np.float32(value) < 1):
                raise UserError(
                    f"optimizer.{name}={short(value)} must be at least 0 and below 1"
                )
    if "eps" in section and not np.float32(number("optimizer.eps", section["eps"])) > 0:
        raise UserError(f"optimizer.eps={short(section['eps'])} must be above 0")
