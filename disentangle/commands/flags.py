"""Flags that several commands share."""

from typing import Any, NamedTuple

Values = dict[str, Any]  # flag -> its value, as a command is given it


class Flag(NamedTuple):
    """One flag: kind is string, names, integer, number, switch or config."""

    name: str
    kind: str
    default: Any
    help: str


CONFIG = Flag(
    "config",
    "config",
    None,
    "config file and its argument; override a field with --config.field=value",
)
WORKDIR = Flag("workdir", "string", None, "folder of the run")
COMMON = (  # of every command; `main` sees to them
    Flag("progress", "switch", True, "show progress (--noprogress: stages only)"),
    Flag("quiet", "switch", False, "show nothing but results and errors"),
)
OUT = Flag("out", "string", None, "folder of the page, for a peer's weights (.npz)")
JSON = Flag("json", "string", None, "file to write the result to")


def scoring(train: int | None, test: int | None) -> tuple[Flag, ...]:
    """What `evaluate` and `score` share, with their numbers of rows."""
    return (
        Flag("metrics", "string", "dci,mig", "comma-separated names, or all"),
        Flag("num_train", "integer", train, "rows to fit estimators on"),
        Flag("num_test", "integer", test, "rows after them to test on"),
        Flag("seed", "integer", 0, "of everything random"),
        Flag("backend", "string", "reference", "trees of DCI: reference or fast"),
        Flag("protocol", "string", "locatello", "definitions: locatello or paper"),
        Flag("bootstrap", "integer", 0, "resamples for 95 % intervals; 0 is none"),
        JSON,
    )
