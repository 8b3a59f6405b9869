"""The section on scores: the table, what each score means, how it was computed."""

from pathlib import Path
from typing import Any

from disentangle.metrics import METRICS, part_of
from disentangle.report import files
from disentangle.report.blocks import Block, Cell, Table, Terms, over_seeds, plural

SCORE_DECIMALS = 3
COLUMNS = 6  # scores in one table; more go into the next


def head_of(column: str) -> str:
    """The head of the column of "<metric>/<part>", or that where it has none."""
    part = part_of(column)
    return part.head if part else column


def name_of(column: str) -> str:
    """The same within a sentence."""
    part = part_of(column)
    return part.name if part else column


def scores(workdir: Path) -> list[Block]:
    """The scores of every representation, with definitions and protocol."""
    found = files.scores(workdir)
    if found is None:
        return []
    place = {k: i for i, k in enumerate(_known())}
    order = sorted(found.columns, key=lambda k: place.get(k, len(place)))
    parts = {k: part_of(k) for k in order}
    seeds = max(len(values) for values in found.rows.values())
    spread = " ± is the standard deviation over seeds." if seeds > 1 else ""
    fewest = min(len(values) for values in found.rows.values())
    seeded = plural(seeds, "seed") if fewest == seeds else f"{fewest} to {seeds} seeds"
    better = "higher is better unless said below"
    return [
        *(
            Table(
                f"Scores{', continued' * (start > 0)}; {better}. {seeded}.{spread}",
                ["representation", *map(head_of, order[start : start + COLUMNS])],
                _rows(found, order[start : start + COLUMNS]),
            )
            for start in range(0, len(order), COLUMNS)
        ),
        Terms([(part.head, part.definition) for part in parts.values() if part]),
        Terms(_own_words([k for k, part in parts.items() if not part], found)),
        Terms(protocol(found.ran)),
    ]


def _known() -> list[str]:
    """Every "<metric>/<part>" that has words, in the order of METRICS."""
    return [f"{name}/{part}" for name, row in METRICS.items() for part in row.parts]


def _rows(found: files.ScoreTable, columns: list[str]) -> list[list[Cell]]:
    places = [found.columns.index(k) for k in columns]
    return [
        [name, *(over_seeds(values[:, i], SCORE_DECIMALS) for i in places)]
        for name, values in found.rows.items()
    ]


def _own_words(columns: list[str], found: files.ScoreTable) -> list[tuple[str, str]]:
    """A term a metric, of its parts in `columns`: what it says of itself."""
    parts: dict[str, list[str]] = {}
    for column in columns:
        metric, _, part = column.partition("/")
        parts.setdefault(metric, []).append(part)
    missing = "see the metric's own documentation."
    return [
        (
            f"{metric}: {', '.join(names)}",
            str(found.ran.get(metric, {}).get("definition", missing)),
        )
        for metric, names in parts.items()
    ]


def protocol(ran: dict[str, dict[str, Any]]) -> list[tuple[str, str]]:
    """What was computed: first what all metrics share, then each one's own.

    Left out are lists and the number of codes, which differs by representation.
    """
    facts = {
        metric: {
            name: _fact(name, value)
            for name, value in told.items()
            if name != "codes" and not isinstance(value, list)
        }
        for metric, told in ran.items()
    }
    several = list(facts.values()) if len(facts) > 1 else []
    shared = [f for f in (several or [{}])[0].values() if _in_all(f, several)]
    rows = [("Protocol of all scores", shared)] if shared else []
    for metric, told in facts.items():
        own = [fact for fact in told.values() if fact not in shared]
        rows.append((f"Protocol of {metric}", own))
    return [(term, "; ".join(own) + ".") for term, own in rows if own]


def _in_all(fact: str, several: list[dict[str, str]]) -> bool:
    return all(fact in told.values() for told in several)


def _fact(name: str, value: Any) -> str:
    """ "num train 3,000"; a definition stands for itself."""
    if isinstance(value, dict):
        value = ", ".join(f"{k} {v}" for k, v in value.items())
    shown = f"{value:,}" if isinstance(value, int) else str(value)
    return shown if name == "definition" else f"{name.replace('_', ' ')} {shown}"
