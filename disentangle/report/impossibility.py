"""The figure and the section of the impossibility experiment."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from disentangle.errors import UserError
from disentangle.report import files, text
from disentangle.report.blocks import (
    Block,
    Cell,
    Drawing,
    Number,
    Row,
    Table,
    Terms,
    Text,
)
from disentangle.report.scores import SCORE_DECIMALS, name_of, protocol
from disentangle.report.studies import Job, Page, Result
from disentangle.report.style import (
    MARKERS,
    MUTED,
    PALETTE,
    SEQUENTIAL,
    new_figure,
    plotting,
)
from disentangle.report.summary import data_name
from disentangle.study.impossibility import (
    Clouds,
    Rotations,
    check,
    default_impossibility,
    run_impossibility,
)

# What is measured besides scores; of these, the study is the one that knows the names.
MEASURES = {
    "probe/accuracy": "linear probe",
    "marginals/ks": "KS to N(0, 1)",
    "marginals/log_density": "log p(z)",
    "likelihood/reconstruction": "reconstruction",
    "likelihood/kl": "KL",
    "likelihood/aggregate_kl": "aggregate KL",
    "likelihood/elbo": "ELBO",
    "likelihood/diagonal_gap": "lost if diagonal",
}
# The columns of the table, as far as they are there; the figure draws the first three.
SHOWN = (
    "dci/disentanglement",
    "mig/score",
    "probe/accuracy",
    "dci/informativeness_test",
    *list(MEASURES)[1:],
)
UNCHANGED = tuple(MEASURES)[1:]
DRAWN = SHOWN[:3]
WORDS = (
    "All pairs of latents are turned one after the other by an angle. A turned N(0, I) "
    "is N(0, I), so that nothing that sees data alone can prefer one angle (Locatello "
    "et al. 2019, Theorem 1); and every angle holds the same information in linear "
    "form. Scores of disentanglement differ. Linear probe: mean accuracy over factors "
    "of least-squares predictors; I test: that of DCI's trees; both on rows that they "
    "were not fitted to."
)
PERFECT = (
    "KS to N(0, 1): the largest Kolmogorov-Smirnov distance of a latent's distribution "
    "to it; dashed: below it in 95 of 100 samples of N(0, 1). log p(z): mean log "
    "density under N(0, I), nats."
)
TRAINED = (
    "Encoder and decoder take the rotation between them: N(Aμ, AΣAᵀ) and g(Aᵀz). "
    "Reconstruction, KL and ELBO in nats per image; aggregate KL: to N(0, I) of the "
    "Gaussian with the moments of all samples of z. Lost if diagonal: what the ELBO "
    "loses where the posterior may only be diagonal, as in training; this, not the "
    "likelihood, is what holds a VAE's axes (Rolinek et al. 2019)."
)


def _name(key: str) -> str:
    return MEASURES.get(key) or name_of(key)


def impossibility_figure(
    rows: Sequence[Mapping[str, Any]], clouds: Clouds | None = None
) -> Figure:
    """What a rotation of the latents does to scores, and what it leaves.

    From top to bottom: the clouds; the scores; and what training sees, the distance
    of the marginals to the prior (of a Gaussian code) or the ELBO (of a VAE).

    Args:
      rows: one code's rows of impossibility.json, an angle each, ascending.
      clouds: two latents of it, coloured by a factor; None leaves them out.

    Raises:
      UserError: no rows.
    """
    if not rows:
        raise UserError("there is no row of rotated latents to draw")
    columns = 1 if clouds is None else len(clouds.angles)
    with plotting():
        figure = new_figure(height=4.2 if clouds is None else 5.4)
        grid = figure.add_gridspec(3, columns, height_ratios=(1, 2, 1.5))
        scores = figure.add_subplot(grid[0 if clouds is None else 1 : 2, :])
        seen = figure.add_subplot(grid[2, :], sharex=scores)
        if clouds is not None:
            _draw_clouds(figure, grid, clouds)
        _draw_scores(scores, rows)
        draw = _draw_elbo if "likelihood/elbo" in rows[0] else _draw_marginals
        draw(seen, [row["angle"] for row in rows], rows)
        seen.set_xlabel("all pairs of latents turned by")
        figure.align_ylabels([scores, seen])
        figure.legend(loc="outside lower center", ncols=2)
    return figure


def _draw_clouds(figure: Figure, grid: Any, clouds: Clouds) -> None:
    """A scatter an angle, in colours of the factor's values."""
    for column, (angle, points) in enumerate(
        zip(clouds.angles, clouds.clouds, strict=True)
    ):
        axes = figure.add_subplot(grid[0, column])
        style: dict[str, Any] = {
            "s": 3,
            "linewidths": 0,
            "rasterized": True,
            "cmap": SEQUENTIAL,
        }
        axes.scatter(points[:, 0], points[:, 1], c=clouds.values, **style)
        axes.set_xlim(-3.2, 3.2)
        axes.set_ylim(-3.2, 3.2)
        axes.set_aspect("equal")
        axes.set_axis_off()
        axes.set_title(f"{angle:g}°", fontsize=10.5)


