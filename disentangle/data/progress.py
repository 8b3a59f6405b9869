"""A progress bar with the time left, on a terminal; silence elsewhere."""

import sys
from collections.abc import Iterable, Sequence
from typing import TypeVar

import tqdm

T = TypeVar("T")


def bar(items: Sequence[T], what: str) -> Iterable[T]:
    """`items`, with a bar on stderr while they are worked through."""
    return tqdm.tqdm(
        items, desc=what, disable=not sys.stderr.isatty(), leave=False, ncols=80
    )
