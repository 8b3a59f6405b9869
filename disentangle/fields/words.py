"""Fields in words, and values of fields from the words of a command line."""

import re
from collections.abc import Iterator
from typing import Any

from disentangle.errors import UserError
from disentangle.fields.check import LISTS, NOUNS, range_of
from disentangle.fields.define import Field, item_type, single_type, spec_of

SWEEP = "|"  # between the values of a sweep
# Between the items of a list, as in the names of members; not the sign in "1e+3".
ITEM = re.compile(r"(?<![eE])\+|,")
TRUTH = {"true": True, "false": False}


def about(field: Field) -> str:
    """Type, range, meaning and source of a field, in one line."""
    spec = spec_of(field)
    source = f" [{spec.source}]" if spec.source else ""
    return f"{', '.join(_type(field))}; {spec.meaning}{source}"


def _type(field: Field) -> Iterator[str]:
    spec, item = spec_of(field), item_type(field)
    kind, may_be_none = single_type(field)
    each = " each" if item else ""
    yield (LISTS[item] if item else NOUNS[kind]) + " or none" * may_be_none
    if spec.choices:
        yield "one of " + ", ".join(str(c) or "''" for c in spec.choices)
    elif range_of(spec):
        yield range_of(spec) + each
    if spec.share:
        yield "up to 1 a share of the steps, above 1 steps"
    if spec.is_swept:
        yield "can be swept"


def from_text(name: str, field: Field, text: str) -> Any:
    """The value that is written as `text`, with tuples for lists.

    "1|4" is a sweep of a swept field, "8+8" a list; both also as "1,4", "[1, 4]" or
    "(1,4)" where only one of the two can be meant.

    Raises:
      UserError: it is none of the field's type.
    """
    bare = text.strip().strip("[]()")
    is_list, can_sweep = item_type(field) is not None, spec_of(field).is_swept
    if is_list:
        rows = bare.split(SWEEP) if can_sweep else [bare]
        found = tuple(tuple(_items(name, field, row)) for row in rows)
        return found if len(found) > 1 else found[0]
    if can_sweep:
        parts = bare.replace(",", SWEEP).split(SWEEP)
        values = tuple(_single(name, float, part, text) for part in parts)
        return values if len(values) > 1 else values[0]
    kind, may_be_none = single_type(field)
    if may_be_none and text.strip().lower() in ("", "none"):
        return None
    return _single(name, kind, text, text)


def _items(name: str, field: Field, row: str) -> Iterator[Any]:
    bare = row.strip().strip("[]()")
    words = [part.strip().strip("'\"") for part in ITEM.split(bare)]
    if len(words) > 1 and not words[-1]:  # "(8,)"
        words.pop()
    for word in words if bare else []:
        yield _single(name, item_type(field), word, row)


def _single(name: str, kind: Any, word: str, text: str) -> Any:
    try:
        return TRUTH[word.strip().lower()] if kind is bool else kind(word)
    except (ValueError, KeyError):
        raise UserError(f"{name}={text!r} must be {NOUNS[kind]}") from None
