"""Which factor is called class, content or style: the same images, other declarations.

    python -m benchmarks.class_parts --classes=shape,object_hue,floor_hue
    python -m benchmarks.class_parts --figure=parts.png

`class_content_style` is trained once per declared class, on the same images, and every
factor is read from each part of the code by the probe of `metrics/class_probe.py`. The
declared factor should be in c alone. Where the others go is not said by the images: it
is for the decoder, which gives u a place and s none.

Printed per declared class and part: (accuracy - chance) / (1 - chance) of every factor,
chance the share of its commonest value, means over the seeds; and CPU seconds of a
model. --figure draws the same numbers as a heat map.
"""

import time
from pathlib import Path

import numpy as np

import disentangle as dt
from benchmarks.command import execute, flags_of, natural, positive
from disentangle.data.dataset import Dataset
from disentangle.metrics.base import Settings
from disentangle.metrics.class_probe import probe_accuracy
from disentangle.metrics.labels import matched
from disentangle.metrics.parallel import in_threads
from disentangle.report.matrices import information_figure
from disentangle.training.run import Run

PARTS = ("class", "content", "style")


def shares(run: Run, data: Dataset, member: int, counts: tuple[int, int]) -> np.ndarray:
    """(3, F) what each part tells of each factor beyond chance, of 1."""
    rng = np.random.default_rng(0)
    index = rng.integers(0, data.space.size, sum(counts))
    codes, factors = run.encode(data.images(index))[member], data.space.factors(index)
    names = np.array(run.method.attributes)
    masks = [names == "(content)", names == "(style)"]
    masks.insert(0, ~(masks[0] | masks[1]))
    cut = counts[0]

    def share(piece: tuple[int, int]) -> float:
        part, j = piece
        classes, others = matched(factors[:cut, j], factors[cut:, j])
        own = codes[:, masks[part]]
        found = probe_accuracy(own[:cut], classes, own[cut:], others, seed=0)
        chance = np.bincount(others).max() / len(others)
        return max(0.0, (found - chance) / (1 - chance))

    pieces = list(np.ndindex(len(PARTS), factors.shape[1]))
    found = in_threads(share, pieces, Settings(jobs=1), "probe")
    return np.reshape(found, (len(PARTS), -1))


def main() -> None:
    """The command line."""
    parser = flags_of(__doc__)
    parser.add_argument("--data", default="shapes3d")
    parser.add_argument("--size", type=natural, default=32, help="pixels a side")
    parser.add_argument("--classes", default="shape,object_hue,floor_hue")
    parser.add_argument("--steps", type=positive, default=2_000)
    parser.add_argument("--seeds", type=positive, default=1)
    parser.add_argument("--class-from", default="group", help="group or label")
    parser.add_argument("--encoder", default="small")
    parser.add_argument("--width", type=positive, default=16)
    parser.add_argument("--beta", type=float, default=1.0)
    parser.add_argument("--rate", type=float, default=1e-3)
    parser.add_argument(
        "--probe", type=positive, default=3_000, help="images fitted to"
    )
    parser.add_argument("--test", type=positive, default=1_500, help="images read")
    parser.add_argument("--out", type=Path, help="where runs are kept")
    parser.add_argument("--figure", type=Path, help="where the heat map goes")
    given = parser.parse_args()
    data = dt.load(given.data, size=given.size)
    names = data.space.names
    print(f"{data.name} {data.shape}, {given.steps} steps of 64, {given.seeds} seeds")
    print(f"{'declared, part':26s} " + " ".join(f"{n:>12s}" for n in names))
    rows, captions = [], []
    for declared in given.classes.split(","):
        began = time.process_time()
        run = dt.train(
            "class_content_style",
            data,
            steps=given.steps,
            seeds=given.seeds,
            learning_rate=given.rate,
            workdir=given.out and given.out / f"{given.data}-{declared}",
            shared=(declared,),
            class_from=given.class_from,
            encoder=given.encoder,
            width=given.width,
            beta=given.beta,
        )
        spent = (time.process_time() - began) / given.seeds
        counts = given.probe, given.test
        found = [shares(run, data, m, counts) for m in range(given.seeds)]
        for part, row in zip(PARTS, np.mean(found, axis=0), strict=True):
            captions.append(f"{declared}: {part}")
            rows.append(row)
            cells = " ".join(f"{value:12.3f}" for value in row)
            print(f"{captions[-1]:26s} {cells}", flush=True)
        print(f"  {spent:.0f} CPU seconds of a model", flush=True)
    if given.figure:
        figure = information_figure(np.array(rows), names, captions)
        figure.savefig(given.figure, dpi=144, facecolor="white")
        print(f"wrote {given.figure}")


if __name__ == "__main__":
    execute(main)
