"""The method of a config for a data set, or for what a run remembers of one."""

from typing import Any

from disentangle.data.dataset import Dataset
from disentangle.errors import UserError
from disentangle.methods.base import Method, Recipe
from disentangle.training.data_spec import DataSpec


def build_method(recipe: Recipe, settings: Any, data: DataSpec | Dataset) -> Method:
    """`recipe.build` with the factors and shapes of the data sets that it sees.

    Raises:
      UserError: the method sees a data set that is not beside this one, or refuses
        these factors or this shape.
    """
    there = tuple(name for name in recipe.beside if name in data.others)
    if not recipe.sources + there:
        return recipe.build(settings, data.space, data.shape)
    missing = [name for name in recipe.sources if name not in data.others]
    if missing:
        raise UserError(
            f"the method sees further data sets ({', '.join(missing)}): put them "
            f"beside the first, as data.with_others({{{missing[0]!r}: other}})"
        )
    shapes = {name: data.others[name].shape for name in recipe.sources + there}
    return recipe.build(settings, data.space, data.shape, shapes)
