"""What learns to retrieve, in float64 loops: CSN, AMNet, FashionSearchNet, sets."""

from typing import Any

import numpy as np

from equations import adde as by_hand
from equations.reference import Case, Inputs


def relu(x: Any) -> np.ndarray:
    return np.maximum(0.0, x)


def softmax(x: np.ndarray) -> np.ndarray:
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def layer(x: np.ndarray, params: Any) -> np.ndarray:
    return x @ np.float64(params["kernel"]) + np.float64(params["bias"])


def entropies(logits: Any, y: np.ndarray) -> float:
    return sum(by_hand.entropy(part, y[:, a]) for a, part in enumerate(logits))


def csn(inputs: Inputs) -> dict[str, float]:
    x, h = inputs.net("encoder", inputs.batch["images"]), inputs.hyper
    which, count = np.asarray(inputs.batch["condition"]), len(x) // 3
    y = by_hand.labels(inputs)
    if inputs.settings.masks == "fixed":
        share = np.arange(x.shape[1]) * 4 // x.shape[1]
        masks = np.float64(share[None] == which[:, None])
    else:
        masks = relu(np.float64(inputs.params["masks"]["table"]))[which]
    triplet, anchors = [], range(count)
    for i in anchors:
        near, far = count + i, 2 * count + i
        assert y[i, which[i]] == y[near, which[i]] != y[far, which[i]]
        d = lambda j, i=i: np.linalg.norm(masks[i] * (x[i] - x[j]) + 1e-6)
        triplet.append(max(0.0, d(near) - d(far) + h.margin))
    norms = [np.linalg.norm(part) for part in np.split(x, 3)]
    value = np.mean(triplet) + h.code_norm * np.mean(norms) / np.sqrt(count)
    return {"csn": value + h.mask_norm * np.abs(masks).sum() / count}


def amnet(inputs: Inputs) -> dict[str, float]:
    sizes, h, params = (2, 3, 4, 4), inputs.hyper, inputs.params
    r, y = inputs.net("encoder", inputs.batch["images"]), by_hand.labels(inputs)
    classify = lambda r: np.split(
        layer(r, params["classifier"]), np.cumsum(sizes)[:-1], axis=1
    )
    if inputs.settings.learns == "attributes":
        return {"amnet": h.entropy * entropies(classify(r), y)}
    (r, near, far), (before, after, _) = np.split(r, 3), np.split(y, 3)
    wanted = np.where(before != after, after, -1)
    t = by_hand.one_hot(wanted, sizes) @ np.float64(params["memory"]["table"]).T
    new = relu(layer(np.concatenate([r, t], axis=1), params["fusion"]))
    value = entropies(classify(r), before) + entropies(classify(new), after)
    d = lambda a, b: np.linalg.norm(a - b + 1e-6, axis=1)
    ranking = relu(d(new, near) - d(new, far) + h.margin).mean()
    return {"amnet": h.entropy * value + h.ranking * ranking}


def fashion_search_net(inputs: Inputs) -> dict[str, float]:
    """Of what the network says, which tests/nn/test_activation_maps.py looks at."""
    images, h, y = inputs.batch["images"], inputs.hyper, by_hand.labels(inputs)
    seen = inputs.method.nets["encoder"].apply(inputs.params["encoder"], images)
    r = np.float64(seen.codes)
    logits = [[np.float64(x) for x in part] for part in (seen.coarse, seen.predictions)]
    value = h.entropy * (entropies(logits[0], y) + entropies(logits[1], y))
    value += h.attribute_triplet * sum(
        by_hand.semi_hard(y[:, a], by_hand.unit(r[:, a]), h.margin, "ignore")
        for a in range(4)
    )
    (own, near, far), (before, after, _) = np.split(r, 3), np.split(y, 3)
    query = np.where((before != after)[..., None], near, own)
    q, near, far = (by_hand.unit(x.reshape(len(x), -1)) for x in (query, near, far))
    d = lambda a, b: np.linalg.norm(a - b + 1e-6, axis=1)
    whole = relu(d(q, near) - d(q, far) + h.margin).mean()
    return {"fashion_search_net": value + h.whole_triplet * whole}


CATEGORY, SLOTS = 1, 3  # of the toy: "size" is the category, an item of each value
OWNER = np.array([[-1, 2, 1], [2, -1, 0], [1, 0, -1]])  # 0 shape, 1 turn, 2 x


