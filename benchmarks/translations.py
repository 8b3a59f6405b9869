"""What MUNIT takes for content and what for style, and whether its translations hit.

    python -m benchmarks.translations --steps=500 --batch=8
    python -m benchmarks.translations --steps=20000 --batch=16 --seeds=3   # a GPU

MUNIT between two values of a factor (--domain, --values) of a data set, and two oracles
(disentangle/study/judges.py) that read what is drawn of --count pairs of an image and
an exemplar of the other domain. Per direction: the share of pictures that show the
other domain's value (hit), with an exemplar's style and with a random one; and of every
factor in which image and exemplar differ the share that follows the exemplar's style,
the share that follows the image's content, with an exemplar's style and with a random
one. Without pairs a translation may give every value another one: so beside it how
often two pictures of one content and two styles are read alike, and two of one style
and two contents, with what chance gives (one content: 1 where the content tells the
factor, as it was or as another value). Expected of Shapes3D, and falsifiable: hues
follow the style, orientation and scale the content, as instance norms take global
colour away. Beside every run its steps and CPU seconds; workdirs are kept in --out and
go on where they stopped.
"""

import argparse
import time
from pathlib import Path
from typing import Any

import numpy as np

import disentangle as dt
from benchmarks.command import execute, flags_of, natural, naturals, positive
from disentangle.editing.equality import chance
from disentangle.study.judges import judges_of
from disentangle.study.translating import allocation, translations_of
from disentangle.training.config import default_config
from disentangle.training.run import Run, fit


def trained(given: argparse.Namespace, data: Any, seed: int) -> Run:
    """The run of a seed."""
    config = default_config(data.name, "munit").to_dict()
    config["method"] |= {
        "domain": given.domain,
        "values": given.values,
        "width": given.width,
    }
    config["method"] |= {"cycle": given.cycle}
    config["data"] |= {"test_size": 100}
    config |= {"steps": given.steps, "batch_size": given.batch, "seed": seed}
    config |= {"eval_every": 0, "checkpoint_every": max(1, given.steps // 4)}
    folder = given.out / f"{data.name}-{given.size}-{given.width}-{seed}"
    return fit(config, data, workdir=folder, progress=False)


def told(run: Run, data: Any, judges: Any, count: int) -> None:
    """Prints both directions of a run."""
    names = data.space.names
    ways = run.method.translation
    assert ways is not None
    for source in (0, 1):
        found = allocation(run, data, judges, source, count)
        there = f"{ways.names[source]} to {ways.names[1 - source]}"
        exemplar, drawn = found.hit
        print(f"  {there}: hit {exemplar:.3f}, random style {drawn:.3f}")
        heads = "style content random pairs one-content one-style chance"
        print(" ".join(f"{head:>11s}" for head in ("", *heads.split())))
        by_chance = chance(data.space)
        for k, name in enumerate(names):
            style, content = found.exemplar.second[k], found.exemplar.first[k]
            free = found.random.first[k]
            pairs = found.exemplar.asked[k]
            same = found.same_content[k], found.same_style[k], by_chance[k]
            shares = " ".join(f"{part:11.3f}" for part in (style, content, free))
            more = " ".join(f"{part:11.3f}" for part in same)
            print(f"{name:>11s} {shares} {pairs:11d} {more}")


def main() -> None:
    """The command line."""
    parser = flags_of(__doc__)
    parser.add_argument("--data", default="shapes3d")
    parser.add_argument("--size", type=natural, default=32, help="pixels; 0 is whole")
    parser.add_argument("--domain", default="shape", help="the factor of the domains")
    parser.add_argument(
        "--values", type=naturals, default="0,2", help="two of its values"
    )
    parser.add_argument("--steps", type=positive, default=500)
    parser.add_argument("--batch", type=positive, default=8)
    parser.add_argument("--width", type=positive, default=16)
    parser.add_argument("--cycle", type=float, default=0.0)
    parser.add_argument("--seeds", type=positive, default=1)
    parser.add_argument(
        "--count", type=positive, default=500, help="pairs per direction"
    )
    parser.add_argument("--out", type=Path, default=Path("runs/translations"))
    given = parser.parse_args()
    data = dt.load(given.data, size=given.size)
    judges = judges_of(data, progress=False)
    for seed in range(given.seeds):
        began = time.process_time()
        run = trained(given, data, seed)
        spent = time.process_time() - began
        print(f"seed {seed}: {run.step} steps of {given.batch}, {spent:.0f} CPU s")
        told(run, data, judges, given.count)
        if run.workdir is not None:
            translations_of(run, data).save(Path(run.workdir))
    accuracy = zip(data.space.names, np.round(judges.accuracy, 3), strict=True)
    print("both oracles are right:", ", ".join(f"{n} {a}" for n, a in accuracy))


if __name__ == "__main__":
    execute(main)
