"""What a study of many models says: the sections of its page, from its models.

Every function takes the models (see `statistics.models`: a row per model, a column per
score) and returns blocks. Scores are columns "<metric>/<part>"; of each metric the
first part that is there is shown.
"""

from collections.abc import Callable

import numpy as np
import pandas as pd

from disentangle.errors import UserError
from disentangle.report.blocks import (
    Block,
    Cell,
    Drawing,
    Number,
    Row,
    Table,
    Text,
    listed,
    plural,
)
from disentangle.report.scores import head_of, name_of
from disentangle.report.statistics_columns import RANKS, columns_of, ranking_score
from disentangle.report.statistics_figures import (
    correlation_figure,
    shares_figure,
    strength_figure,
    violin_figure,
)
from disentangle.statistics import (
    Interval,
    between_data,
    between_scores,
    choose_by,
    correlation,
    intervals,
    transfer,
    variance_shares,
)
from disentangle.statistics.models import KEYS

DRAWN = 6  # violins on one figure


def violins(models: pd.DataFrame) -> list[Block]:
    """The scores of every method on every data set, and their means with intervals."""
    columns = columns_of(models).supervised
    blocks: list[Block] = []
    for data, own in models.groupby("data", sort=False):
        for start in range(0, len(columns), DRAWN):
            shown = columns[start : start + DRAWN]
            figure = violin_figure(own, {c: head_of(c) for c in shown})
            caption = (
                f"{data}: a dot is a model, of all strengths and seeds; –: the median."
            )
            alt = (
                f"Distributions of scores by method on {data}; the table has the means."
            )
            blocks.append(
                Row([Drawing.of(figure, f"violins-{data}-{start}", alt, caption)])
            )
            rows = [
                [str(method), *(_mean(models_of, c) for c in shown)]
                for method, models_of in own.groupby("method", sort=False)
            ]
            words = (
                f"{data}: mean over strengths and seeds, and its 95 % interval over "
                "seeds (stratified bootstrap)."
            )
            blocks.append(Table(words, ["method", *map(head_of, shown)], rows))
    return blocks


def _mean(models: pd.DataFrame, column: str) -> Cell:
    kept = models.dropna(subset=[column])
    if kept.empty:
        return Number(float("nan"))
    y = kept[column].to_numpy(float)
    cells = kept.groupby(list(KEYS[:3]), sort=False).ngroup().to_numpy()
    return between(intervals(lambda rows: np.array([y[rows].mean()]), cells)[0])


def between(found: Interval, decimals: int = 3) -> str:
    """ "0.412 (0.380 to 0.444)"; the value alone where there is no interval."""
    value = Number(found.value, decimals=decimals).text
    if not np.isfinite([found.low, found.high]).all():
        return value
    ends = [Number(end, decimals=decimals).text for end in (found.low, found.high)]
    return f"{value} ({ends[0]} to {ends[1]})"


def shares(models: pd.DataFrame) -> list[Block]:
    """How much of each score is method, strength and seed."""
    blocks: list[Block] = []
    for data, own in models.groupby("data", sort=False):
        found = _where_there(lambda c, own=own: variance_shares(own, c), own)
        if not found:
            continue
        figure = shares_figure({head_of(c): s for c, s in found.items()})
        alt = f"Shares of variance on {data}; the table has the same numbers."
        caption = (
            f"{data}: corrected shares; the line is the 95 % interval of the method's."
        )
        rows = [
            [head_of(c), *map(between2, [*s.corrected, *s.published[:2]])]
            for c, s in found.items()
        ]
        header = ["score", "method", "strength", "seed", "method R²", "+ strength R²"]
        blocks += [
            Row([Drawing.of(figure, f"shares-{data}", alt, caption)]),
            Table(f"{data}: shares of the variance, 95 % over seeds.", header, rows),
        ]
    if not blocks:
        return []
    return [
        Text(
            "Variance between methods, between strengths of a method, and between "
            "seeds of a strength. R² is what Locatello et al. 2019 report (the last "
            "column is what strength adds to it); it is too large with few seeds, and "
            "the first three columns take out what chance gives (epsilon squared)."
        ),
        *blocks,
    ]


def between2(found: Interval) -> str:
    """`between` in two decimals."""
    return between(found, 2)


def _where_there(compute: Callable, models: pd.DataFrame) -> dict:
    """column -> what was computed, of those supervised scores for which it can be."""
    found = {}
    for column in columns_of(models).supervised:
        try:
            found[column] = compute(column)
        except UserError:  # too few models, or a constant: there is nothing to say
            continue
    return found


def agreement(models: pd.DataFrame) -> list[Block]:
    """Rank correlations between scores, and of each between data sets."""
    columns = columns_of(models)
    shown = [*columns.supervised, *columns.blind]
    if len(shown) < 2 or len(models) < 3:
        return []
    blocks: list[Block] = []
    names = list(map(head_of, shown))
    for data, own in models.groupby("data", sort=False):
        figure = correlation_figure(between_scores(own, shown, shown), names, names)
        words = f"{data}: Spearman's correlation of two scores over models, times 100."
        blocks.append(Row([Drawing.of(figure, f"agreement-{data}", words, words)]))
    tables: list[Block] = []
    for column in columns.supervised if models["data"].nunique() > 1 else []:
        data_names, matrix = between_data(models, column)
        rows: list[list[Cell]] = [
            [name, *(Number(float(v), decimals=2) for v in row)]
            for name, row in zip(data_names, matrix, strict=True)
        ]
        caption = f"{name_of(column)} between data sets, over methods and strengths."
        tables.append(Table(caption, ["", *data_names], rows, folded=caption))
    return [*blocks, *tables]


