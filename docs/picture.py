"""Draws the README's pictures from a finished main job.

    python docs/picture.py runs/quickstart        # or: make picture

Writes affinity.png and traversals.png beside this file, with the report's own
figures.
"""

import sys
from pathlib import Path

from disentangle.errors import UserError
from disentangle.report import affinity_figure, files, traversal_figure
from disentangle.report.style import plotting

HERE = Path(__file__).resolve().parent
ROWS = 6  # latents shown


def draw(workdir: Path, out: Path = HERE) -> list[Path]:
    """The two pictures of `workdir`, written into `out`; returns their paths.

    Raises:
      UserError: the workdir lacks what a finished job leaves.
    """
    measured, panels = files.affinities(workdir), files.panels(workdir)
    if not measured or panels is None:
        raise UserError(f"{workdir} holds no finished job: make quickstart")
    figures = {
        "affinity": affinity_figure(measured[files.grouped_by(workdir)]),
        "traversals": traversal_figure(
            panels["traversals"],
            panels["traversal_values"],
            panels["kl"],
            panels["captions"],
            limit=ROWS,
        ),
    }
    paths = []
    for name, figure in figures.items():
        paths.append(out / f"{name}.png")
        with plotting():
            figure.savefig(paths[-1], dpi=120, facecolor="white", bbox_inches="tight")
    return paths


if __name__ == "__main__":
    try:
        print(*draw(Path(sys.argv[1])), sep="\n")
    except UserError as error:
        sys.exit(f"{error}")
