"""What the main job compares: grouped, single-task, all-together, unsupervised."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar, NamedTuple

import numpy as np

from disentangle import progress as bars
from disentangle.data.dataset import Dataset
from disentangle.errors import UserError
from disentangle.files import write_arrays
from disentangle.metrics.base import Ask, Result
from disentangle.metrics.score import score_details
from disentangle.records import JsonRecord
from disentangle.study.addes import Addes, factor_of, in_order
from disentangle.study.encoding import encode_images
from disentangle.study.gain import beside_single
from disentangle.study.groups import Groups
from disentangle.study.member_models import Part, joined, question_of
from disentangle.study.networks import Networks
from disentangle.study.sample import Sample, choose_sample
from disentangle.study.scores import Scored, keep_scores, member_label
from disentangle.study.sections import score_settings
from disentangle.study.stages import Stages, crc
from disentangle.training.final import final_rows
from disentangle.training.run import Run

KINDS = ("npz", "json")  # of a file in codes/: the table, and its scores


@dataclasses.dataclass(frozen=True)
class Losses(JsonRecord):
    """losses.json: the test loss of every task, 1 for the trivial predictor.

    Attributes:
      networks: way of sharing -> (seeds, tasks); None where a network diverged.
      delta_m: way of sharing -> (seeds,) mean relative gain over single-task networks
        of the same budget (`study.gain`); None where a network diverged.
    """

    FILE: ClassVar[str] = "losses.json"
    tasks: list[str]
    networks: dict[str, list[list[float | None]]]
    delta_m: dict[str, list[float | None]] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, rows in self.networks.items():
            if any(len(row) != len(self.tasks) for row in rows):
                raise UserError(f"{name!r} has no loss for each of the tasks")


class Serving(NamedTuple):
    """The trained networks of a job, and which of them serves which task."""

    multitask: Run  # all tasks; a member a seed
    networks: tuple[Run, ...]  # members: task weights, then seeds (seed fastest)
    vae: Run  # a member a seed
    groups: Groups
    addes: Addes = MappingProxyType({})  # members: seeds of the networks

    @property
    def trained(self) -> Networks:
        """Those with tasks."""
        return Networks(self.multitask, self.networks)

    @property
    def tasks(self) -> tuple[str, ...]:
        """The task names."""
        return self.trained.tasks

    @property
    def seeds(self) -> list[int]:
        """The seeds every network was trained with."""
        return self.trained.seeds

    @property
    def shares(self) -> dict[str, dict[str, list[str]]]:
        """way of sharing -> task -> the tasks of the network that serves it."""
        assignment, groups = self.groups.serves, self.groups.groups
        return {
            "single-task": {task: [task] for task in self.tasks},
            "all-together": {task: list(self.tasks) for task in self.tasks},
            "grouped": {task: groups[assignment[task]] for task in self.tasks},
        }

    def servers(self, seed: int) -> dict[str, dict[str, tuple[Run, int]]]:
        """representation -> task -> the network whose head is used for it."""
        find = self.trained.network_of
        return {
            name: {task: find(group, seed) for task, group in row.items()}
            for name, row in self.shares.items()
        }

    def editors(self, seed: int) -> dict[str, dict[str, tuple[Run, int]]]:
        """representation -> factor -> the ADDE whose subspace it is; {} without any."""
        if not self.addes:
            return {}
        place = self.seeds.index(seed)  # the members are the seeds, in their order
        find = lambda group: (self.addes[in_order(self.tasks, group)], place)
        return {
            f"adde-{name}": {factor_of(task): find(of) for task, of in row.items()}
            for name, row in self.shares.items()
        }


def write_losses(serving: Serving, data: Dataset, folder: Path) -> None:
    """losses.json: every task's test loss in the network that serves it.

    From the record of the step each run ended at, never from a log. None where a
    network diverged.
    """
    runs = (serving.multitask, *serving.networks)
    rows = {id(run): final_rows(run, data) for run in runs}
    table: dict[str, list[list[float | None]]] = {}
    for seed in serving.seeds:
        for name, servers in serving.servers(seed).items():
            losses = [
                rows[id(run)][run.members[member]]["task_losses"][position]
                if run.alive[member]
                else None
                for position, (run, member) in enumerate(servers.values())
            ]
            table.setdefault(name, []).append(losses)
    Losses(list(serving.tasks), table, beside_single(table)).save(folder)


class Table(NamedTuple):
    """Codes (N, D) of a representation, the names of the D columns, which of them are
    one categorical latent, and the models that they are from."""

    codes: np.ndarray
    names: list[str]
    categorical: tuple[tuple[int, ...], ...] = ()
    parts: tuple[Part, ...] = ()


def tables(
    serving: Serving, data: Dataset, index: np.ndarray
) -> dict[tuple[str, int], Table]:
    """(representation, seed) -> its Table; only of models that did not diverge.

    A supervised representation is the concatenation of every task's subspace,
    taken from the network (of ADDEs the ADDE) that serves the task. Every member of
    the VAE's run is one, with its own seed; members of a sweep are a representation
    for each setting.
    """
    encoded = {
        id(run): encode_images(run, data, index)
        for run in (
            *(serving.multitask, *serving.networks, serving.vae),
            *serving.addes.values(),
        )
    }
    found = {}
    for seed in serving.seeds:
        both = serving.servers(seed) | serving.editors(seed)
        for name, servers in both.items():
            if not all(run.alive[member] for run, member in servers.values()):
                continue
            parts, names, own = [], [], []
            for task, (run, member) in servers.items():
                columns = [
                    i for i, b in enumerate(run.method.attributes or ()) if b == task
                ]
                parts.append(encoded[id(run)][member][:, columns])
                names += [f"{task} {i + 1}" for i in range(len(columns))]
                own.append(Part(run, member, columns, task))
            codes = np.concatenate(parts, axis=1)
            found[name, seed] = Table(codes, names, parts=tuple(own))
    vae = serving.vae
    for member, codes in enumerate(encoded[id(vae)]):
        if vae.alive[member]:
            names = [f"z{i + 1}" for i in range(codes.shape[1])]
            label, seed = member_label(vae, member), int(vae.swept[member]["seed"])
            whole = (Part(vae, member, range(codes.shape[1])),)
            found[label, seed] = Table(codes, names, vae.method.categorical, whole)
    return found


def write_scores(
    config: Mapping[str, Any],
    serving: Serving,
    data: Dataset,
    stages: Stages,
    progress: bool,
) -> list[str]:
    """codes/ and what `keep_scores` writes: one representation, every metric.

    Every representation and seed is a stage: what is scored is not scored again.

    Returns:
      The names of the files that were written.
    """
    section, folder = config["score"], stages.folder
    rows = (section["num_train"], section["num_test"])
    sample = choose_sample(data, rows, seed=section["seed"])
    labels = {} if sample.factors is None else {"factors": sample.factors}
    (folder / "codes").mkdir(exist_ok=True)
    with bars.waiting("encode", shown=progress):
        found = tables(serving, data, sample.images)

    def scored(name: str, seed: int, table: Table) -> Scored:
        own = f"codes/{name}-{seed}"
        write_arrays(folder / f"{own}.npz", {"codes": table.codes} | labels)
        source = [crc(folder / f"{own}.npz"), table.names, table.categorical, section]

        def score() -> list[str]:
            models = joined(table.parts, name, seed)
            ask = question_of(models, data, score_settings(section))
            results = _results(table, sample, section, ask)
            Scored.of(name, seed, table.names, results).save(folder, f"{own}.json")
            return [f"{own}.json"]

        stages.once(f"score {name}-{seed}", lambda: source, score)
        return Scored.load(folder, f"{own}.json")

    done = [
        scored(name, seed, table)
        for (name, seed), table in bars.over(
            list(found.items()), "score", unit="representation", shown=progress
        )
    ]
    files = [f"codes/{n}-{seed}.{kind}" for n, seed in found for kind in KINDS]
    return [*keep_scores(folder, done, data.space.names), *files]


def _results(
    table: Table, sample: Sample, section: Mapping[str, Any], ask: Ask
) -> dict[str, Result]:
    """Every metric of one representation."""
    return score_details(
        table.codes,
        sample.factors,
        section["metrics"],
        score_settings(section),
        num_train=sample.rows[0],
        num_test=sample.rows[1],
        factor_names=sample.names,
        categorical=table.categorical,
        ask=ask,
    )
