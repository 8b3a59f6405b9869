"""ADDE in float64 loops: both stages, of codes, logits and labels."""

import itertools
from typing import Any

import numpy as np

from equations.reference import Case, Inputs


def unit(x: np.ndarray) -> np.ndarray:
    return x / np.maximum(np.linalg.norm(x, axis=-1, keepdims=True), 1e-12)


def entropy(logits: np.ndarray, y: np.ndarray) -> float:
    each = [
        np.log(np.exp(row - row.max()).sum()) + row.max() - row[label]
        for row, label in zip(logits, y, strict=True)
        if label >= 0
    ]
    return float(np.mean(each)) if each else 0.0


def semi_hard(rows: Any, x: np.ndarray, margin: float, missing: str) -> float:
    """Every ordered pair of one label, its nearest negative beyond, or the furthest."""
    rows = [tuple(np.atleast_1d(row)) for row in rows]
    kept = [i for i, row in enumerate(rows) if missing == "class" or min(row) >= 0]
    found = []
    for a, p in itertools.permutations(kept, 2):
        if rows[a] != rows[p]:
            continue
        near = ((x[a] - x[p]) ** 2).sum()
        far = [((x[a] - x[n]) ** 2).sum() for n in kept if rows[n] != rows[a]]
        beyond = [d for d in far if d > near]
        negative = min(beyond) if beyond else max(far, default=0.0)
        found.append(max(0.0, margin + near - negative))
    return float(np.mean(found)) if found else 0.0


def one_hot(y: np.ndarray, sizes: tuple[int, ...]) -> np.ndarray:
    found = np.zeros((len(y), sum(sizes)))
    for i, row in enumerate(y):
        for a, value in enumerate(row):
            if value >= 0:
                found[i, sum(sizes[:a]) + value] = 1
    return found


def block(table: np.ndarray, sizes: tuple[int, ...]) -> np.ndarray:
    """M (A d, S) of the columns of its blocks (d, S)."""
    d = len(table)
    found = np.zeros((d * len(sizes), sum(sizes)))
    for a, size in enumerate(sizes):
        own = slice(sum(sizes[:a]), sum(sizes[:a]) + size)
        found[a * d : (a + 1) * d, own] = table[:, own]
    return found


def first_stage(codes: Any, logits: Any, y: Any, hyper: Any, missing: str) -> float:
    each = range(y.shape[1])
    value = hyper.entropy * sum(entropy(logits[a], y[:, a]) for a in each)
    value += hyper.attribute_triplet * sum(
        semi_hard(y[:, a], unit(codes[:, a]), hyper.margin, missing) for a in each
    )
    whole = unit(codes.reshape(len(codes), -1))
    return value + hyper.whole_triplet * semi_hard(y, whole, hyper.margin, missing)


def second_stage(
    codes: Any, logits: Any, y: Any, matrix: Any, classify: Any, hyper: Any, how: Any
) -> float:
    """codes (3 B, A, d) of references, positives, negatives; `classify` of codes."""
    count, sizes = len(y) // 3, tuple(part.shape[1] for part in logits)
    v = one_hot(y, sizes)
    flat = codes.reshape(len(codes), -1)
    parts = [slice(i * count, (i + 1) * count) for i in range(3)]
    ref, pos, neg = parts
    edited = flat[ref] + (v[pos] - v[ref]) @ matrix.T
    total = 0.0
    for part in parts:
        total += sum(entropy(logit[part], y[part, a]) for a, logit in enumerate(logits))
    seen = classify(edited.reshape(count, *codes.shape[1:]))
    total = hyper.entropy * (
        total + sum(entropy(logit, y[pos, a]) for a, logit in enumerate(seen))
    )
    among = unit(np.concatenate([flat[ref], edited, flat[neg]]))
    total += hyper.label_triplet * semi_hard(y, among, hyper.margin, how.missing)
    distance = lambda a, b: np.linalg.norm(unit(a) - unit(b) + 1e-6, axis=1)
    gap = distance(edited, flat[pos]) - distance(edited, flat[neg])
    total += hyper.compositional * np.maximum(0, gap + hyper.edit_margin).mean()
    first = edited if how.tie == "edited" else flat[pos]
    known = np.repeat(y >= 0, codes.shape[2], axis=1) | (how.missing == "class")
    for r, part in ((first, pos), (flat[ref], ref), (flat[neg], neg)):
        off = np.where(known[part], v[part] @ matrix.T - r, 0.0)
        total += hyper.consistency * np.abs(off).mean()
    outside = matrix - block_part(matrix, sizes)
    return total + hyper.off_block * np.abs(outside).sum()


def block_part(matrix: np.ndarray, sizes: tuple[int, ...]) -> np.ndarray:
    """M with 0 outside of its blocks."""
    d, found = len(matrix) // len(sizes), np.zeros_like(matrix)
    for a in range(len(sizes)):
        own = slice(a * d, (a + 1) * d), slice(sum(sizes[:a]), sum(sizes[: a + 1]))
        found[own] = matrix[own]
    return found


def labels(inputs: Inputs) -> np.ndarray:
    y = np.asarray(inputs.batch["factors"])
    known = inputs.batch.get("known")
    return y if known is None else np.where(np.asarray(known), y, -1)


def adde(inputs: Inputs) -> dict[str, float]:
    """Either stage, all factors of the toy its attributes."""
    features = inputs.net("encoder", inputs.batch["images"])
    heads = inputs.method.nets["heads"].apply(
        inputs.params["heads"], np.float32(features)
    )
    codes = np.float64(heads.codes)
    logits, y = [np.float64(p) for p in heads.predictions], labels(inputs)
    how, hyper = inputs.settings, inputs.hyper
    if how.learns == "attributes":
        return {"adde": first_stage(codes, logits, y, hyper, how.missing)}
    sizes = tuple(part.shape[1] for part in logits)
    table = np.float64(inputs.params["memory"]["table"])
    matrix = table if how.memory == "dense" else block(table, sizes)
    own = [inputs.params["heads"][f"prediction_{a}"] for a in range(len(sizes))]
    classify = lambda r: [
        r[:, a] @ np.float64(p["kernel"]) + np.float64(p["bias"])
        for a, p in enumerate(own)
    ]
    return {"adde": second_stage(codes, logits, y, matrix, classify, hyper, how)}


STAGES = [
    Case({"subspace": 3}, adde),
    Case({"subspace": 3, "learns": "attributes", "whole_triplet": 0.7}, adde),
    Case({"subspace": 5, "tie": "edited", "memory": "dense", "off_block": 0.01}, adde),
]
CASES = {
    "adde": STAGES,
    "adde_paper": [
        Case({"subspace": 3}, adde),
        Case({"subspace": 3, "learns": "attributes"}, adde),
    ],
}
