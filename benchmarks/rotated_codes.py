"""Block swaps by a diffusion model: of a code of true factors, and of the same turned.

    python -m benchmarks.rotated_codes --data=shapes3d --size=32 --split=comp
    python -m benchmarks.rotated_codes --rows=attention,attention_turned --seeds=3

A model is told all factors of a picture as a code with a block per factor, or as that
code times a fixed random orthogonal matrix: as much is known of the picture. An edit
takes the block of one factor from the code of another picture that has the wanted
value, all else stays, and the model draws it from one fixed noise. Asked are targets
that were never trained on (--split), two oracles judge (disentangle/editing).

film             the code enters linearly, one-hot blocks
film_turned      the same model: the code is turned, swapped and turned back. As W c =
                 (W Q') (Q c), a model of c is one of Q c, and one training gives both
film_trained     a model that was trained on the turned code, to see that
attention        a token per factor, each of its block through a map of its own
attention_turned the same, trained on the turned code: what a block of it says, the
                 map of its token must make of parts of all factors
numbers          a token per number, of a code of one number per factor
numbers_turned   the same, trained on the turned code

Printed per row: seeds, CPU seconds of the training, and the scores of the bench as
means over seeds with half of their 95 % interval; "rec" is what oracles read of
pictures drawn with the code they have, that is, what of the information arrives.
Trainings have workdirs in --out, results are kept in --results: what was stopped goes
on. 900 steps at 32x32 took 311 CPU seconds beside other programs (load 6); on a GPU
--size=64 --steps=50000 --width=64 --draws=50 --requests=2000 --seeds=3.
"""

import functools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

import disentangle as dt
from benchmarks.command import execute, flags_of, natural, positive
from benchmarks.edit_table import counted, seconds_of
from benchmarks.kept_lines import (
    by_setting,
    chosen,
    cpu_seconds,
    heading,
    held,
    keep,
    known,
    plus_minus,
    results_flag,
)
from disentangle.editing import Asking, Question
from disentangle.methods.conditional_diffusion import Told, told
from disentangle.methods.diffusion_model import rotation
from disentangle.study.edit_asked import Asked, asked_of
from disentangle.study.edit_bench import edited_rows
from disentangle.study.editors import Editor
from disentangle.study.judges import STEPS, Judges, judges_of
from disentangle.training.config import default_config, read_experiment
from disentangle.training.run import Run, fit

SCORES = ("edit", "hit", "pres", "exact", "rec", "nn", "psnr")
BATCH = 32
AT_ONCE = 250  # codes drawn at a time
TURN = 1  # the seed of the rotation


class Row(NamedTuple):
    """A row of the table.

    Attributes:
      training: the name of the training, which rows may share.
      fields: of the method.
      turned: whether the code is turned where it is swapped, and back again.
    """

    training: str
    fields: dict[str, Any]
    turned: bool = False


TOKENS = {"conditioning": "attention"}
NUMBERS = TOKENS | {"code": "numbers"}
ROWS = {
    "film": Row("film", {}),
    "film_turned": Row("film", {}, turned=True),
    "film_trained": Row("film_trained", {"rotation": TURN}),
    "attention": Row("attention", TOKENS),
    "attention_turned": Row("attention_turned", TOKENS | {"rotation": TURN}),
    "numbers": Row("numbers", NUMBERS),
    "numbers_turned": Row("numbers_turned", NUMBERS | {"rotation": TURN}),
}


class Job(NamedTuple):
    """One setting of the table."""

    data: Any
    split: str
    steps: int
    seed: int
    width: int
    draws: int
    asking: Asking
    oracle_steps: int
    out: Path

    @property
    def key(self) -> str:
        """What a result depends on, as a line says it."""
        side = self.data.shape[0]
        return (
            f"{self.data.name} {side} px, split {self.split or 'none'}, {self.steps} "
            f"steps of {BATCH}, width {self.width}, DDIM-{self.draws}, "
            f"{self.asking.requests} requests, oracles of {self.oracle_steps} steps, "
            f"seed {self.seed}"
        )

    def folder(self, name: str) -> Path:
        """Where a training is."""
        side = self.data.shape[0]
        setting = f"{self.data.name}-{side}-{self.split or 'none'}-{self.width}"
        return self.out / f"{setting}-{self.steps}" / f"{name}-{self.seed}"


def train(job: Job, row: Row) -> Run:
    """The model of a row."""
    config = default_config(job.data.name, "conditional_diffusion").to_dict()
    config["method"] |= {"width": job.width, "draws": job.draws} | row.fields
    config["data"]["split"] = job.split
    config |= {"steps": job.steps, "seed": job.seed, "batch_size": BATCH}
    config |= {"checkpoint_every": 100, "eval_every": 0}
    return fit(config, job.data, workdir=job.folder(row.training))


def model_of(job: Job, run: Run) -> Told:
    """The networks of a run, with its codes."""
    experiment = read_experiment(run.config)
    return told(experiment.settings, job.data.space, job.data.shape)


def swapped(
    own: np.ndarray, other: np.ndarray, blocks: tuple[int, ...], number: int
) -> np.ndarray:
    """Codes (n, S) with one block of `other`."""
    bounds = np.cumsum((0, *blocks))
    found = np.array(own)
    part = slice(bounds[number], bounds[number + 1])
    found[:, part] = other[:, part]
    return found


