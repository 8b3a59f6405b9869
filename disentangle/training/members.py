"""The models of a run: values of a sweep times seeds, each an object with an id."""

import dataclasses
import hashlib
import itertools
import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from disentangle.errors import UserError
from disentangle.fields.check import short
from disentangle.training.sections import MEMBERS

DIGITS = range(6, 18)  # significant digits of a name: as few as tell the values apart
ID_DIGITS = 16


@dataclasses.dataclass(frozen=True)
class Member:
    """One model of a population.

    Attributes:
      id: 16 hexadecimal digits of a hash of `values`, as float32, and `seed`: the same
        for the same model in any run, different for different ones.
      swept: field -> value, of the fields in which the models of its run differ.
      seed: its seed.
      label: `swept` in words, such as "beta=4"; "" where nothing is. Models of a run
        that differ in their seed alone share it.
      values: field -> value, of every field that can be swept, as the config has it.
    """

    id: str
    swept: dict[str, Any] = dataclasses.field(hash=False)
    seed: int
    label: str
    values: dict[str, Any] = dataclasses.field(hash=False, repr=False)

    @property
    def name(self) -> str:
        """Such as "beta=4,seed=1", unique in its run.

        For people: it changes with what the run sweeps, and nothing is read from it.
        """
        return ",".join(filter(None, [self.label, f"seed={self.seed}"]))


def members(
    sweeps: Mapping[str, Sequence[Any]], seed: int, seeds: int
) -> tuple[Member, ...]:
    """The product of the sweeps, times the seeds from `seed` on, the seed fastest.

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
    found = []
    for values in itertools.product(*sweeps.values()):
        row = dict(zip(sweeps, values, strict=True))
        swept = {name: row[name] for name in differing}
        parts = [f"{name}={written[name][_key(row[name])]}" for name in differing]
        for own in range(seed, seed + seeds):
            found.append(Member(identity(row, own), swept, own, ",".join(parts), row))
    return tuple(found)


def identity(values: Mapping[str, Any], seed: int) -> str:
    """The id of a model: equal numbers as float32 give equal ids."""
    exact = {name: _float32(value) for name, value in values.items()}
    text = json.dumps([exact, int(seed)], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:ID_DIGITS]


def refuse_twice(name: str, values: Sequence[Any]) -> None:
    """Raises UserError where two values of a sweep train the same model."""
    seen: dict[Any, Any] = {}
    for value in values:
        key = tuple(_float32(value))
        if key in seen:
            same = "" if seen[key] == value else ", equal as float32"
            raise UserError(
                f"{name} is swept over {short(seen[key])} and {short(value)}{same}: "
                "each model once, more of one with seeds"
            )
        seen[key] = value


def _float32(value: Any) -> list[float]:
    """The numbers of a value as they are trained with; -0 is 0."""
    numbers = np.atleast_1d(np.asarray(value, np.float32)) + np.float32(0)
    return numbers.tolist()


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
