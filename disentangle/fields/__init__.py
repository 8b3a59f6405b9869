"""Fields of a config: type, default, range, meaning and source, all in one place.

A section of a config is a frozen dataclass, made by `@settings` of fields that are
`static` (they choose the program: one value per run) or `swept` (numbers in which the
models of a population may differ; they are traced):

    @settings
    class Settings:
        latents: int = static(10, "size of the code", least=1)
        beta: float = swept(4.0, "weight of the KL", source="Higgins et al. 2017")

`read` turns a section of a config, plain data as JSON gives it, into its settings. An
instance is a pytree of its swept fields, so that a loss is given settings as well, with
arrays in the swept fields.
"""

from disentangle.fields.check import read, settings, value_of, values_of
from disentangle.fields.define import (
    Spec,
    defaults,
    fields_of,
    in_steps,
    spec_of,
    static,
    swept,
    swept_names,
)
from disentangle.fields.words import about, from_text

__all__ = [
    "Spec",
    "about",
    "defaults",
    "fields_of",
    "from_text",
    "in_steps",
    "read",
    "settings",
    "spec_of",
    "static",
    "swept",
    "swept_names",
    "value_of",
    "values_of",
]