def editor(job: Job, row: Row, run: Run, asked: Asked) -> Editor:
    """Block swaps between the codes of the pictures' true factors."""
    found, space = model_of(job, run), job.data.space
    params = jax.tree.map(lambda leaf: leaf[0], run.params)
    decode, encode = jax.jit(found.made.decode), jax.jit(found.encode)
    turn = rotation(sum(found.blocks), TURN) if row.turned else np.eye(1)

    def codes(factors: np.ndarray) -> np.ndarray:
        code = np.asarray(encode(jnp.asarray(factors, jnp.int32)))
        return code @ turn.T if row.turned else code

    def draw(code: np.ndarray) -> np.ndarray:
        code = np.float32(code @ turn if row.turned else code)
        whole = np.resize(code, (-(-len(code) // AT_ONCE) * AT_ONCE, code.shape[1]))
        parts = [
            np.asarray(decode(params, jnp.asarray(whole[i : i + AT_ONCE])))
            for i in range(0, len(whole), AT_ONCE)
        ]
        return np.concatenate(parts)[: len(code)]

    def edited(q: Question) -> np.ndarray:
        exemplars = asked.requests.exemplar[asked.requests.of(q.column)]
        other = codes(space.factors(exemplars))
        number = found.names.index(space.names[q.column])
        return draw(swapped(codes(q.factors), other, found.blocks, number))

    return Editor(edited, lambda q: draw(codes(q.factors)))


def work(job: Job, name: str, judges: Callable[[], Judges]) -> dict[str, Any]:
    """Trains a row and judges it: a line of the results.

    Raises:
      UserError: oracles that may not judge, before anything is trained.
    """
    row, oracles, names = ROWS[name], judges(), job.data.space.names
    oracles.require(list(range(len(names))), names)
    spent = job.folder(row.training).with_suffix(".seconds")
    with counted(spent):
        run = train(job, row)
    asked = asked_of(run, job.data, job.asking, oracles)
    done = edited_rows(asked, name, editor(job, row, run, asked))
    return {
        "key": job.key,
        "row": name,
        "seconds": seconds_of(spent),
        "parameters": int(sum(x.size for x in jax.tree.leaves(run.params))),
        "all": {r.score: r.value for r in done.rows if not r.attribute},
        "edit": {r.attribute: r.value for r in done.rows if r.score == "edit"},
    }


def table(lines: list[dict[str, Any]]) -> Iterator[str]:
    """A block per setting, a line per row."""
    for setting, own in by_setting(lines).items():
        yield f"\n{heading(setting, own)}"
        head = " ".join(f"{score:>13s}" for score in SCORES)
        yield f"  {'row':18s} {'seeds':>5s} {'cpu s':>6s} {head}   EDIT of each factor"
        for name in dict.fromkeys(line["row"] for line in own):
            found = [line for line in own if line["row"] == name]
            cells = [
                f"{plus_minus([line['all'][score] for line in found]):>13s}"
                for score in SCORES
            ]
            names = [attribute for attribute in found[0]["edit"] if attribute]
            each = [np.mean([line["edit"][n] for line in found]) for n in names]
            rest = " ".join(
                f"{n} {value:.2f}" for n, value in zip(names, each, strict=True)
            )
            counts = f"{len(found):5d} {cpu_seconds(found)}"
            yield f"  {name:18s} {counts} {' '.join(cells)}   {rest}"


def main() -> None:
    """The command line."""
    parser = flags_of(__doc__)
    parser.add_argument("--data", default="shapes3d")
    parser.add_argument("--size", type=natural, default=32, help="pixels; 0 is whole")
    parser.add_argument("--split", default="comp", help="'' asks of all pictures")
    parser.add_argument("--seeds", type=positive, default=1)
    parser.add_argument("--steps", type=positive, default=900)
    parser.add_argument("--width", type=positive, default=32)
    parser.add_argument("--draws", type=positive, default=10, help="steps of DDIM")
    parser.add_argument("--requests", type=positive, default=200)
    parser.add_argument("--oracle-steps", type=positive, default=STEPS)
    parser.add_argument("--rows", default="", help=f"of {', '.join(ROWS)}; '' is all")
    parser.add_argument("--out", type=Path, default=Path("runs/rotated_codes"))
    results_flag(parser, "rotated_codes")
    given = parser.parse_args()
    rows = chosen(parser, given.rows, ROWS)
    data = dt.load(given.data, size=given.size)
    asking = Asking(given.requests, given.split, labels=2, gallery=2, bootstrap=0)
    judges = functools.cache(lambda: judges_of(data, steps=given.oracle_steps))
    path = given.results
    numbers = given.width, given.draws, asking, given.oracle_steps, given.out
    for seed in range(given.seeds):
        job = Job(data, given.split, given.steps, seed, *numbers)
        for name in rows:
            if name not in known(path, job.key):
                print(f"{name}, seed {seed}", flush=True)
                keep(path, work(job, name, judges), data)
    print("\n".join(table(held(path))))


if __name__ == "__main__":
    execute(main)
