"""What a run was told, what it spent, what became of it: facts beside its scores.

Scores are compared between runs that were told as much and trained as long, and whose
models all learned something; here is what says so.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np

from disentangle.data.dataset import Dataset
from disentangle.data.samplers import Split
from disentangle.methods import METHODS
from disentangle.methods.activity import measured
from disentangle.methods.base import Method
from disentangle.metrics.discretize import histogram_bins
from disentangle.metrics.mutual_information import mutual_information
from disentangle.metrics.shuffled import shuffled_floor
from disentangle.records import JsonRecord
from disentangle.study.code_survey import ROWS
from disentangle.study.components import narrowed
from disentangle.study.encoding import encode_images
from disentangle.study.sample import labels_of, sample_index
from disentangle.study.scores import Scores
from disentangle.study.visualize import active_units
from disentangle.training.config import default_config, plain
from disentangle.training.run import Run

LEARNED, COLLAPSED, DIVERGED = "learned", "collapsed", "diverged"
# Fields that a paper's protocol and a run of ours may differ in without a word.
OWN = {"seed", "seeds", "log_every", "eval_every", "checkpoint_every"}


@dataclasses.dataclass(frozen=True)
class Member:
    """One model of a run.

    Attributes:
      name: as in the run.
      seed: its seed.
      active: latents whose code varies over images by more than 0.01 (variance).
      state: "learned"; "collapsed", no active latent, or codes that tell no more of
        any factor than of a shuffled one; or "diverged".
    """

    name: str
    seed: int
    active: int
    state: str


@dataclasses.dataclass(frozen=True)
class Unlike:
    """A field in which a run is not as its paper has it."""

    field: str  # dotted, "optimizer.learning_rate"
    ours: Any
    paper: Any


@dataclasses.dataclass(frozen=True)
class Facts(JsonRecord):
    """facts.json: what stands beside the scores of a run.

    Attributes:
      method: name in METHODS.
      supervision: what they were told, see methods/supervision.py.
      labels: labelled images, where the method's own supervision is "labels"; else
        None.
      steps, batch_size: as trained.
      images_per_step: images that a step sees, partners and labelled ones included.
      images_seen: steps times images_per_step.
      learning_rates: player -> its learning rates, several of a sweep.
      latents: D.
      members: every model of the run.
      unlike: what differs from the paper's protocol; None where that is not known.
      published: whose settings that protocol is, `Recipe.published`.
    """

    FILE: ClassVar[str] = "facts.json"
    method: str
    supervision: str
    labels: int | None
    steps: int
    batch_size: int
    images_per_step: int
    images_seen: int
    learning_rates: dict[str, list[float]]
    latents: int
    members: list[Member]
    unlike: list[Unlike] | None
    published: str = ""


@dataclasses.dataclass(frozen=True)
class ComparedScores(Scores):
    """scores.json of a comparison: the scores of its runs, and run -> its Facts."""

    facts: dict[str, Facts] = dataclasses.field(default_factory=dict)


def describe(run: Run, data: Dataset) -> Facts:
    """The facts of a trained run; ROWS images are encoded for what became of it."""
    config = plain(run.config)
    method, steps = config["method"], config["steps"]
    supervision, told = run.supervision, METHODS[method["name"]].supervision
    seen = images_per_step(run.method, data, config["batch_size"])
    index = sample_index(data, ROWS, seed=0)
    read = narrowed(run, data, index)
    codes, labels = encode_images(read, data, index), labels_of(data, index)
    codes = measured(run.method, codes)
    members = [
        _member(name, int(swept["seed"]), bool(alive), own, labels)
        for name, swept, alive, own in zip(
            run.members, run.swept, run.alive, codes, strict=True
        )
    ]
    return Facts(
        method=method["name"],
        supervision=supervision,
        labels=int(method["labels"]) if told == "labels" else None,
        steps=steps,
        batch_size=config["batch_size"],
        images_per_step=seen,
        images_seen=steps * seen,
        learning_rates=learning_rates(run.method, config),
        latents=codes.shape[2],
        members=members,
        unlike=differences(config),
        published=METHODS[method["name"]].published,
    )


def _member(
    name: str, seed: int, alive: bool, codes: np.ndarray, labels: np.ndarray
) -> Member:
    if not alive or not np.isfinite(codes).all():
        return Member(name, seed, 0, DIVERGED)
    active = int(active_units(codes[None])[0])
    learned = active > 0 and informed(codes, labels)
    return Member(name, seed, active, LEARNED if learned else COLLAPSED)


def informed(codes: np.ndarray, labels: np.ndarray) -> bool:
    """Whether any code (N, D) tells more of a factor (N, F) than of a shuffled one."""
    if not labels.shape[1]:
        return True  # nothing is known that they could tell
    bins = histogram_bins(codes)
    known = mutual_information(bins, labels)
    return bool((known > shuffled_floor(bins, labels)[None]).any())


def images_per_step(method: Method, data: Dataset, batch_size: int) -> int:
    """Images in the batch of a step: those drawn, their partners, the labelled."""
    index = jnp.zeros((batch_size,), jnp.int32)
    collate = lambda index, key: method.collate(Split(data), index, key)
    batch = jax.eval_shape(collate, index, jax.random.key(0))
    images = [field for field in batch if field.rpartition("/")[2] == "images"]
    return sum(int(batch[field].shape[0]) for field in images)


def learning_rates(method: Method, config: Mapping[str, Any]) -> dict[str, list[float]]:
    """Player -> its learning rates: the run's, or those of an optimiser of its own."""
    found = {}
    for name, player in method.players.items():
        rate = config["optimizer"]["learning_rate"]
        if player.optimizer is not None:
            rate = config["method"][player.rate]
        found[name] = [float(r) for r in (rate if isinstance(rate, list) else [rate])]
    return found


def differences(config: Mapping[str, Any]) -> list[Unlike] | None:
    """Where a config is not as the method's paper has it, by `Recipe.protocol`.

    That names what the paper sets unlike `default_config`, whose 20,000 steps are
    300,000 in the protocol of Locatello et al. 2019. None: it is not known.
    """
    name = config["method"]["name"]
    protocol = METHODS[name].protocol
    if protocol is None:
        return None
    ours = _flat({k: v for k, v in plain(config).items() if k != "data"})
    paper = _flat(plain(default_config("", name, config["optimizer"]["name"])))
    paper |= {"steps": 300_000} | plain(dict(protocol))
    return [
        Unlike(field, ours[field], paper[field])
        for field in paper
        if field in ours and field not in OWN and ours[field] != paper[field]
    ]


def _flat(tree: Mapping[str, Any], under: str = "") -> dict[str, Any]:
    """{"a": {"b": 1}} -> {"a.b": 1}."""
    found: dict[str, Any] = {}
    for key, value in tree.items():
        if isinstance(value, Mapping):
            found |= _flat(value, f"{under}{key}.")
        else:
            found[f"{under}{key}"] = value
    return found
