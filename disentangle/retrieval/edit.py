r"""Attribute manipulation retrieval: "this in another value", with one right answer.

A code is edited, and the gallery is searched for it; of the picture asked with, the
gallery has every other combination but its own. Hou et al. 2021 (ADDE, section 4.1)
leave the reference in, rank by hits among K and NDCG alone and show no baseline; here
the first place counts, beside

- chance, in closed form;
- "nothing", the code as it is: its neighbours differ in one attribute already;
- "filter", classify then filter: the labels that a classifier sees, the wanted one put
  in its place, and the pictures that the classifier gives these labels;
- "expected", the same without deciding: the largest $\sum_a \sum_v p_a(v) \log q_a(v)$
  of a query's probabilities p, certain of the wanted value, and a picture's q.

Means over queries of one attribute, then over attributes.
"""

import dataclasses
import functools

import numpy as np

from disentangle.data.queries import edits
from disentangle.data.worlds import World
from disentangle.errors import UserError
from disentangle.retrieval import scores
from disentangle.retrieval.asking import Asking, tuples_of
from disentangle.retrieval.encoder import Encoder
from disentangle.retrieval.outcome import EVERY, Example, Outcome, Row, mean_rows
from disentangle.retrieval.search import Found, matches, search

HITS = (5, 10, 30)
K = 30
SHOWN, NEAREST = 2, 4  # examples of each attribute, and pictures of each


@dataclasses.dataclass(frozen=True, eq=False)
class Questions:
    """All edits that are asked for, Q, and the gallery.

    Attributes:
      names: (A,) attributes.
      sizes: (A,) how many values each has.
      attribute: (Q,) the one that changes.
      old: (Q, A) labels of the references.
      wanted: (Q, A) of the targets.
      image: (Q,) images asked with.
      truth: (Q,) the same with the edit and nothing else changed.
      excluded: (Q,) rows of the gallery that are the references'.
      gallery: (G,) images.
      labels: (G, A) theirs.
      matches: (Q, A + 1) rows of the gallery by how many labels are as wanted.
    """

    names: tuple[str, ...]
    sizes: tuple[int, ...]
    attribute: np.ndarray
    old: np.ndarray
    wanted: np.ndarray
    image: np.ndarray
    truth: np.ndarray
    excluded: np.ndarray
    gallery: np.ndarray
    labels: np.ndarray
    matches: np.ndarray

    @property
    def images(self) -> np.ndarray:
        """All images that must be encoded."""
        return np.concatenate([self.image, self.gallery])

    @property
    def new(self) -> np.ndarray:
        """(Q, A) the wanted value of the attribute that changes, -1 of the others."""
        new = np.full_like(self.wanted, -1)
        rows = np.arange(len(new))
        new[rows, self.attribute] = self.wanted[rows, self.attribute]
        return new

    @functools.cached_property
    def chance(self) -> tuple[Row, ...]:
        """What a guess has: no model takes part, so it is counted once for all."""
        return tuple(chance(self))


def questions(world: World, asking: Asking) -> Questions:
    """The edits of a world, the same for every model.

    Raises:
      UserError: an attribute of which no edit can be asked for.
    """
    of, tuples = world.attributes, tuples_of(world, asking)
    row = np.full(of.tuples, -1)
    row[tuples] = np.arange(len(tuples))
    part = None if len(tuples) == of.tuples else np.sort(tuples)
    found = [
        edits(world, name, asking.queries, split=asking.split, gallery=part)
        for name in of.names
    ]
    for one in found:
        if not len(one.target):
            raise UserError(
                f"no edit of {one.attribute!r} can be asked for in the split "
                f"{asking.split!r} and the gallery {asking.gallery!r}"
            )
    reference = np.concatenate([one.reference for one in found])
    wanted = of.values(np.concatenate([one.target for one in found]))
    labels = of.values(tuples)
    return Questions(
        of.names,
        of.sizes,
        np.repeat(np.arange(len(found)), [len(one.target) for one in found]),
        of.values(reference),
        wanted,
        np.concatenate([one.image for one in found]),
        np.concatenate([one.truth for one in found]),
        row[reference],
        world.view("gallery", tuples),
        labels,
        matches(wanted, labels, row[reference]),
    )


