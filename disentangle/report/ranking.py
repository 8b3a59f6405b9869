"""The section that ranks the methods of a study, each among those it can be held to.

Scores are compared within a group: told as much, trained for as many steps of as many
images. A run with a model that diverged or carries nothing is shown and not ranked.
"""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from disentangle.errors import UserError
from disentangle.methods.supervision import AND, SUPERVISION, meaning
from disentangle.metrics import part_of
from disentangle.report import files
from disentangle.report.blocks import (
    Block,
    Cell,
    Number,
    Table,
    Terms,
    Text,
    listed,
    number,
    over_seeds,
    plural,
)
from disentangle.report.scores import SCORE_DECIMALS, head_of, name_of
from disentangle.study.facts import LEARNED, ComparedScores, Facts

TOLD = {  # the words of SUPERVISION within a sentence
    "none": "on images alone",
    "relevance": "with the relevance given",
    "pairs": "with pairs",
    "groups": "with groups",
    "labels": "with {labels} labels",
    "given": "with factors given",
    "domains": "with two domains",
    "all": "with all labels",
}
ALONE = "alone"
SHOWN = ("dci/disentanglement", "mig/score")  # ranked by the first that is there


class Standing(NamedTuple):
    """One run of a study: what it was, and its scores."""

    name: str
    facts: Facts
    scores: dict[str, np.ndarray]  # "<metric>/<part>" -> (seeds,)

    @property
    def ranked(self) -> bool:
        """Whether every model of it learned something."""
        return all(member.state == LEARNED for member in self.facts.members)


class Group(NamedTuple):
    """What runs have in common that are compared."""

    supervision: str
    labels: int | None
    steps: int
    batch_size: int

    @property
    def words(self) -> str:
        """ "1,000 labels; 20,000 steps of 64"."""
        told = meaning(self.supervision)
        if self.labels is not None:
            told += f" ({plural(self.labels, 'labelled image')})"
        return f"{told}; {plural(self.steps, 'step')} of {self.batch_size:,}"


def standings(workdir: Path) -> list[Standing]:
    """The runs in scores.json of a study that have facts, as they come."""
    held = files.found(ComparedScores, workdir)
    if held is None:
        return []
    with files.reading(workdir / held.FILE):
        tables = held.tables()
    columns = lambda name: dict(zip(held.columns, tables[name].T, strict=True))
    return [
        Standing(name, fact, columns(name) if name in tables else {})
        for name, fact in held.facts.items()
    ]


def key_of(runs: Sequence[Standing]) -> str:
    """The score that ranks: the first of SHOWN, else the first there is, or ""."""
    there = [key for run in runs for key in run.scores]
    return next((key for key in SHOWN if key in there), there[0] if there else "")


def grouped(runs: Sequence[Standing], key: str) -> dict[Group, list[Standing]]:
    """Groups by supervision and steps; ranked runs, the best first, then the others."""
    found: dict[Group, list[Standing]] = {}
    for run in runs:
        f = run.facts
        group = Group(f.supervision, f.labels, f.steps, f.batch_size)
        found.setdefault(group, []).append(run)
    told = list(SUPERVISION)
    order = lambda group: (
        told.index(group.supervision) if group.supervision in told else len(told),
        group.labels or 0,
        group.steps,
        group.batch_size,
    )
    place = lambda run: (not run.ranked, -_merit(run, key))
    return {g: sorted(found[g], key=place) for g in sorted(found, key=order)}


def _merit(run: Standing, key: str) -> float:
    """The mean score over seeds, its sign such that larger is better."""
    values = run.scores.get(key, np.array([]))
    values = values[np.isfinite(values)]
    sign = -1.0 if _is_lower_better(key) else 1.0
    return sign * float(values.mean()) if values.size else -math.inf


def _is_lower_better(key: str) -> bool:
    part = part_of(key)
    return part is not None and part.better == "lower"


def ranking(workdir: Path) -> list[Block]:
    """A table a group, and what differs from the papers."""
    try:
        files.scores(workdir)
    except UserError:  # the section of the scores says what is wrong with them
        return []
    runs = standings(workdir)  # damaged facts are said here: nothing else shows them
    key = key_of(runs)
    if not key:
        return []
    shown = [k for k in SHOWN if any(k in run.scores for run in runs)] or [key]
    header = ["run", "place", *map(head_of, shown)]
    header += ["seeds", "active latents", "images seen", "learning rate"]
    tables = [
        Table(
            f"{group.words[0].upper()}{group.words[1:]} images.",
            header,
            [_row(place, run, shown) for place, run in _placed(members, key)],
        )
        for group, members in grouped(runs, key).items()
    ]
    return [
        Text(
            "Ranked among runs that were told as much and trained for as many steps of "
            f"as many images, by the mean {name_of(key)} over seeds; ± is the standard "
            "deviation over seeds. One seed has none: its place may be luck. "
            "Not ranked: runs with a model that diverged, or collapsed, which is no "
            "active latent (variance of the code over images above 0.01) or no code "
            "that tells more of a factor than of a shuffled one."
        ),
        *tables,
        *_unlike(runs),
    ]


