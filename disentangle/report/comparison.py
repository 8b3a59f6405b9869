"""The sections of a study: scores beside published ones, learned relevance."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from disentangle.report import downstream, files, paired, ranking, text
from disentangle.report.blocks import (
    Block,
    Cell,
    Drawing,
    Number,
    Row,
    Table,
    Terms,
    Text,
    listed,
    over_seeds,
    plural,
)
from disentangle.report.runs import ended
from disentangle.report.studies import Config, Job, Page, Result
from disentangle.report.style import INK, MUTED, PALETTE, PAPER, new_figure, plotting
from disentangle.report.summary import data_name, part
from disentangle.study.comparison import check, default_comparison, run_comparison
from disentangle.study.facts import ComparedScores
from disentangle.study.scores import Scores
from disentangle.study.targets import Target, targets_of


def published(workdir: Path) -> list[Block]:
    """Our scores beside those of papers, where a study has both."""
    config = files.json_or_nothing(workdir / "config.json")
    found = files.found(ComparedScores, workdir) if "runs" in config else None
    if found is None:
        return []
    with files.reading(workdir / found.FILE):
        tables = found.tables()
    ours = {
        name: dict(zip(found.columns, values.T, strict=True))
        for name, values in tables.items()
    }
    method = {k: run["method"]["name"] for k, run in config["runs"].items()}
    pairs = [
        (name, target)
        for target in targets_of(config["data"]["name"])
        for name in ours
        if method.get(name) == target.method and target.metric in ours[name]
    ]
    if not pairs:
        return []
    rows = [_row(name, target, ours, config["runs"][name]) for name, target in pairs]
    sources = {t.source: t.protocol for _, t in pairs}
    figure = published_figure(
        {
            m: _of_metric(m, ours, pairs)
            for m in dict.fromkeys(t.metric for _, t in pairs)
        }
    )
    alt = "Our scores, a dot a seed, beside published means with their deviations."
    words = "Dots: ours, one per seed. ◇: published, ± standard deviation."
    return [
        Text(
            "Ours were trained for the steps in the last column; the published ones as "
            "their protocol below says. They are no reproduction unless both agree."
        ),
        Row([Drawing.of(figure, "published", alt, words)]),
        Table(
            "Ours (mean ± standard deviation over seeds) beside published scores.",
            ["run", "score", "ours", "published", "source", "our steps"],
            rows,
        ),
        Terms([(source, f"{protocol}.") for source, protocol in sources.items()]),
    ]


def _row(
    name: str,
    target: Target,
    ours: Mapping[str, Mapping[str, np.ndarray]],
    run: Mapping[str, Any],
) -> list[Cell]:
    there = Number(target.value, target.spread, 3)
    here = over_seeds(ours[name][target.metric], 3)
    steps = f"{run['steps']:,}"
    return [name, target.metric, here, there, target.source, steps]


def _of_metric(
    metric: str,
    ours: Mapping[str, Mapping[str, np.ndarray]],
    pairs: Sequence[tuple[str, Target]],
) -> dict[str, tuple[np.ndarray, list[tuple[float, float]]]]:
    """run -> (our values, published (mean, deviation)) of one metric."""
    names = dict.fromkeys(name for name, t in pairs if t.metric == metric)
    return {
        name: (
            ours[name][metric],
            [
                (t.value, t.spread or 0.0)
                for other, t in pairs
                if other == name and t.metric == metric
            ],
        )
        for name in names
    }


def published_figure(
    scores: Mapping[str, Mapping[str, tuple[Any, Sequence[tuple[float, float]]]]],
) -> Figure:
    """Dots of our seeds and published means, one panel per metric.

    Args:
      scores: metric -> run -> (our values (seeds,), published (mean, deviation)s).
    """
    heights = [len(runs) for runs in scores.values()]
    with plotting():
        figure = new_figure(height=0.8 * len(heights) + 0.34 * sum(heights))
        panels = figure.subplots(
            len(heights), sharex=True, squeeze=False, height_ratios=heights
        )[:, 0]
        for axes, (metric, runs) in zip(panels, scores.items(), strict=True):
            for place, (values, known) in enumerate(runs.values()):
                axes.plot(
                    values,
                    np.full(len(values), place),
                    "o",
                    color=PALETTE[0],
                    markeredgecolor=PAPER,
                )
                for mean, spread in known:
                    axes.errorbar(
                        mean,
                        place,
                        xerr=spread or None,
                        marker="D",
                        markerfacecolor="none",
                        color=PALETTE[1],
                        capsize=2,
                    )
            axes.set_yticks(range(len(runs)), list(runs))
            axes.set_ylim(len(runs) - 0.5, -0.5)
            axes.set_xlim(0.0, 1.02)
            axes.set_title(metric, loc="left", color=INK)
            axes.tick_params("y", length=0)
            axes.grid(False, axis="y")
        panels[-1].set_xlabel("score", color=MUTED)
    return figure


def relevance(workdir: Path) -> list[Block]:
    """Relevance and KL of every latent, where a method has a relevance."""
    blocks: list[Block] = []
    done = sorted(path.parent for path in (workdir / "runs").glob("*/scores.json"))
    for folder in (workdir, *done):
        found = ended(folder)
        if found is None or "relevance" not in next(iter(found.rows.values())):
            continue
        factors = len(files.task_names(folder))
        for member, row in found.rows.items():
            r, kl = np.asarray(row["relevance"]), np.asarray(row["kl_by_latent"])
            blocks.append(_relevance_table(folder.name, member, row["step"], r, kl))
            blocks.append(Text(_signature(r, kl, factors)))
    return blocks


def _relevance_table(
    name: str, member: str, step: int, r: np.ndarray, kl: np.ndarray
) -> Table:
    order = np.argsort(-r, kind="stable")
    rows: list[list[Cell]] = [
        ["relevance r", *(Number(float(r[d]), decimals=3) for d in order)],
        ["KL (nats)", *(Number(float(kl[d]), decimals=3) for d in order)],
    ]
    caption = f"{name}, {member}: after {step:,} steps, latents by falling relevance."
    return Table(caption, ["latent", *(f"z{d + 1}" for d in order)], rows)


def _signature(r: np.ndarray, kl: np.ndarray, factors: int) -> str:
    """The sentence that says whether RF-VAE did what it is for."""
    relevant, undecided = r > 0.5, (r > 0.1) & (r < 0.9)
    rest = kl[~relevant]
    most = f"at most {rest.max():.3g} nats" if rest.size else "none there"
    return (
        f"{plural(int(relevant.sum()), 'latent')} of {len(r)} with r > 0.5, for "
        f"{plural(factors, 'factor')}; {int(undecided.sum())} between 0.1 and 0.9. "
        f"KL of the relevant: {kl[relevant].sum():.3g} nats in all; "
        f"of the others: {most}."
    )


def told(workdir: Path, config: Config) -> list[str]:
    """How many runs are done, and what they were; those that are alike together."""
    place = workdir / "runs"
    done = [n for n in config["runs"] if (place / n / Scores.FILE).exists()]
    alike: dict[str, list[str]] = {}
    for name in done:
        alike.setdefault(part(config["runs"], name, ""), []).append(name)
    return [
        f"{len(done)} of {plural(len(config['runs']), 'run')} done.",
        *(listed(names) + words for words, names in alike.items()),
    ]


COMPARISON = Job(
    lambda data: default_comparison(data, {"vae": {}}),
    check,
    run_comparison,
    text.score_table,
    Page(
        lambda config: (
            f"{plural(len(config['runs']), 'method')} on {data_name(config)}"
        ),
        {
            "ranking": ("What can be compared", ranking.ranking),
            "scores": ("Disentanglement scores", paired.scores_and_differences),
            "downstream": ("Retrieval and disentanglement", downstream.compared),
            "published": ("Beside published scores", published),
            "relevance": ("Relevance of the latents", relevance),
        },
        told,
        lambda workdir: Result(ranking.sentence(workdir)),
    ),
)