def edit_retrieval(asked: Questions, encoder: Encoder, asking: Asking) -> Outcome:
    """How every way of editing does, and the baselines.

    Returns:
      Rows of the ways "chance", "nothing", "filter", "expected", the encoder's edits
      with the old value predicted, and "add, old known"; scores "exact@1", "hit@5",
      "hit@10", "hit@30", "mrr", "target@1" (the edited attribute is right), "kept@1"
      (share of the others that are), "ndcg@30" and, of the changed attribute and of the
      others, "ndcg_target@30", "ndcg_others@30", all as published, "ndcg_true@30" by
      the best there is, and "median rank". Arrays "leak <way>" (A, A): of edits of
      attribute i, the share whose nearest differs from the reference in attribute j.
    """
    gallery, codes = encoder.encode(asked.gallery), encoder.encode(asked.image)
    results = {
        way: search(
            queries,
            asked.wanted,
            held,
            asked.labels,
            min(K, len(held) - 1),
            excluded=asked.excluded,
            product=way == "expected",
        )
        for way, (queries, held) in _ways(asked, encoder, codes, gallery).items()
    }
    rows, arrays = list(asked.chance), {}
    for way, found in results.items():
        rows += mean_rows(way, _scored(asked, found), asking.bootstrap)
        rows += _medians(way, asked, found)
        nearest = asked.labels[found.nearest[:, 0]]
        arrays[f"leak {way}"] = np.stack(
            [
                scores.changed(nearest[own], asked.old[own])
                for own in _by_attribute(asked)
            ]
        )
    main = next(iter(encoder.edits))
    return Outcome(rows, arrays, _examples(asked, results[main]), encoder.notes)


