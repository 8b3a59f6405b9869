"""Pictures of the slides: planes of two latents, swaps, and digits drawn as clothes.

    python -m benchmarks.slides --digits=mnist --clothes=fashion-mnist --out=slides
    python -m benchmarks.slides --digits=mnist_t10k.npz --only=planes,swaps

--digits and --clothes are folders with the four published files of MNIST and of
Fashion-MNIST, or .npz files with `images` (N, H, W) and `labels` (N,); images get a
border of zeros to --size. Written are, of which --only chooses:

planes        an autoencoder and a VAE of two latents: codes by class, and what the
              values on the axes decode to. Printed: the standard deviation of either
              latent; how often the five nearest codes of other images name the class;
              the share of decoded pictures that both oracles read as the same class
swaps         a cycle-consistent VAE (Jha et al. 2018): the class of the column, all
              else of the row. Printed: how often both oracles read a picture as the
              class of the column's image, and as that of the row's, where they differ
translations  MUNIT (Huang et al. 2018), digits drawn as clothes and clothes as digits.
              Printed: how often both oracles read the other domain

Oracles are networks trained on the same images (disentangle/study/judges.py); their
accuracy on held-out ones is printed. Trainings are kept under --out and go on.
"""

import argparse
import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from sklearn.neighbors import KNeighborsClassifier

import disentangle as dt
from benchmarks.class_leakage import data_of
from benchmarks.command import execute, flags_of, natural, positive
from benchmarks.kept_lines import chosen
from disentangle.data.dataset import Dataset
from disentangle.report.latents import write_planes
from disentangle.report.panels import crossed_figure
from disentangle.report.style import plotting
from disentangle.study.code_survey import survey
from disentangle.study.judges import Judges, judges_of
from disentangle.study.sample import sample_index
from disentangle.study.swaps import exchanged, swaps_of
from disentangle.study.translating import (
    domain_images,
    translated,
    translations_of,
    ways_of,
)
from disentangle.study.visualize import latent_plane
from disentangle.training.run import Run

COUNT = 300  # pictures that oracles read


def both(judges: Judges, pictures: np.ndarray) -> np.ndarray:
    """(n,) the first factor as both oracles read it; -1 where they do not agree."""
    first, second = judges.read(pictures)[:, :, 0]
    return np.where(first == second, first, -1)


def oracles(data: Dataset, steps: int) -> Judges:
    """Those of a data set; says how often they are right."""
    found = judges_of(data, steps=steps)
    print(f"{data.name}: oracles are right on {found.accuracy[0]:.3f}", flush=True)
    return found


def planes(given: argparse.Namespace) -> None:
    """planes.png, and what is printed of it."""
    digits = data_of(given.digits, given.size)
    judges, found = oracles(digits, given.oracle_steps), {}
    for name, method in (("autoencoder", "autoencoder"), ("VAE", "beta_vae")):
        networks = {"encoder": "mlp", "decoder": "mlp", "latents": 2}
        if method == "beta_vae":
            networks |= {"beta": 1.0}
        run = dt.train(
            method,
            digits,
            steps=given.steps,
            learning_rate=1e-3,
            workdir=given.out / method,
            **networks,
        )
        found[name] = latent_plane(run, digits, survey(run, digits))
        codes, classes = found[name].plane_codes, found[name].plane_labels[:, 0]
        half = len(codes) // 2
        nearest = KNeighborsClassifier(5).fit(codes[:half], classes[:half])
        right = np.mean(nearest.predict(codes[half:]) == classes[half:])
        pictures = found[name].plane_pictures
        read = both(judges, pictures.reshape(-1, *pictures.shape[2:]))
        first, second = codes.std(axis=0)
        print(
            f"{name}: standard deviations {first:.2f}, {second:.2f}; five nearest "
            f"{right:.3f}; read alike {np.mean(read >= 0):.3f}",
            flush=True,
        )
    print(f"wrote {write_planes(found, given.out / 'planes.png')}")


