"""Groups chosen by a few trained ones: what each task loses in them, on other images.

Each task alone, all pairs and all tasks together are trained; an estimator of
FROM_GROUPS predicts every group from their losses, and the best groups are chosen
exactly, as from any table of groups. The losses are those of validation images, held
out of training and of test: groups that were chosen on the test images would look
better there than they are.
"""

import itertools
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from disentangle.affinity import FROM_GROUPS, Grouping, GroupTable, group_tasks
from disentangle.affinity.from_groups.trained import pairs_and_all
from disentangle.affinity.group_table import MeasuredGroup
from disentangle.data.dataset import Dataset
from disentangle.data.samplers import Split, shuffled
from disentangle.errors import UserError
from disentangle.oracle import TaskTable
from disentangle.oracle.train import every_group
from disentangle.study.networks import (
    Networks,
    run_folders,
    training_config,
    weights_at,
)
from disentangle.study.stages import Stages, data_source, trained_source
from disentangle.training.final import evaluated
from disentangle.training.run import prepare

VALIDATION = "validation.parquet"
PREDICTED = "predicted.json"
LISTED, DRAWN = 4, 100  # seeds up to which all resamples are made; how many of more
Answer = tuple[tuple[str, ...], ...]


def chooses(config: Mapping[str, Any]) -> bool:
    """Whether a job's groups are chosen by a few trained ones."""
    return config["affinity"]["group_by"] in FROM_GROUPS


def pairs(tasks: Sequence[str]) -> list[list[str]]:
    """The names of all pairs of tasks."""
    return [list(pair) for pair in itertools.combinations(tasks, 2)]


def check_choice(
    config: Mapping[str, Any], tasks: Sequence[str], data: Dataset
) -> None:
    """Raises UserError where this choice cannot be made."""
    if not chooses(config):
        return
    by = f"affinity.group_by={config['affinity']['group_by']!r}"
    try:
        every_group(len(tasks))
    except UserError as error:
        raise UserError(
            f"{by} predicts every group: {error}, or group by an estimator of "
            f"affinity.estimators, {', '.join(config['affinity']['estimators'])}"
        ) from None
    validation_index(config, data)


def validation_index(config: Mapping[str, Any], data: Dataset) -> np.ndarray:
    """The validation images of a job; errors as of `held_out`."""
    _, _, split, test = prepare(training_config(config, "supervised"), data)
    return held_out(split, test, seed=config["data"]["split_seed"])


def held_out(split: Split, test: np.ndarray, *, seed: int) -> np.ndarray:
    """As many images as test images, none of them, and none of a label budget's.

    They stand before the test images in the permutation that the seed fixes. (Of a
    whole grid, data.train_size=0, training draws any image, of test too.)

    Args:
      split, test, seed: of `data.samplers.split_data`.

    Raises:
      UserError: training and test leave too few images.
    """
    total, count = split.data.space.size, len(test)
    trained = 0 if split.subset is None else split.size
    if total - trained < 2 * count:
        most = total - 2 * count
        hint = f"set data.train_size to at most {most}, or " if most > 0 else ""
        raise UserError(
            "choosing groups by a few trained ones compares them on as many images as "
            f"test has, {count}, of neither training nor test, and of {total} images "
            f"{total - trained - count} are left: {hint}take smaller data.train_size "
            "and data.test_size"
        )
    return np.sort(shuffled(total, total - 2 * count, total - count, seed=seed))


def write_validation(
    config: Mapping[str, Any], networks: Networks, data: Dataset, stages: Stages
) -> None:
    """validation.parquet: the losses of the groups that choose, unless it is done."""
    folder = stages.folder

    def work() -> list[str]:
        index = validation_index(config, data)
        groups = every_group(len(networks.tasks))
        table = networks.table(
            groups[pairs_and_all(groups)],
            lambda run, members: evaluated(run, data, index, members),
            data.name,
            "the choice of groups",
        )
        if table is None:
            raise UserError(
                "in every seed one of the networks that choose the groups diverged: "
                "lower supervised.optimizer.learning_rate in another workdir, or set "
                f"affinity.group_by={config['affinity']['estimators'][0]}"
            )
        table.save(folder / VALIDATION)
        return [VALIDATION]

    stages.once("validation", lambda: validation_source(config, folder), work)


def validation_source(config: Mapping[str, Any], folder: Path) -> list[Any]:
    """What the validation losses depend on: the networks of one task, two, and all."""
    spots = [folder / "multitask"]
    for spot in run_folders(folder):
        if any(sum(map(bool, mask)) <= 2 for mask in weights_at(spot)):
            spots.append(spot)
    trained = {spot.name: trained_source(spot) for spot in spots}
    return [data_source(config["data"]), config["supervised"], trained]


def choose(table: TaskTable, how: str, budget: int) -> tuple[Grouping, GroupTable]:
    """The best groups within a budget, and the predictions that they are best by.

    Args:
      table: losses of a few groups, of one seed or more; their mean counts.
      how: a name in FROM_GROUPS.
      budget: at most how many groups.
    """
    predicted = predict(table, how)
    return group_tasks(predicted, budget), predicted


def predict(table: TaskTable, how: str) -> GroupTable:
    """The losses of every group, as one of FROM_GROUPS predicts them.

    A group with a member whose loss it cannot tell is left out.
    """
    groups = every_group(len(table.tasks))
    masks = groups @ (1 << np.arange(len(table.tasks)))
    rows = table.groups @ (1 << np.arange(len(table.tasks))) - 1
    losses = np.full(groups.shape, np.nan)
    losses[rows] = table.loss.mean(axis=0)
    found = FROM_GROUPS[how](groups, losses, np.sort(rows))
    names = np.array(table.tasks)
    order = sorted(range(len(groups)), key=lambda g: (groups[g].sum(), masks[g]))
    return GroupTable(
        table.tasks,
        "min",
        tuple(
            MeasuredGroup(tuple(names[groups[g]].tolist()), tuple(own.tolist()))
            for g in order
            if np.isfinite(own := found[g, groups[g]]).all()
        ),
    )


def redraws(
    table: TaskTable, how: str, budget: int, groups: Answer
) -> dict[str, Any] | None:
    """How often the groups come back when the seeds are drawn anew; None of one seed.

    As many seeds as there are, drawn with replacement (the bootstrap): all ways for up
    to four seeds, 100 at random of more. Networks of one seed stay together: they began
    alike and saw the same images.

    Returns:
      The fields of `study.groups.Redraws`.
    """
    count, n = len(table.seeds), len(table.tasks)
    if count < 2:
        return None
    if count <= LISTED:
        drawn = np.array(list(itertools.product(range(count), repeat=count)))
    else:
        drawn = np.random.default_rng(0).integers(0, count, (DRAWN, count))
    times = Counter(tuple(sorted(draw)) for draw in drawn.tolist())
    found: Counter[Answer] = Counter()
    for seeds, often in times.items():
        own = TaskTable(
            table.tasks,
            table.groups,
            tuple(range(count)),
            table.loss[list(seeds)],
        )
        found[choose(own, how, budget)[0].groups] += often
    together = np.zeros((n, n))
    for answer, often in found.items():
        inside = np.array([[t in group for t in table.tasks] for group in answer])
        together += often * (inside.T.astype(int) @ inside > 0)
    total = len(drawn)
    return {
        "redraws": total,
        "share": found[groups] / total,
        "answers": len(found),
        "clear": 0,
        "cells": 0,
        "together": (together / total).tolist(),
        "most": [
            {"groups": [list(group) for group in answer], "share": often / total}
            for answer, often in found.most_common(5)
        ],
        "of": "seeds",
    }
