"""The models of a run: values of a sweep times seeds, each with a name of its own."""

import itertools
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from disentangle.errors import UserError
from disentangle.training.ranges import MEMBERS, short

DIGITS = range(6, 18)  # significant digits of a name: as few as tell the values apart


class Members(NamedTuple):
    """P models, the seed fastest."""

    names: tuple[str, ...]  # "beta=4,seed=1", ... unique
    swept: tuple[dict[str, Any], ...]  # what each differs in
    rows: list[dict[str, Any]]  # every swept field of each
    seeds: np.ndarray  # (P,) uint32


def members(sweeps: Mapping[str, Sequence[Any]], seed: int, seeds: int) -> Members:
    """The product of the sweeps, times the seeds from `seed` on.

    Args:
      sweeps: field -> its values; more than one are a sweep.
      seed: the first seed.
      seeds: how many.

    Raises:
      UserError: a sweep has a value twice (as float32, which is what is trained), or
        there are more than 100,000 models.
    """
    count = seeds
    for name, values in sweeps.items():
        count *= len(values)
        if count > MEMBERS:
            raise UserError(
                f"{count:,} models are more than one run takes, {MEMBERS:,}"
            )
        refuse_twice(name, values)
    differing = [name for name in sweeps if len(sweeps[name]) > 1]
    written = {name: dict(_written(sweeps[name])) for name in differing}
    rows, swept, names = [], [], []
    for values in itertools.product(*sweeps.values()):
        row = dict(zip(sweeps, values, strict=True))
        chosen = {name: row[name] for name in differing}
        parts = [f"{name}={written[name][_key(row[name])]}" for name in differing]
        for own in range(seed, seed + seeds):
            rows.append(row)
            swept.append(chosen | {"seed": own})
            names.append(",".join([*parts, f"seed={own}"]))
    drawn = np.asarray([row["seed"] for row in swept], np.uint32)
    return Members(tuple(names), tuple(swept), rows, drawn)


def refuse_twice(name: str, values: Sequence[Any]) -> None:
    """Raises UserError where two values of a sweep train the same model."""
    seen: dict[Any, Any] = {}
    for value in values:
        key = tuple(np.atleast_1d(np.asarray(value, np.float32)).tolist())
        if key in seen:
            same = "" if seen[key] == value else ", equal as float32"
            raise UserError(
                f"{name} is swept over {short(seen[key])} and {short(value)}{same}: "
                "each model once, more of one with seeds"
            )
        seen[key] = value


def _written(values: Sequence[Any]) -> list[tuple[Any, str]]:
    """(key, text) of every value, all texts different."""
    for digits in DIGITS:
        texts = [_text(value, digits) for value in values]
        if len(set(texts)) == len(texts):
            break
    return [(_key(v), text) for v, text in zip(values, texts, strict=True)]


def _key(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _text(value: Any, digits: int) -> str:
    numbers = value if isinstance(value, list) else [value]
    return "+".join(f"{v:.{digits}g}" for v in numbers)