def _ways(
    asked: Questions, encoder: Encoder, codes: np.ndarray, gallery: np.ndarray
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """way -> (queries, gallery) as they are compared."""
    held, seen = encoder.compared(gallery), encoder.classify(codes)
    predicted = np.stack([part.argmax(1) for part in seen], axis=1)
    found = {"nothing": (encoder.compared(codes), held)}
    for way, edit in encoder.edits.items():
        edited = edit(codes, predicted, asked.new)
        found[way] = (encoder.compared(edited), held)
    if "add" in encoder.edits:
        edited = encoder.edits["add"](codes, asked.old, asked.new)
        found["add, old known"] = (encoder.compared(edited), held)
    logs = encoder.classify(gallery)
    substituted = np.where(asked.new >= 0, asked.new, predicted)
    labels = np.stack([part.argmax(1) for part in logs], axis=1)
    found["filter"] = (
        _one_hot(substituted, asked.sizes),
        _one_hot(labels, asked.sizes),
    )
    certain = _one_hot(asked.new, asked.sizes)
    stays = np.repeat(asked.new < 0, asked.sizes, axis=1)
    sure = np.where(stays, np.exp(np.concatenate(seen, axis=1)), certain)
    found["expected"] = (sure, np.concatenate(logs, axis=1))
    return found


def _one_hot(labels: np.ndarray, sizes: tuple[int, ...]) -> np.ndarray:
    """(n, A) -> (n, S) float32, 0 everywhere for a label of -1."""
    parts = [
        column[:, None] == np.arange(size)
        for column, size in zip(labels.T, sizes, strict=True)
    ]
    return np.concatenate(parts, axis=1).astype(np.float32)


def _by_attribute(asked: Questions) -> list[np.ndarray]:
    """A arrays: the queries of each attribute; of a table there may be none."""
    return [np.flatnonzero(asked.attribute == a) for a in range(len(asked.names))]


def _grouped(
    asked: Questions, parts: dict[str, np.ndarray]
) -> dict[str, dict[str, np.ndarray]]:
    """attribute -> score -> (n,) of its queries, of attributes that have any."""
    groups = zip(asked.names, _by_attribute(asked), strict=True)
    return {
        name: {k: v[own] for k, v in parts.items()} for name, own in groups if len(own)
    }


def _scored(asked: Questions, found: Found) -> dict[str, dict[str, np.ndarray]]:
    """attribute -> score -> (n,) of each query."""
    k = found.nearest.shape[1]
    same = asked.labels[found.nearest] == asked.wanted[:, None]  # (Q, k, A)
    rows, most = np.arange(len(same)), same.shape[2]
    target = same[rows, :, asked.attribute].astype(np.float64)
    others = (same.sum(2) - target) / max(most - 1, 1)
    parts = {
        "exact@1": found.rank == 1,
        **{f"hit@{h}": found.rank <= h for h in HITS},
        "mrr": 1.0 / found.rank,
        "target@1": target[:, 0],
        "kept@1": others[:, 0],
        f"ndcg@{K}": scores.ndcg(same.mean(2)),
        f"ndcg_target@{K}": scores.ndcg(target),
        f"ndcg_others@{K}": scores.ndcg(others),
        f"ndcg_true@{K}": scores.ndcg(
            same.mean(2), scores.sorted_relevance(asked.matches, k)
        ),
    }
    return _grouped(asked, parts)


def _medians(way: str, asked: Questions, found: Found) -> list[Row]:
    """The median rank of each attribute, and their mean."""
    ranks = _grouped(asked, {"rank": found.rank})
    of = {name: float(np.median(parts["rank"])) for name, parts in ranks.items()}
    named = {EVERY: float(np.mean(list(of.values())))} | of
    return [Row(way, name, "median rank", value) for name, value in named.items()]


def chance(asked: Questions) -> list[Row]:
    """What a random order of the gallery gives, in closed form, without an interval."""
    rows = asked.matches.sum(1)
    right, most = asked.matches[:, -1], asked.matches.shape[1] - 1
    kinds = np.arange(most + 1) / most
    share = asked.matches / rows[:, None]
    kept, target = _agreement(asked)
    mean_kept = kept.sum(1) / max(most - 1, 1)
    reciprocal = {
        pair: scores.chance_reciprocal(*pair)
        for pair in set(zip(rows.tolist(), right.tolist(), strict=True))
    }
    pairs = zip(rows.tolist(), right.tolist(), strict=True)
    gain = (share * (2.0**kinds - 1)).sum(1)
    best = scores.sorted_relevance(asked.matches, min(K, int(rows.min())))
    by = scores.discounts(best.shape[1])
    parts = {
        "exact@1": right / rows,
        **{f"hit@{h}": scores.chance_hit(rows, right, h) for h in HITS},
        "mrr": np.array([reciprocal[pair] for pair in pairs]),
        "target@1": target,
        "kept@1": mean_kept,
        f"ndcg@{K}": gain,
        f"ndcg_target@{K}": target,
        f"ndcg_others@{K}": _others_gain(asked),
        f"ndcg_true@{K}": gain * by.sum() / ((2.0**best - 1) * by).sum(1),
    }
    return mean_rows("chance", _grouped(asked, parts), 0)


def _agreement(asked: Questions) -> tuple[np.ndarray, np.ndarray]:
    """Shares of the gallery, without the reference, that have each wanted label.

    Returns:
      ((Q, A) of the labels that stay, 0 at the one that changes; (Q,) of that one).
    """
    share = np.empty(asked.wanted.shape)
    own = np.where(asked.excluded[:, None] >= 0, asked.labels[asked.excluded], -2)
    rest = len(asked.labels) - (asked.excluded >= 0)
    for a, size in enumerate(asked.sizes):
        counts = np.bincount(asked.labels[:, a] + 1, minlength=size + 1)  # -1: missing
        same = counts[asked.wanted[:, a] + 1] - (own[:, a] == asked.wanted[:, a])
        share[:, a] = same / rest
    rows = np.arange(len(share))
    target = share[rows, asked.attribute]
    share[rows, asked.attribute] = 0.0
    return share, target


def _others_gain(asked: Questions) -> np.ndarray:
    """(Q,) the mean of 2^rel - 1 over the gallery, rel the share of other labels."""
    most, found = len(asked.names) - 1, np.zeros(len(asked.attribute))
    if not most:
        return found
    for a, own in enumerate(_by_attribute(asked)):
        rest = [b for b in range(len(asked.names)) if b != a]
        counts = matches(
            asked.wanted[own][:, rest], asked.labels[:, rest], asked.excluded[own]
        )
        kinds = 2.0 ** (np.arange(most + 1) / most) - 1
        found[own] = (counts * kinds).sum(1) / counts.sum(1)
    return found


def _examples(asked: Questions, found: Found) -> list[Example]:
    """Some queries of each attribute, evenly spread."""
    examples = []
    for name, own in zip(asked.names, _by_attribute(asked), strict=True):
        places = np.arange(1, SHOWN + 1) * len(own) // (SHOWN + 1)
        for q in own[np.unique(places)] if len(own) else ():
            nearest = found.nearest[q, :NEAREST]
            a = asked.attribute[q]
            examples.append(
                Example(
                    name,
                    int(asked.old[q, a]),
                    int(asked.wanted[q, a]),
                    int(asked.image[q]),
                    int(asked.truth[q]),
                    asked.gallery[nearest],
                    (asked.labels[nearest] == asked.wanted[q]).all(1),
                )
            )
    return examples