def swaps(given: argparse.Namespace) -> None:
    """swaps.png, and what is printed of it."""
    digits = data_of(given.digits, given.size)
    judges = oracles(digits, given.oracle_steps)
    run = dt.train(
        "cycle_vae",
        digits,
        steps=given.steps,
        learning_rate=1e-3,
        workdir=given.out / "cycle_vae",
        shared=digits.space.names[:1],
        encoder="mlp",
        decoder="mlp",
    )
    found = swaps_of(run, digits)
    assert found is not None  # the method has a part of the class
    images = found.swap_images
    save(crossed_figure(images[:, None], images, found.swap_pictures), given, "swaps")
    column, row, pairs = swapped_classes(run, digits, judges, str(found.swap_part))
    print(
        f"of {pairs} pairs: the column's class {column:.3f}, the row's {row:.3f}",
        flush=True,
    )


def swapped_classes(
    run: Run, data: Dataset, judges: Judges, part: str
) -> tuple[float, float, int]:
    """How often pictures have the class of the second image and of the first one."""
    side = int(COUNT**0.5)
    index = sample_index(data, side, seed=1)
    codes = run.encode(data.images(index))[0]
    mixed = exchanged(codes, np.array(run.method.attributes) == part)
    read = both(judges, run.decode(mixed.reshape(side * side, -1))[0])
    classes = np.asarray(data.factors(index))[:, 0]
    first, second = np.repeat(classes, side), np.tile(classes, side)
    apart = first != second
    right = [np.mean(read[apart] == of[apart]) for of in (second, first)]
    return float(right[0]), float(right[1]), int(apart.sum())


def translations(given: argparse.Namespace) -> None:
    """translations-0.png and translations-1.png, and what is printed of them."""
    parts = [data_of(path, given.size) for path in (given.digits, given.clothes)]
    count = min(map(len, parts))
    images = [np.asarray(data.images(np.arange(count))) for data in parts]
    domain = np.repeat(["digits", "clothes"], count)
    data = dt.from_arrays(np.concatenate(images), domain, ["domain"])
    data = dataclasses.replace(data, name="digits and clothes")
    judges = oracles(data, given.oracle_steps)
    names = list(data.space["domain"].words)
    run = dt.train(
        "munit",
        data,
        steps=given.steps,
        batch_size=8,
        workdir=given.out / "munit",
        domain="domain",
        values=(names.index("digits"), names.index("clothes")),
    )
    found = translations_of(run, data)
    drawn, _ = domain_images(run, data, COUNT, seed=1)
    for d, inside in enumerate(found.translations):
        left = list(zip(found.images[d], found.reconstructions[d], strict=True))
        save(
            crossed_figure(left, found.images[1 - d], inside),
            given,
            f"translations-{d}",
        )
        wanted = ways_of(run).values[1 - d]
        across = translated(run, drawn[d], drawn[1 - d], d, 1 - d)
        hit = np.mean(both(judges, across) == wanted)
        print(f"{found.domains[d]} to {found.domains[1 - d]}: {hit:.3f}", flush=True)


def save(figure: Figure, given: argparse.Namespace, name: str) -> None:
    """Writes a figure into --out."""
    path = given.out / f"{name}.png"
    path.parent.mkdir(parents=True, exist_ok=True)
    with plotting():
        figure.savefig(path, dpi=144, facecolor="white")
    print(f"wrote {path}", flush=True)


PICTURES: dict[str, Callable[[argparse.Namespace], None]] = {
    "planes": planes,
    "swaps": swaps,
    "translations": translations,
}


def main() -> None:
    """The command line."""
    parser = flags_of(__doc__)
    parser.add_argument("--digits", required=True, help="a folder, or an .npz")
    parser.add_argument("--clothes", default="", help="the same, for translations")
    parser.add_argument("--size", type=natural, default=32, help="pixels a side")
    parser.add_argument("--steps", type=positive, default=2_500)
    parser.add_argument("--oracle-steps", type=positive, default=600)
    parser.add_argument("--only", default="", help=f"of {', '.join(PICTURES)}")
    parser.add_argument("--out", type=Path, default=Path("runs/slides"))
    given = parser.parse_args()
    names = chosen(parser, given.only, PICTURES)
    for path in filter(None, (given.digits, given.clothes)):
        if not Path(path).exists():
            parser.error(f"there is no file or folder {path!r}")
    if "translations" in names and not given.clothes:
        if given.only:
            parser.error("translations need --clothes")
        names.remove("translations")
    for name in names:
        PICTURES[name](given)


if __name__ == "__main__":
    execute(main)
