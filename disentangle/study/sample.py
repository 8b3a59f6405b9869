"""The data set of a run, which images are scored, and the labels to score by."""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from disentangle.data import DATASETS, load
from disentangle.data.dataset import Dataset
from disentangle.data.own import NAME as OWN
from disentangle.data.pooled import PEAK, smaller
from disentangle.data.samplers import shuffled
from disentangle.errors import UserError
from disentangle.errors import shown as seen
from disentangle.fields import defaults
from disentangle.metrics.table import read_representation
from disentangle.training.config import stage_configs
from disentangle.training.data_spec import DataSpec
from disentangle.training.kept import IMAGES, kept_data
from disentangle.training.sections import Source
from disentangle.training.stages import stage_folder
from disentangle.training.trained import Run

MOST_ROWS = 10**7  # a table of more would fill the memory
LEAST = 3  # images with labels, two to fit and one to test
REAL = 20  # different real numbers from which on a factor is cut into BINS
BINS = 10


class Sample(NamedTuple):
    """Images to score: those that estimators are fitted on, then those that test.

    Attributes:
      images: (N,) their numbers.
      factors: (N, F) int, or None where there are no labels to score by.
      names: the F factors.
      rows: how many fit and how many test; their sum is N.
    """

    images: np.ndarray
    factors: np.ndarray | None
    names: tuple[str, ...]
    rows: tuple[int, int]


def load_data(section: dict[str, Any], workdir: Path | None = None) -> Dataset:
    """The data set of a config's `data` section.

    Args:
      section: of the config.
      workdir: of a run, which holds the images where they were given as arrays.
    """
    if workdir is not None and not section["path"]:
        held = kept_data(workdir)
        if held is not None:
            return held
    return load(
        section["name"],
        path=section["path"] or None,
        source=section["source"] or None,
        size=section.get("size", 0),  # older jobs have none
    )


def load_stages(config: dict[str, Any], workdir: Path) -> list[Dataset]:
    """The data set of every stage of a training config, each loaded once."""
    configs, loaded = stage_configs(config), dict[tuple, Dataset]()
    found = []
    for number, one in enumerate(configs, start=1):
        section, folder = one["data"], stage_folder(workdir, number, len(configs))
        source = tuple(section[name] for name in defaults(Source))
        own = (*source, folder) if (folder / IMAGES).exists() else source
        if own not in loaded:
            loaded[own] = load_data(section, folder)
        found.append(loaded[own])
    return found


def data_of(run: Run) -> Dataset:
    """The data set that a run was trained on, found again, its images as small.

    Raises:
      UserError: it was given as arrays that were not kept, or is not where it was.
    """
    try:
        section = dict(run.config["data"])
        recipe = DATASETS.get(section["name"])
        if recipe and recipe.sized:  # photographs are read at the size they had
            section["size"] = run.spec.shape[0]
        return as_small(load_data(section, run.workdir), run.spec)
    except UserError as error:
        if run.config["data"]["name"] != OWN or run.config["data"]["path"]:
            raise
        raise UserError(
            f"the images of this run were given as arrays and not kept ({error}): give "
            "data="
        ) from None


def as_small(data: Dataset, spec: DataSpec) -> Dataset:
    """The data set at the run's size, where `dt.load(name, size=...)` made it small."""
    side = spec.shape[0]
    is_small = spec.max_value == PEAK and spec.shape[:2] == (side, side)
    is_whole = not (data.is_streamed or any(n % side for n in data.shape[:2]))
    return smaller(data, side) if is_small and is_whole else data


def check_rows(num_train: int, num_test: int) -> None:
    """Raises UserError for numbers of images that cannot be scored."""
    for name, value, least in (("num_train", num_train, 2), ("num_test", num_test, 1)):
        whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
        if not whole or not least <= value <= MOST_ROWS:
            raise UserError(
                f"{name}={seen(value)} must be a whole number from {least} to "
                f"{MOST_ROWS:,}"
            )


def check_sample(data: Dataset, rows: tuple[int, int], *, seed: int) -> None:
    """Raises UserError if these rows of the data set cannot be scored.

    Known from the factors alone, before anything is trained or encoded.
    """
    check_rows(*rows)
    index, factors, names, rows = choose_sample(data, rows, seed=seed)
    sampled = read_representation(
        np.zeros((len(index), 1)),
        factors,
        num_train=rows[0],
        num_test=rows[1],
        factor_names=names,
    )
    if not data.space.is_grid:
        return  # a rare value of a table is left out, with a note
    for name, size in zip(data.space.names, data.space.sizes, strict=True):
        if size > 1 and name in sampled.left_out:
            raise UserError(
                f"{name!r} has {size} values but only one in all {rows[0]:,} training "
                "rows: give a larger num_train"
            )


def choose_sample(data: Dataset, rows: tuple[int, int], *, seed: int) -> Sample:
    """`rows` = (fit, test) images of a data set, by `seed`.

    Of a grid, uniform with replacement (Locatello et al. 2019). Of a table, different
    images whose labels are all known; of fewer than asked for two thirds fit and one
    third tests. Where no image has all labels, or there are no factors, any images,
    and no labels.

    Raises:
      UserError: a table has fewer than three images to score.
    """
    if data.space.is_grid:
        index = sample_index(data, sum(rows), seed=seed)
    else:
        candidates = complete_images(data)
        if len(candidates) < LEAST:
            raise UserError(
                f"scores need at least {LEAST} images, but {data.name} has "
                f"{len(candidates)} with all their labels"
            )
        if len(candidates) < sum(rows):
            test = max(1, len(candidates) // 3)
            rows = (len(candidates) - test, test)
        index = candidates[shuffled(len(candidates), 0, sum(rows), seed=seed)]
    names = label_names(data)
    return Sample(index, labels_of(data, index) if names else None, names, rows)


def sample_index(data: Dataset, count: int, *, seed: int) -> np.ndarray:
    """`count` image indices, uniform with replacement (Locatello et al. 2019).

    Of a table, among the images whose labels are all known, if there are any.
    """
    drawn = np.random.default_rng(seed)
    if data.space.is_grid:
        return drawn.integers(0, len(data), count)
    candidates = complete_images(data)
    return candidates[drawn.integers(0, len(candidates), count)]


def complete_images(data: Dataset) -> np.ndarray:
    """(n,) the images whose labels are all known; all, where there is none."""
    every = np.arange(len(data))
    known = data.known(every)
    complete = every if known is None else every[known.all(axis=1)]
    return complete if len(complete) else every


def label_names(data: Dataset) -> tuple[str, ...]:
    """The factors that images can be scored by; () if no image has all labels."""
    known = data.known(complete_images(data)[:1])
    return data.space.names if known is None or known.all() else ()


def labels_of(data: Dataset, index: np.ndarray) -> np.ndarray:
    """(N, F) int labels for scores, F as in `label_names`.

    A real-valued factor of more than 20 different numbers is cut into ten bins of
    equally many images.
    """
    if not label_names(data):
        return np.zeros((len(index), 0), np.int32)
    factors = np.array(data.factors(index))
    for column, factor in enumerate(data.space.items):
        if factor.kind == "real" and factor.size > REAL:
            below = np.cumsum(factor.weights) - factor.weights
            factors[:, column] = (below * BINS).astype(np.int32)[factors[:, column]]
    return factors
