"""One point, several etas: the gradients are shared, the lookaheads are not."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import jax

from disentangle import affinity
from disentangle.affinity.accumulate import estimates
from disentangle.affinity.needs import PLAIN, Needs, needs_of, together
from disentangle.affinity.point import Losses, Move, Point
from disentangle.affinity.probe import probe

AT = "@"


def name_at(name: str, rate: float) -> str:
    """What an estimator is called at one eta of several, as "lookahead@0.1"."""
    return f"{name}{AT}{rate:g}"


def names_at(names: Iterable[str], rates: Sequence[float]) -> tuple[str, ...]:
    """The names of estimators at each eta, of one that eta only scales as it is."""
    return tuple(
        called
        for name in names
        for called in (
            (name_at(name, rate) for rate in rates)
            if needs_of(affinity.ESTIMATORS[name]).rate
            else (name,)
        )
    )


def estimates_at(
    names: Sequence[str],
    losses: Losses,
    shared: Any,
    private: Any,
    *,
    rates: Sequence[float],
    chunk: int = 1,
    offers: dict[str, Any],
) -> dict[str, jax.Array]:
    """Estimates at several etas, from one set of gradients.

    Args:
      names: keys of ESTIMATORS.
      losses, shared, private, chunk: as for `probe`.
      rates: the etas, at least one; estimators that eta only scales, or not even that,
        are measured at the first.
      offers: halves, update, drift and key, of the `Point`.

    Returns:
      By `names_at`, float32.
    """
    rated = [n for n in names if needs_of(affinity.ESTIMATORS[n]).rate]
    fixed = [n for n in names if n not in rated]
    first = together([affinity.ESTIMATORS[n] for n in fixed])
    again = together([affinity.ESTIMATORS[n] for n in rated])
    moves = {
        name_at(name, rate): _at(move, rate)
        for name, move in again.moves.items()
        for rate in rates
    }
    point = dict.fromkeys((*first.point, *again.point))
    gradients = first.gradients or again.gradients
    needs = Needs(gradients, moves | dict(first.moves), tuple(point))
    seen = probe(
        losses,
        shared,
        private,
        learning_rate=rates[0],
        chunk=chunk,
        needs=needs,
        **{name: offers[name] for name in needs.point},
    )
    found = estimates(fixed, seen)
    for rate in rates:
        looks = {name: seen.looks[name_at(name, rate)] for name in again.moves}
        here = seen._replace(
            after=looks.get(PLAIN),
            looks=looks,
            learning_rate=rate,
            point=seen.point._replace(learning_rate=rate),
        )
        for name, value in estimates(rated, here).items():
            found[name_at(name, rate)] = value
    return found


def _at(move: Move, rate: float) -> Callable[[Point, Any], Any]:
    return lambda point, gradient: move(point._replace(learning_rate=rate), gradient)
