"""What `disentangle regret` prints."""

from __future__ import annotations

import pandas as pd

from disentangle.oracle.regret import Regret, area
from disentangle.oracle.verdict import Verdict

NOTHING = "-"


def verdict_text(found: Verdict) -> str:
    """A table per budget, with the baselines beside the estimate, then the ranks."""
    parts = [_budget(found, place) for place in range(len(found.regrets))]
    if len(found.regrets) > 1:
        mean = area(found.regrets)
        parts.append(
            f"mean over budgets: regret {_number(mean['regret'])}, normalised "
            f"{_number(mean['normalised_regret'])}, cross-fitted "
            f"{_number(mean['cross_normalised'])}"
        )
    ranks = found.ranks
    parts.append(
        f"ranks (mean over targets of Spearman's correlation over groups): "
        f"{_number(ranks.spearman)}, pairs {_number(ranks.pairs)}, three or more "
        f"{_number(ranks.larger)}; one seed against the others "
        f"{_number(ranks.ceiling)}\nsign of transfer (area under ROC) "
        f"{_number(ranks.auroc)}, best partner {_number(ranks.partner)} "
        f"(a guess {_number(ranks.partner_chance)})"
    )
    return "\n\n".join(parts)


def _budget(found: Verdict, place: int) -> str:
    regret, beside = found.regrets[place], found.beside[place]
    networks = "1 network" if regret.budget == 1 else f"{regret.budget} networks"
    rows = {"the estimate": _cells(regret, len(regret.groups))}
    for name, row in beside.items():
        rows[name] = [
            _number(row.loss),
            _number(row.regret),
            _number(row.normalised_regret),
            NOTHING if row.networks is None else str(row.networks),
        ]
    rows["the best"] = [
        *(_number(value) for value in (regret.best, 0.0, 0.0)),
        str(len(regret.best_groups)),
    ]
    columns = ["loss", "regret", "normalised", "networks"]
    frame = pd.DataFrame.from_dict(rows, orient="index", columns=columns)
    seeds = len(found.seeds)
    over = f", mean over {seeds} seeds" if seeds > 1 else ""
    lines = [f"at most {networks}: test loss{over}; normalised: 0 the best, 1 chance"]
    lines.append(frame.to_string())
    lines.append(f"the estimate chose {_groups(regret.groups)}")
    lines.append(f"the best are       {_groups(regret.best_groups)}")
    if regret.interval and regret.cross_regret is not None:
        low, high = regret.interval
        lines.append(
            f"regret over seeds {low:.4g} to {high:.4g} (95 %); against the best of "
            f"half the seeds {regret.cross_regret:.4g}"
        )
    return "\n".join(lines)


def _cells(regret: Regret, networks: int) -> list[str]:
    values = (regret.loss, regret.regret, regret.normalised_regret)
    return [*(_number(value) for value in values), str(networks)]


def _groups(groups: list[list[str]]) -> str:
    return ", ".join("+".join(group) for group in groups)


def _number(value: float | None) -> str:
    return NOTHING if value is None else f"{value:.4f}"
