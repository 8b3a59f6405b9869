"""Draws the README's images from two finished jobs.

    python docs/picture.py runs/quickstart runs/picture        # or: make picture

Writes affinity.png and traversals.png beside this file, with the report's own figures:
the affinity of `make quickstart`, and the latents of a beta-VAE on Shapes3D that is
told all factors of 1,000 images, trained by

    python -m disentangle train --config=experiments/vae.py:shapes3d,s2_beta_vae \
        --config.steps=11500 --config.batch_size=16 \
        --config.optimizer.learning_rate=5e-4 --config.checkpoint_every=500 \
        --config.eval_every=2000 --workdir=runs/picture
"""

import io
import sys
from pathlib import Path

from PIL import Image

from disentangle.errors import UserError
from disentangle.report import affinity_figure, files, traversal_figure
from disentangle.report.style import plotting
from disentangle.study.visualize import Panels, refresh_images

HERE = Path(__file__).resolve().parent
ROWS = 10  # latents shown: all


def draw(job: Path, trained: Path, out: Path = HERE) -> list[Path]:
    """The two images, written into `out`; returns their paths.

    Args:
      job: workdir of the main job, for the affinity.
      trained: workdir of a training run, for the latents; they are drawn anew.
      out: where.

    Raises:
      UserError: a workdir lacks what a finished job leaves.
    """
    measured = files.affinities(job)
    if not measured:
        raise UserError(f"{job} holds no finished job: make quickstart")
    first = next(iter(measured.values()))
    panels = files.found(Panels, refresh_images(trained))
    if panels is None or panels.traversals is None:
        raise UserError(f"{trained} holds no trained model that can be drawn")
    figures = {
        "affinity": affinity_figure(measured.get(files.grouped_by(job), first)),
        "traversals": traversal_figure(
            panels.traversals,
            panels.traversal_values,
            panels.kl,
            panels.captions,
            limit=ROWS,
        ),
    }
    paths = []
    for name, figure in figures.items():
        paths.append(out / f"{name}.png")
        raw = io.BytesIO()
        with plotting():
            figure.savefig(raw, dpi=120, facecolor="white", bbox_inches="tight")
        Image.open(raw).convert("RGB").quantize(256, Image.Quantize.FASTOCTREE).save(
            paths[-1], optimize=True
        )
    return paths


if __name__ == "__main__":
    try:
        print(*draw(*map(Path, sys.argv[1:3])), sep="\n")
    except (TypeError, UserError) as error:
        sys.exit(f"{error}")
