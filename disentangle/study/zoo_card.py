"""The model card of one model of a zoo, in Markdown."""

from typing import Any, NamedTuple

from disentangle.export import Facts
from disentangle.methods import METHODS
from disentangle.methods.supervision import combined
from disentangle.metrics import METRICS


class Standing(NamedTuple):
    """How a model stands among those of its run.

    Attributes:
      by: "metric.part".
      value: the model's.
      kind: "best" or "median".
      models: how many of the run are alive.
      worst, best: of their values.
    """

    by: str
    value: float
    kind: str
    models: int
    worst: float
    best: float


def card(name: str, facts: Facts, standing: Standing) -> str:
    """The text of a card.

    Args:
      name: of the model in the zoo.
      facts: as written beside its weights.
      standing: how it was chosen.
    """
    config, data = facts.config, facts.data
    method = METHODS[config["method"]["name"]]
    told = combined([facts.learned, method.supervision])
    shape = "x".join(map(str, data.shape))
    factors = ", ".join(f"{f.name} ({f.size})" for f in data.space.items) or "none"
    lines = [
        f"# {name}",
        "",
        f"{method.summary}, trained on {data.name}: images of {shape}, factors "
        f"{factors}.",
        "",
        "```python",
        "import disentangle as dt",
        "",
        f'model = dt.load_model("{name}")',
        "codes = model.encode(images)[0]  # (B, H, W, C) -> (B, D)",
        "```",
        "",
        "## How it was chosen",
        "",
        _chosen(standing),
        "",
        "## Training",
        "",
        *_rows(_training(facts), ("field", "value")),
        "",
        "## Scores",
        "",
        *_rows(_scores(facts), ("score", "value", "what it says")),
        "",
        _protocol(facts),
        "",
        "## Limits",
        "",
        "One model of one seed; a score of it is no estimate of its method's. What it "
        f"was told besides images: {told}. It knows images like those of "
        f"{data.name} alone.",
        "",
        f"Written by disentangle {facts.version}. Model id {facts.id}, data hash "
        f"{data.digest[:16] or 'unknown'}.",
    ]
    return "\n".join(lines) + "\n"


def _chosen(standing: Standing) -> str:
    low, high = sorted((standing.worst, standing.best))
    return (
        f"The {standing.kind} of {standing.models} models of this run (all strengths "
        f"and seeds that did not diverge) by `{standing.by}`: {standing.value:.4f}. "
        f"Theirs are {low:.4f} to {high:.4f}. The choice looked at the labels."
    )


def _training(facts: Facts) -> list[tuple[str, ...]]:
    config = facts.config
    rows: dict[str, Any] = {"seed": config["seed"], "steps": facts.step}
    rows |= {name: config[name] for name in ("batch_size",)}
    for section in ("method", "optimizer"):
        rows |= {f"{section}.{name}": v for name, v in config[section].items()}
    return [(f"`{name}`", f"`{value}`") for name, value in rows.items()]


def _scores(facts: Facts) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = []
    for name, value in facts.scores.items():
        metric, _, part = name.partition(".")
        known = METRICS[metric].parts.get(part) if metric in METRICS else None
        shown = "" if value is None else f"{value:.4f}"
        rows.append((f"`{name}`", shown, known.definition if known else ""))
    return rows


def _protocol(facts: Facts) -> str:
    told = facts.protocol
    versions = ", ".join(f"{k} {v}" for k, v in told.get("versions", {}).items())
    return (
        f"Definitions `{told.get('protocol')}`, trees `{told.get('backend')}`, "
        f"{told.get('num_train')} images to fit and {told.get('num_test')} to test, "
        f"seed {told.get('score_seed')}. {versions}"
    ).strip()


def _rows(rows: list[tuple[str, ...]], head: tuple[str, ...]) -> list[str]:
    """A Markdown table."""
    cells = [head, tuple("---" for _ in head), *rows]
    escape = lambda text: str(text).replace("|", "\\|").replace("\n", " ")
    return [f"| {' | '.join(map(escape, row))} |" for row in cells]
