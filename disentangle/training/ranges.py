"""What single numbers may be; those of a config's fields stand beside the fields."""

from typing import Any

from disentangle.errors import UserError
from disentangle.fields.check import number, short, text, whole_number
from disentangle.training.sections import MEMBERS

__all__ = ["MEMBERS", "names", "number", "short", "text", "whole_number"]


def names(name: str, value: Any) -> list[str]:
    """`value`, a list of strings that is not empty; UserError otherwise."""
    if not isinstance(value, list) or not value:
        raise UserError(f"{name}={short(value)} must be a list of names")
    return [text(name, item) for item in value]
