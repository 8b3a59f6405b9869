"""What a method itself says of its codes, for the retrieval tasks.

A method with attributes of its own (`Method.subspaces`) brings its edits, classifiers
and subspaces, and one that compares items of sets (`Method.sets`) its codes of pairs.
What it lacks, labelled images say (retrieval/encoder.py).
"""

import functools
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import jax
import numpy as np

from disentangle.data.precision import float32
from disentangle.methods.base import EDIT_MODES, Params, Sets, Subspaces
from disentangle.retrieval.encoder import Edit, Encoder, Pair
from disentangle.training.encode import decoded
from disentangle.training.run import Run


def one_model(run: Run, member: int) -> Run:
    """The run as if it had only this model."""
    own = slice(member, member + 1)
    return replace(
        run,
        population=run.population[own],
        params=jax.tree.map(lambda leaf: leaf[own], run.params),
        alive=run.alive[own],
    )


def with_own(
    run: Run, made: Encoder, member: int, names: Sequence[str], sizes: Sequence[int]
) -> Encoder:
    """The encoder with what the method of a run says itself.

    Args:
      run: the models.
      made: one of them, from labelled images.
      member: its place there.
      names, sizes: (A,) the attributes that are asked about. A method that was told
        others keeps what labelled images say, and a note says so.
    """
    one, known = one_model(run, member), run.method.subspaces
    if run.method.sets is not None:
        made = _with_sets(made, one, run.method.sets)
    if known is None:
        return made
    if known.compared is not None:
        made = replace(made, whole=functools.partial(_whole, one, known))
    told = [name.partition(":")[0] for name in known.names]
    asked = sorted(zip(names, sizes, strict=True))
    if sorted(zip(told, known.sizes, strict=True)) != asked:
        note = (
            f"the method was told {', '.join(known.names)}, so that its edits and "
            "classifiers are those of labelled images"
        )
        return replace(made, notes=(*made.notes, note))
    place = [told.index(name) for name in names]
    own = [known.names[p] for p in place]
    made = replace(
        made, alike=lambda a: lambda codes: one.alike(codes, own[a])[0], notes=()
    )
    if known.classify is not None:
        made = replace(made, classify=classifier(one, known, place))
    if known.edit is not None:
        edits = {mode: edit_of(one, known, place, mode) for mode in EDIT_MODES}
        made = replace(made, edits=edits)
    return made


@float32()
def _whole(one: Run, known: Subspaces, codes: np.ndarray) -> np.ndarray:
    """(n, D) codes as the method compares them whole."""
    assert known.compared is not None
    return np.asarray(decoded(known.compared, one.params, codes, 1)[0])


def classifier(
    one: Run, known: Subspaces, place: Sequence[int]
) -> Callable[[np.ndarray], list[np.ndarray]]:
    """Log-probabilities in the order of the attributes that are asked about."""
    bounds = np.cumsum((0, *known.sizes))

    def classify(codes: np.ndarray) -> list[np.ndarray]:
        found = one.classify(codes)[0]
        return [found[:, bounds[p] : bounds[p + 1]] for p in place]

    return classify


def edit_of(one: Run, known: Subspaces, place: Sequence[int], mode: str) -> Edit:
    """The method's own edit, of one attribute of each code."""

    def edited(codes: np.ndarray, old: np.ndarray, new: np.ndarray) -> np.ndarray:
        found = np.array(codes, np.float32)
        had = np.full((len(codes), len(known.names)), -1, np.int32)
        had[:, place] = old
        for a, p in enumerate(place):
            rows = np.flatnonzero(new[:, a] >= 0)
            if len(rows):
                found[rows] = one.edit_codes(
                    found[rows],
                    known.names[p],
                    new[rows, a].astype(np.int32),
                    mode=mode,
                    old=had[rows],
                )[0]
        return found

    return edited


def _with_sets(made: Encoder, one: Run, sets: Sets) -> Encoder:
    """The encoder with the method's codes of pairs, and what these look at."""
    function = _paired(sets.pair)

    @float32()
    def pair(codes: np.ndarray, own: int, other: int) -> np.ndarray:
        both = [np.full(len(codes), c, np.int32) for c in (own, other)]
        return np.asarray(decoded(function, one.params, codes, 1, *both)[0])

    attention = None
    if sets.attention is not None:
        params = jax.tree.map(lambda leaf: leaf[0], one.params)
        attention = np.asarray(sets.attention(params))
    found: Pair = pair
    return replace(made, pair=found, attention=attention)


@functools.lru_cache(64)
def _paired(pair: Callable[..., Any]) -> Callable[[Params, Any], Any]:
    """`pair` of (params, (codes, own, other)): one object per function."""
    return lambda params, given: pair(params, *given)
