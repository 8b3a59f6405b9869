"""The pages that are generated: a method, a metric, an estimator, a data set each.

Their words are those of the tables, of `list NAME` and of the docstrings, so that a new
row of a table has its page without another edit. `docs/hooks.py` hands them to mkdocs.
"""

import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import disentangle
from disentangle.affinity import ESTIMATORS
from disentangle.commands import commands
from disentangle.commands.catalogue import describe, tables
from disentangle.data import DATASETS
from disentangle.methods import METHODS
from disentangle.methods.supervision import SUPERVISION
from disentangle.weightings import WEIGHTINGS

ROOT = Path(__file__).resolve().parents[1]
FIELD = re.compile(r"^  method\.(\w+)=(.*?)  \((.*)\)$", re.M)
PROGRAM = ".venv/bin/python -m disentangle"


class Page(NamedTuple):
    """Where a page stands below docs/, its title and its Markdown."""

    uri: str
    title: str
    text: str


def pages() -> list[Page]:
    """Every generated page, in the order of its table."""
    metrics = {
        name: metric_page(name, row, several=title != "metrics")
        for title, rows in tables().items()
        if title.startswith("metrics")
        for name, row in rows.items()
    }
    return [
        *_folder("methods", "Methods", {n: method_page(n) for n in METHODS}),
        *_folder("metrics", "Metrics", metrics),
        *_folder("affinity", "Affinity", {n: estimator_page(n) for n in ESTIMATORS}),
        *_folder(
            "weightings", "Weightings", {n: weighting_page(n) for n in WEIGHTINGS}
        ),
        *_folder("data", "Data sets", {n: data_page(n) for n in DATASETS}),
        Page("reference/index.md", "Reference", _reference_index()),
        Page("reference/command-line.md", "Command line", commands_page()),
        *reference_pages(),
    ]


def _folder(folder: str, title: str, texts: dict[str, str]) -> Iterator[Page]:
    """A list of a folder's pages with the first line of each, then the pages."""
    rows = [
        f"| [{name}]({name}.md) | {_cell(text.splitlines()[2])} |"
        for name, text in texts.items()
    ]
    table = "\n".join(["| name | what it is |", "|---|---|", *rows])
    yield Page(f"{folder}/index.md", title, f"# {title}\n\n{table}\n")
    for name, text in texts.items():
        yield Page(f"{folder}/{name}.md", name, text)


def method_page(name: str) -> str:
    """A method: paper and equation, what may be set, how it is trained, its source."""
    recipe = METHODS[name]
    module = inspect.getmodule(recipe.build)
    assert module is not None
    told = SUPERVISION[recipe.supervision]
    return f"""# {name}

{recipe.summary}; learns from {told}.

{directive(module.__name__, members="false")}

## Settings

{fields_table(describe(name))}

A number that can be swept may be a list, in `dt.train` and (as `1|4|16`) in a config.
{published(name)}
## Train it

```python
run = dt.train("{name}", data, seeds=3, steps=20_000)
```

```bash
{PROGRAM} train --config=experiments/vae.py:dsprites,{name} --workdir=runs/{name}
```

{source(module)}
"""


def fields_table(said: str) -> str:
    """The `method.field=default (about)` lines of `list NAME` as a table."""
    found = {name: (default, about) for name, default, about in FIELD.findall(said)}
    rows = [
        f"| `{name}` | `{_code(default)}` | {_cell(about)} |"
        for name, (default, about) in found.items()
    ]
    return "\n".join(["| field | default | about |", "|---|---|---|", *rows])


def published(name: str) -> str:
    """What the paper or its code set for dSprites, as far as it is known."""
    recipe = METHODS[name]
    if recipe.protocol is None and not recipe.published:
        return ""
    fields = recipe.protocol or {}
    values = [f"- `{field} = {_code(repr(value))}`" for field, value in fields.items()]
    said = [f"{_cell(recipe.published)}."] if recipe.published else []
    return (
        "\n## Published settings\n\n" + "\n\n".join([*said, "\n".join(values)]) + "\n"
    )


def metric_page(name: str, row: Any, several: bool) -> str:
    """A metric: its equation and definition, how to call it, its source."""
    function = getattr(row.thing, "compute", row.thing)
    summary = row.line.split("\n")[0]
    judged = ", oracle=oracle" if getattr(row.thing, "needs", "") == "generator" else ""
    call = f'dt.evaluate(run, ["{name}"], data=data{judged})'
    if not several:
        call += f'\ndt.score(codes, factors, ["{name}"])  # arrays, without a model'
    return f"""# {name}

{_cell(summary)}

{directive(f"{function.__module__}.{function.__name__}", show_source="true")}

## Compute it

```python
{call}
```

```bash
{PROGRAM} evaluate --workdir=runs/a --metrics={name}
```
"""


