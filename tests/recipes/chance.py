"""A study: what a score says of codes that are noise, by how many rows there are.

Every number of rows is a stage: a stopped study goes on with the first that is missing.
Also the config file of the command of its name:

  python -m disentangle chance --config=tests/recipes/chance.py:dsprites --workdir=...
"""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from ml_collections import ConfigDict

from disentangle.fields.check import names, whole_number
from disentangle.metrics import choose_metrics, score
from disentangle.progress import over
from disentangle.records import JsonRecord
from disentangle.report.blocks import Block, Number, Table
from disentangle.report.files import found
from disentangle.report.studies import Job, Page, Study
from disentangle.study.evaluate import load_data, sample_index
from disentangle.study.stages import Stages, begin, data_source
from disentangle.training.config import check_fields, check_sections, plain
from disentangle.training.workdir import owned


@dataclasses.dataclass(frozen=True)
class Chance(JsonRecord):
    """The scores of noise: "<metric>/<part>" -> value."""

    FILE: ClassVar[str] = "chance.json"
    rows: int
    scores: dict[str, float]


def get_config(data: str = "dsprites") -> ConfigDict:
    """The study on a data set's factors."""
    section = {"name": data, "path": "", "source": ""}
    return ConfigDict({"data": section, "metrics": ("mig",), "rows": (300, 3000)})


def check(config: Mapping[str, Any]) -> dict[str, Any]:
    """The config as plain data, with every error found before any compute."""
    held, reference = plain(config), plain(get_config())
    check_fields(held, reference)
    check_sections(held, reference, ("data",))
    choose_metrics(names("metrics", held["metrics"]))
    for rows in held["rows"]:
        whole_number("rows", rows, 10)
    return held


def run(config: Mapping[str, Any], workdir: Path, *, progress: bool = True) -> Path:
    """Scores noise, a stage per number of rows."""
    held = check(config)
    with owned(Path(workdir)) as folder:
        data = load_data(held["data"])
        begin(folder, "chance", held)

        stages = Stages(folder)

        def stage(rows: int) -> None:
            place = f"rows-{rows}"

            def work() -> list[str]:
                (folder / place).mkdir(exist_ok=True)
                factors = data.space.factors(sample_index(data, rows, seed=0))
                noise = np.random.default_rng(0).normal(size=(rows, 10))
                scores = score(noise, factors, held["metrics"])
                Chance(rows, scores).save(folder / place)
                return [f"{place}/{Chance.FILE}"]

            source = [data_source(held["data"]), held["metrics"], rows]
            stages.once(place, lambda: source, work)

        for rows in over(held["rows"], "score noise", unit="table", shown=progress):
            stage(rows)
    return folder


def answers(workdir: Path) -> list[Chance]:
    """What is done, by rising rows."""
    folders = sorted(workdir.glob("rows-*"))
    done = [found(Chance, folder) for folder in folders]
    return sorted(filter(None, done), key=lambda answer: answer.rows)


def section(workdir: Path) -> list[Block]:
    """The scores of noise as a table."""
    done = answers(workdir)
    rows = [
        [f"{answer.rows:,}", *(Number(value) for value in answer.scores.values())]
        for answer in done
    ]
    caption = "Scores of codes that are noise."
    return [Table(caption, ["rows", *done[0].scores], rows)] if done else []


def table(workdir: Path) -> str:
    """The same for the terminal."""
    return "\n".join(f"{one.rows} rows: {one.scores}" for one in answers(workdir))


STUDY = Study(
    "what scores say of noise",
    "--config=tests/recipes/chance.py:dsprites --workdir=runs/chance",
    load=lambda: Job(
        default=get_config,
        check=check,
        run=run,
        tables=table,
        page=Page(
            title=lambda config: f"Scores of noise on {config['data']['name']}",
            sections={"noise": ("Scores of noise", section)},
        ),
    ),
)