def set_distances(inputs: Inputs, codes: np.ndarray, pair: Any) -> Any:
    """(B, n - 1), (B, m, n - 1) squared distances, of a batch that is a set each."""
    y, slot = by_hand.labels(inputs), np.asarray(inputs.batch["slot"])
    b = len(slot)
    codes, y = codes.reshape(-1, b, codes.shape[1]), y.reshape(-1, b, y.shape[1])
    near, far, column = [], [], {0: 0, 1: 2, 2: 3}
    for j in range(b):
        own = y[0, j, CATEGORY]
        assert own == slot[j]
        others, rows = [i for i in range(SLOTS) if i != own], []
        for i in others:
            shares = column[OWNER[i, own]]
            assert y[1 + i, j, CATEGORY] == i
            assert y[1 + i, j, shares] == y[0, j, shares]
        items = [0, *range(1 + SLOTS, len(codes))]
        for k in items[1:]:
            owned = [column[OWNER[i, own]] for i in others]
            assert y[k, j, CATEGORY] == own
            assert (y[k, j, owned] != y[0, j, owned]).any()
        for k in items:
            d = lambda i, k=k, j=j, own=own: (
                (pair(codes[k, j], own, i) - pair(codes[1 + i, j], i, own)) ** 2
            ).sum()
            rows.append([d(i) for i in sorted(others, key=lambda i: (i - own) % SLOTS)])
        near.append(rows[0])
        far.append(rows[1:])
    return np.array(near), np.array(far)


def ranking(near: np.ndarray, far: np.ndarray, margin: float) -> float:
    return relu(near.mean(1) - far.mean(2).min(1) + margin).mean()


def weights(params: Any, own: int, other: int) -> np.ndarray:
    given = np.concatenate([np.eye(3)[min(own, other)], np.eye(3)[max(own, other)]])
    return softmax(layer(relu(layer(given, params["Dense_0"])), params["Dense_1"]))


def csa_net(inputs: Inputs) -> dict[str, float]:
    x = inputs.net("encoder", inputs.batch["images"])
    table = np.float64(inputs.params["masks"]["table"])
    pair = lambda x, own, other: (
        x * (weights(inputs.params["weights"], own, other) @ table)
    )
    near, far = set_distances(inputs, x, pair)
    return {"csa_net": ranking(near, far, inputs.hyper.margin)}


def type_aware(inputs: Inputs) -> dict[str, float]:
    x, h = inputs.net("encoder", inputs.batch["images"]), inputs.hyper
    masks = relu(np.float64(inputs.params["masks"]["table"]))
    number = {(0, 0): 0, (0, 1): 1, (0, 2): 2, (1, 1): 3, (1, 2): 4, (2, 2): 5}
    mask = lambda own, other: masks[number[min(own, other), max(own, other)]]
    near, far = set_distances(inputs, x, lambda x, own, other: x * mask(own, other))
    hinge = relu(np.sqrt(near)[:, None] - np.sqrt(far) + h.margin).mean()
    slot = np.asarray(inputs.batch["slot"])
    used = [mask(s, i).sum() for s in slot for i in range(SLOTS) if i != s]
    value = hinge + h.code_norm * np.linalg.norm(x) / np.sqrt(len(x))
    return {"type_aware": value + h.mask_norm * np.mean(used)}


def adde_outfits(inputs: Inputs) -> dict[str, float]:
    params, h, y = inputs.params, inputs.hyper, by_hand.labels(inputs)
    features = inputs.net("encoder", inputs.batch["images"])
    heads, codes = params["heads"], []
    for a in range(4):
        hidden = relu(layer(features, heads[f"hidden_{a}"]))
        codes.append(layer(hidden, heads[f"code_{a}"]))
    logits = [layer(r, heads[f"prediction_{a}"]) for a, r in enumerate(codes)]
    flat = np.concatenate(codes, axis=1)

    def pair(x: np.ndarray, own: int, other: int) -> np.ndarray:
        w, parts = weights(params["weights"], own, other), np.split(x, 4)
        if inputs.settings.width:
            kernel = np.float64(params["layers"]["kernel"])
            parts = [part @ kernel[a] for a, part in enumerate(parts)]
        return np.concatenate([w[a] * part for a, part in enumerate(parts)])

    near, far = set_distances(inputs, flat, pair)
    value = ranking(near, far, h.margin) + h.entropy * entropies(logits, y)
    return {"adde_outfits": value}


CASES = {
    "csn": [Case({"latents": 8}, csn), Case({"latents": 8, "masks": "fixed"}, csn)],
    "amnet": [Case({}, amnet), Case({"learns": "attributes", "entropy": 2.0}, amnet)],
    # Codes of an untrained network are so alike that float32 mines other negatives.
    "fashion_search_net": [
        Case({"subspace": 3, "attribute_triplet": 0.0}, fashion_search_net)
    ],
    "csa_net": [Case({"latents": 8, "masks": 3}, csa_net)],
    "type_aware": [Case({"latents": 8, "negatives": 2}, type_aware)],
    "adde_outfits": [
        Case({"subspace": 3, "width": 5}, adde_outfits),
        Case({"subspace": 3, "width": 0, "negatives": 1}, adde_outfits),
    ],
}