def estimator_page(name: str) -> str:
    """An affinity estimator: its equation and its source."""
    function = ESTIMATORS[name]
    module = inspect.getmodule(function)
    assert module is not None
    summary = (inspect.getdoc(module) or "").partition("\n")[0]
    return f"""# {name}

{summary}

{directive(f"{module.__name__}.{function.__name__}", show_source="true")}

## Measure it

```python
affinity = dt.measure_affinity(data, steps=1_000)  # affinity.matrix[source, target]
```
"""


def weighting_page(name: str) -> str:
    """A weighting of tasks: its paper and equation, how to choose it, its source."""
    module = inspect.getmodule(WEIGHTINGS[name].weights)
    assert module is not None
    summary = (inspect.getdoc(module) or "").partition("\n")[0]
    return f"""# {name}

{_cell(summary)}

{directive(module.__name__, members="false")}

## Train with it

```bash
{PROGRAM} train --config=experiments/vae.py:dsprites,supervised \\
    --config.method.weighting={name} --workdir=runs/{name}
```

```python
from disentangle.weightings import WEIGHTINGS

memory = WEIGHTINGS["{name}"].init(2)
weights, memory = WEIGHTINGS["{name}"].weights(gram, losses, active, memory, key=key)
```

{source(module)}
"""


def data_page(name: str) -> str:
    """A data set: its factors, where it comes from."""
    recipe = DATASETS[name]
    line = tables()["data sets"][name].line
    made = next(f for f in (recipe.render, recipe.read) if f)
    module = inspect.getmodule(getattr(made, "func", made))  # of a partial, its own
    assert module is not None
    factors = ""
    if recipe.space is not None:
        every = [recipe.space[name] for name in recipe.space.names]
        rows = [f"| {f.name} | {f.size} | {f.kind} |" for f in every]
        factors = "\n".join(["| factor | values | kind |", "|---|---|---|", *rows])
    path = "" if recipe.render else ', path="..."'
    return f"""# {name}

{_cell(line)}

{factors}

{directive(module.__name__, members="false")}

```python
data = dt.load("{name}"{path})
```
"""


def commands_page() -> str:
    """Every command with its flags and an example."""
    parts = ["# Command line", "Each shows all fields with `--help --config=FILE`."]
    for name, command in commands().items():
        flags = [f"| `--{f.name}` | {_cell(f.help)} |" for f in command.flags]
        parts += [
            f"## {name}",
            f"{_cell(command.summary[:1].upper() + command.summary[1:])}.",
            f"```bash\n{PROGRAM} {name} {command.example}\n```",
        ]
        if flags:
            parts.append("\n".join(["| flag | for |", "|---|---|", *flags]))
    return "\n\n".join(parts) + "\n"


def rooms() -> dict[str, list[str]]:
    """Room -> its modules with a public name, dotted; files of the root are "core"."""
    found: dict[str, list[str]] = {"core": []}
    for path in sorted((ROOT / "disentangle").rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        if not parts[-1].startswith("__"):
            room = parts[1] if len(parts) > 2 else "core"
            found.setdefault(room, []).append(".".join(parts))
    return found


def reference_pages() -> Iterator[Page]:
    """The API: the notebook's names, then every module of every room."""
    shown = {"show_root_heading": "true", "show_root_toc_entry": "true"}
    functions = "\n\n".join(
        directive(f"disentangle.api.{name}", **shown) for name in notebook_names()
    )
    yield Page("reference/api.md", "dt", f"# The notebook API\n\n{functions}\n")
    for room, modules in rooms().items():
        text = "\n\n".join(f"::: {module}" for module in modules)
        yield Page(f"reference/{room}.md", room, f"# {room}\n\n{text}\n")


def notebook_names() -> list[str]:
    """What `import disentangle as dt` offers."""
    return [name for name in disentangle.__all__ if not name.startswith("_")]


def _reference_index() -> str:
    rows = "\n".join(f"- [{room}]({room}.md)" for room in rooms())
    return (
        "# Reference\n\n- [the notebook API, `dt`](api.md)\n"
        f"- [the command line](command-line.md)\n{rows}\n"
    )


def directive(name: str, **options: str) -> str:
    """What mkdocstrings replaces by the documentation of a module or function."""
    shown = {
        "show_root_heading": "false",
        "show_root_toc_entry": "false",
        "skip_local_inventory": "true",
    } | options
    lines = "\n".join(f"      {key}: {value}" for key, value in shown.items())
    return f"::: {name}\n    options:\n{lines}"


def source(module: Any) -> str:
    """The file of a module, to be unfolded."""
    path = Path(module.__file__).relative_to(ROOT)
    code = Path(module.__file__).read_text().rstrip().replace("\n", "\n    ")
    return f'??? quote "Source: {path}"\n    ```python\n    {code}\n    ```'


def _cell(text: str) -> str:
    """Words for a paragraph or a table's cell: nothing in them is Markdown."""
    return re.sub(r"([|<*_\\\[\]])", r"\\\1", text)


def _code(text: str) -> str:
    return text.replace("|", "\\|")