def _placed(runs: Sequence[Standing], key: str) -> list[tuple[str, Standing]]:
    """Each run with its place; "–": not ranked, "alone": nothing to rank it among."""
    able = [run for run in runs if run.ranked and math.isfinite(_merit(run, key))]
    places = {run.name: f"{place + 1}" for place, run in enumerate(able)}
    if len(able) == 1:
        places = {able[0].name: ALONE}
    return [(places.get(run.name, "–"), run) for run in runs]


def _row(place: str, run: Standing, shown: Sequence[str]) -> list[Cell]:
    facts = run.facts
    nothing = np.array([])
    cells: list[Cell] = [
        over_seeds(run.scores.get(key, nothing), SCORE_DECIMALS) for key in shown
    ]
    active = ", ".join(f"{member.active}" for member in facts.members)
    rates = {player: _rates(rates) for player, rates in facts.learning_rates.items()}
    if len(rates) == 1:
        words = next(iter(rates.values()))
    else:
        words = ", ".join(f"{player} {rate}" for player, rate in rates.items())
    return [
        run.name + (f" ({state})" if (state := _states(facts)) else ""),
        place,
        *cells,
        Number(float(len({member.seed for member in facts.members})), decimals=0),
        f"{active} of {facts.latents}",
        Number(float(facts.images_seen), decimals=0),
        words,
    ]


def _rates(rates: Sequence[float]) -> str:
    return "|".join(f"{rate:g}" for rate in rates)


def _states(facts: Facts) -> str:
    """ "2 of 3 collapsed", or "" where all models learned."""
    states = [member.state for member in facts.members if member.state != LEARNED]
    counts = {state: states.count(state) for state in dict.fromkeys(states)}
    parts = [
        state if n == len(facts.members) else f"{n} of {len(facts.members)} {state}"
        for state, n in counts.items()
    ]
    return ", ".join(parts)


def _unlike(runs: Sequence[Standing]) -> list[Block]:
    """A term a run: what differs from its paper; runs that differ alike together."""
    alike: dict[str, list[str]] = {}
    for run in runs:
        alike.setdefault(_sentence(run.facts), []).append(run.name)
    terms = [(listed(names), words) for words, names in alike.items()]
    return [
        Text("What is not as in the paper, ours first:"),
        Terms(terms),
    ]


def _sentence(facts: Facts) -> str:
    """What differs, and from what: "steps 1,000 (300,000). Settings: ..."."""
    if facts.unlike is None:
        known = facts.published or "the paper's settings are not known here"
        return f"{known[0].upper()}{known[1:]}."
    source = f" Settings: {facts.published}." if facts.published else ""
    if not facts.unlike:
        return f"Nothing that is known of.{source}"
    parts = [f"{u.field} {_value(u.ours)} ({_value(u.paper)})" for u in facts.unlike]
    return f"{'; '.join(parts)}.{source}"


def _value(value: object) -> str:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return f"{value:,}" if isinstance(value, int) else f"{value:g}"
    return str(value)


def sentence(workdir: Path) -> str:
    """The first of every group, for the top of the page; "" without facts."""
    runs = standings(workdir)
    key = key_of(runs)
    if not key:
        return ""
    parts = []
    for group, members in grouped(runs, key).items():
        placed = [run for place, run in _placed(members, key) if place != "–"]
        if placed:
            parts.append(_best(group, placed[0], len(placed), key))
    lost = [run.name for run in runs if not run.ranked]
    words = f" Not ranked, collapsed or diverged: {listed(lost)}." if lost else ""
    if not parts:
        return f"No run can be ranked.{words}"
    end = "Lowest" if _is_lower_better(key) else "Highest"
    return (
        f"{end} {name_of(key)} among runs that were told as much and trained as long: "
        f"{'; '.join(parts)}.{words}"
    )


def told_words(group: Group) -> str:
    """ "with pairs and with 1,000 labels"; an earlier training's labels are "some"."""
    words = [TOLD.get(word, word) for word in group.supervision.split(AND)]
    count = "some" if group.labels is None else f"{group.labels:,}"
    return " and ".join(words).format(labels=count)


def _best(group: Group, first: Standing, runs: int, key: str) -> str:
    """ "with pairs, gvae 0.21 ± 0.03 (3 seeds; 1,000 steps; first of 4)"."""
    told = told_words(group)
    seeds = plural(len(first.scores[key]), "seed")
    value = over_seeds(first.scores[key], SCORE_DECIMALS).text
    steps = number(float(group.steps))
    among = f"first of {runs}" if runs > 1 else ALONE
    return f"{told}, {first.name} {value} ({seeds}; {steps} steps; {among})"