def strengths(models: pd.DataFrame) -> list[Block]:
    """Scores against the strength of each method."""
    blocks: list[Block] = []
    for column in [c for c in RANKS if c in models] or [ranking_score(models)]:
        if not column or models.groupby("method")["strength"].nunique().max() < 2:
            continue
        figure = strength_figure(models, column, head_of(column))
        caption = f"{name_of(column)}: mean over seeds and its 95 % interval."
        blocks.append(Row([Drawing.of(figure, f"strength-{column}", caption, caption)]))
    return blocks


def transfers(models: pd.DataFrame) -> list[Block]:
    """Whether a choice of method and strength wins on another score or data set."""
    columns = columns_of(models).supervised
    try:
        found = transfer(models, columns) if columns else None
    except UserError:
        return []
    if found is None:
        return []
    rows: list[list[Cell]] = [
        [where, Number(share, decimals=3)]
        for where, share in found.summary().items()
        if np.isfinite(share)
    ]
    return [
        Text(
            "The method and strength of the best model of a seed, chosen on one data "
            "set by one score: how often another seed of them beats a random model, "
            "there or elsewhere (Locatello et al. 2019, Table 1). One half is a blind "
            "choice."
        ),
        Table("Share of comparisons won.", ["chosen and judged on", "won"], rows),
    ]


def selection(models: pd.DataFrame) -> list[Block]:
    """Whether scores without labels choose seeds."""
    judge = ranking_score(models)
    rows: list[list[Cell]] = []
    for column, lower in columns_of(models).blind.items():
        try:
            found = choose_by(models, column, judge, lower=lower)
        except UserError:
            continue
        name = head_of(column) + " (lowest)" * lower
        rows.append([name, between2(found.rho), between2(found.gain), str(found.cells)])
    if not rows:
        return []
    return [
        Text(
            "Among models that differ by the seed alone, does a score that needs no "
            f"labels order them as {name_of(judge)} does? Correlation: Spearman's, "
            "mean over methods and strengths. Gain: what the choice wins over a random "
            "seed, as a share of what the best seed would; 0 is a blind choice."
        ),
        Table(
            "Choosing a seed without labels; 95 % over methods and strengths.",
            ["chosen by", "correlation", "gain", "cells"],
            rows,
        ),
    ]


def efficiency(models: pd.DataFrame) -> list[Block]:
    """Whether scores go with sample efficiency."""
    columns = columns_of(models)
    rows: list[list[Cell]] = []
    for score in columns.supervised:
        if score.startswith("downstream/"):
            continue
        try:
            cells = [
                between2(correlation(models, score, c)) for c in columns.efficiency
            ]
        except UserError:
            continue
        rows.append([head_of(score), *cells])
    if not rows or not columns.efficiency:
        return []
    caption = (
        "Spearman's correlation over all models with what few labels reach of the "
        "accuracy of many; 95 % over seeds."
    )
    return [Table(caption, ["score", *map(head_of, columns.efficiency)], rows)]


SECTIONS: dict[str, tuple[str, Callable[[pd.DataFrame], list[Block]]]] = {
    "violins": ("Scores by method", violins),
    "strengths": ("Scores and strength", strengths),
    "variance": ("Method, strength or seed", shares),
    "agreement": ("Which scores agree", agreement),
    "transfer": ("Do hyperparameters transfer", transfers),
    "selection": ("Choosing without labels", selection),
    "efficiency": ("Sample efficiency", efficiency),
}


def headline(models: pd.DataFrame) -> str:
    """What stands at the top of the page: the means apart, and what they are due to."""
    judge = ranking_score(models)
    if not judge:
        return ""
    sentences = []
    for data, own in models.dropna(subset=[judge]).groupby("data", sort=False):
        means = own.groupby("method", sort=False)[judge].mean().sort_values()
        ends = [f"{means.index[at]} {means.iloc[at]:.3f}" for at in (-1, 0)]
        words = f"{data}: mean {name_of(judge)} from {ends[1]} to {ends[0]}"
        try:
            parts = variance_shares(own, judge, draws=2).corrected
            due = [f"{100 * part.value:.0f} %" for part in parts]
            words += (
                f"; {due[0]} of its variance is the method, {due[1]} the strength, "
                f"{due[2]} the seed"
            )
        except UserError:
            pass
        sentences.append(words + ".")
    return " ".join(sentences)


def counted(models: pd.DataFrame) -> str:
    """ "180 models: 6 methods on dsprites and shapes3d, up to 3 strengths, 5 seeds."""
    strengths_of = models.groupby(["data", "method"])["strength"].nunique().max()
    methods = plural(models["method"].nunique(), "method")
    return (
        f"{plural(len(models), 'model')}: {methods} "
        f"on {listed([str(d) for d in models['data'].unique()])}, up to "
        f"{plural(int(strengths_of), 'strength')} of each, "
        f"{plural(models['seed'].nunique(), 'seed')}."
    )