def _draw_scores(axes: Any, rows: Sequence[Mapping[str, Any]]) -> None:
    angles = [row["angle"] for row in rows]
    drawn = [key for key in DRAWN if key in rows[0]]
    for key, colour, marker in zip(drawn, PALETTE, MARKERS, strict=False):
        style: dict[str, Any] = {
            "color": colour,
            "marker": marker,
            "markersize": 5,
            "clip_on": False,
        }
        axes.plot(angles, [row[key] for row in rows], label=_name(key), **style)
    axes.set_ylim(0, 1)
    axes.set_ylabel("score")
    axes.set_xticks(angles, [f"{angle:g}°" for angle in angles])
    axes.tick_params("x", labelbottom=False)


def _draw_marginals(axes: Any, angles: Sequence[float], rows: Sequence[Any]) -> None:
    distances = [row["marginals/ks"] for row in rows]
    critical = rows[0]["marginals/ks_critical"]
    axes.plot(angles, distances, color=PALETTE[3], marker="v", markersize=5)
    axes.axhline(critical, color=MUTED, linewidth=1.0, linestyle=(0, (4, 3)))
    axes.set_ylim(0, 1.3 * max(critical, *distances))
    axes.set_ylabel("KS to N(0, 1)")


def _draw_elbo(axes: Any, angles: Sequence[float], rows: Sequence[Any]) -> None:
    elbo = np.array([row["likelihood/elbo"] for row in rows])
    lost = np.array([row["likelihood/diagonal_gap"] for row in rows])
    for values, colour, marker, words in (
        (elbo, PALETTE[3], "v", "ELBO"),
        (elbo - lost, PALETTE[4], "s", "ELBO if diagonal"),
    ):
        style: dict[str, Any] = {"color": colour, "marker": marker, "markersize": 5}
        axes.plot(angles, values, label=words, **style)
    axes.margins(y=0.2)
    axes.set_ylabel("nats")


def write_figures(workdir: Path) -> list[Path]:
    """Writes impossibility.png, and impossibility-2.png for a second code."""
    paths = []
    for place, (rows, clouds) in enumerate(_codes(workdir).values()):
        paths.append(workdir / f"impossibility{f'-{place + 1}' * bool(place)}.png")
        figure = impossibility_figure(rows, clouds)
        with plotting():
            figure.savefig(paths[-1], dpi=144, facecolor="white")
    return paths


def _codes(workdir: Path) -> dict[str, tuple[list[dict[str, Any]], Clouds | None]]:
    """code -> its rows by angle, and its clouds if they are stored."""
    table, clouds = files.found(Rotations, workdir), files.found(Clouds, workdir)
    if table is None:
        return {}
    with files.reading(workdir / Rotations.FILE):
        return {
            code: (rows, clouds if "marginals/ks" in rows[0] else None)
            for code, rows in table.by_code().items()
        }


def _cell(key: str, value: float) -> Number:
    """Scores in three decimals; what must not change in four."""
    return Number(float(value), decimals=4 if key in UNCHANGED else SCORE_DECIMALS)


def rotations(workdir: Path) -> list[Block]:
    """The figure and the table of every code of impossibility.json."""
    blocks: list[Block] = []
    for place, (code, (rows, clouds)) in enumerate(_codes(workdir).items()):
        with files.reading(workdir / "impossibility.json"):
            figure = impossibility_figure(rows, clouds)
            shown = [key for key in SHOWN if key in rows[0]]
            table: list[list[Cell]] = [
                [f"{row['angle']:g}°", *(_cell(key, row[key]) for key in shown)]
                for row in rows
            ]
        words = PERFECT if "marginals/ks" in rows[0] else TRAINED
        if clouds is not None:
            words = f"Top: two latents, coloured by {clouds.factor}. {words}"
        alt = f"{code}: scores against angle; the table holds the same numbers."
        drawing = Drawing.of(figure, f"rotations-{place}", alt, f"{code}. {words}")
        header = ["angle", *map(_name, shown)]
        blocks += [Row([drawing]), Table(f"{code}, by angle.", header, table)]
    if not blocks:
        return []
    held = files.found(Rotations, workdir)
    return [Text(WORDS), *blocks, Terms(protocol(held.ran if held else {}))]


def result(workdir: Path) -> Result:
    """What the largest angle does to the disentanglement of every code."""
    key = "dci/disentanglement"
    sentences = []
    for code, (rows, _) in _codes(workdir).items():
        if key in rows[0]:
            ends = [f"{float(row[key]):.{SCORE_DECIMALS}f}" for row in rows]
            sentences.append(
                f"{code[0].upper() + code[1:]}: turned by {rows[-1]['angle']:g}°, "
                f"{name_of(key)} goes from {ends[0]} to {ends[-1]}."
            )
    return Result(" ".join(sentences))


IMPOSSIBILITY = Job(
    default_impossibility,
    check,
    run_impossibility,
    text.rotation_table,
    Page(
        lambda config: (
            f"Rotated latents of {data_name(config)}: what data alone cannot tell"
        ),
        {"rotations": ("Rotated latents", rotations)},
        result=result,
        figures=write_figures,
    ),
)
