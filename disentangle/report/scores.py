"""The section on scores: the table, what each score means, how it was computed."""

from pathlib import Path
from typing import Any

from disentangle.report import files
from disentangle.report.blocks import Block, Cell, Table, Terms, over_seeds, plural

SCORE_DECIMALS = 3
COLUMNS = 6  # scores in one table; more go into the next
# Column head and definition of the scores everyone asks for. A score that is not
# here is shown under its own name, defined by what its metric says of itself.
PARTS = {
    "dci/disentanglement": (
        "D",
        "DCI disentanglement, 0 to 1: each code dimension matters to one factor only.",
    ),
    "dci/completeness": (
        "C",
        "DCI completeness, 0 to 1: each factor is held by one code dimension only. "
        "Codes with several dimensions a task are below 1 by design.",
    ),
    "dci/informativeness_train": (
        "I train",
        "DCI informativeness, accuracy from 0 to 1 of predicting the factors from "
        "the code, on the rows the predictors were fitted to.",
    ),
    "dci/informativeness_test": ("I test", "The same on rows they have not seen."),
    "mig/score": (
        "MIG",
        "Mutual information gap, 0 to 1: how much more the best code dimension knows "
        "of a factor than the second best, over the factor's entropy.",
    ),
    "sap/score": (
        "SAP",
        "Separated attribute predictability, 0 to 1: how much better the best code "
        "dimension predicts a factor than the second best. Linear classifiers on one "
        "dimension keep it far below 1.",
    ),
    "modularity/score": (
        "modularity",
        "Modularity, 0 to 1: each code dimension tells of one factor only. Dimensions "
        "that tell nothing count too, with the value of their noise.",
    ),
    "explicitness/train": (
        "explicit train",
        "Explicitness, 0.5 (chance) to 1: area under the ROC curve of linear "
        "classifiers of the factors, on the rows they were fitted to.",
    ),
    "explicitness/test": ("explicit test", "The same on rows they have not seen."),
    "irs/score": (
        "IRS",
        "Interventional robustness, 0 to 1: how still code dimensions are while one "
        "factor is held, against their largest deviation.",
    ),
    "factor_vae/score": (
        "FactorVAE",
        "FactorVAE score, 0 to 1: accuracy of naming the factor that was held by the "
        "code dimension that varies least.",
    ),
    "beta_vae/score": (
        "BetaVAE",
        "BetaVAE score, 0 to 1: accuracy of a linear classifier that names the factor "
        "two images share. Near 1 also for mixed codes.",
    ),
    "z_max_variance/score": (
        "Z-max var",
        "Z-max variance, 0 to 1: accuracy of naming the only factor that was free by "
        "the code dimension that varies most.",
    ),
    "unsupervised/gaussian_total_correlation": (
        "TC",
        "Total correlation of a Gaussian with the code's covariance, in nats; lower "
        "is more independent. No factor is looked at.",
    ),
    "unsupervised/wasserstein_correlation": (
        "W",
        "Squared Wasserstein distance of that Gaussian from independence; lower is "
        "more independent.",
    ),
    "unsupervised/wasserstein_correlation_norm": (
        "W norm",
        "The same over the code's total variance.",
    ),
    "unsupervised/mutual_information": (
        "MI of codes",
        "Mean mutual information of two code dimensions, in nats; lower is more "
        "independent.",
    ),
}


def scores(workdir: Path) -> list[Block]:
    """The scores of every representation, with definitions and protocol."""
    found = files.scores(workdir)
    if found is None:
        return []
    order = [k for k in PARTS if k in found.columns]
    order += [k for k in found.columns if k not in PARTS]
    seeds = max(len(values) for values in found.rows.values())
    spread = " ± is the standard deviation over seeds." if seeds > 1 else ""
    fewest = min(len(values) for values in found.rows.values())
    seeded = plural(seeds, "seed") if fewest == seeds else f"{fewest} to {seeds} seeds"
    better = "higher is better unless said below"
    return [
        *(
            Table(
                f"Scores{', continued' * (start > 0)}; {better}. {seeded}.{spread}",
                ["representation", *map(_head, order[start : start + COLUMNS])],
                _rows(found, order[start : start + COLUMNS]),
            )
            for start in range(0, len(order), COLUMNS)
        ),
        Terms([PARTS[k] for k in order if k in PARTS]),
        Terms(_own_words([k for k in order if k not in PARTS], found)),
        Terms(protocol(found.ran)),
    ]


def _head(column: str) -> str:
    return PARTS[column][0] if column in PARTS else column


def _rows(found: files.Scores, columns: list[str]) -> list[list[Cell]]:
    places = [found.columns.index(k) for k in columns]
    return [
        [name, *(over_seeds(values[:, i], SCORE_DECIMALS) for i in places)]
        for name, values in found.rows.items()
    ]


def _own_words(columns: list[str], found: files.Scores) -> list[tuple[str, str]]:
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
