"""Glow in float64: every step written out, pixels gathered one window at a time."""

import jax
import numpy as np
from scipy.stats import norm

from equations.reference import Case, Inputs


def conv64(x, kernel):
    """SAME 3x3 convolution, from its definition."""
    b, h, w, _ = x.shape
    y = np.zeros((b, h, w, kernel.shape[3]))
    for i in range(h):
        for j in range(w):
            for a, c in np.ndindex(3, 3):
                if 0 <= i + a - 1 < h and 0 <= j + c - 1 < w:
                    y[:, i, j] += x[:, i + a - 1, j + c - 1] @ kernel[a, c]
    return y


def norm64(norm, x):
    return (x + norm["bias"]) * np.exp(3 * norm["logs"])


def zero64(layer, x):
    return (conv64(x, layer["kernel"]) + layer["bias"]) * np.exp(3 * layer["logs"])


def matrix64(turn, fixed):
    if "w" in turn:
        return turn["w"]
    size = len(turn["logs"])
    diagonal = np.diag(fixed["sign"] * np.exp(turn["logs"]))
    lower = np.tril(turn["lower"], -1) + np.eye(size)
    return fixed["rows"] @ lower @ (np.triu(turn["upper"], 1) + diagonal)


def step64(p, fixed, x):
    """(y, log-determinant (B,))."""
    pixels = x.shape[1] * x.shape[2]
    w = matrix64(p["turn"], fixed)
    log = pixels * (3 * p["actnorm"]["logs"].sum() + np.linalg.slogdet(w)[1])
    x = norm64(p["actnorm"], x) @ w
    half = x.shape[3] // 2
    h = np.maximum(norm64(p["first_norm"], conv64(x[..., :half], p["first"])), 0)
    h = np.maximum(norm64(p["second_norm"], h @ p["second"]), 0)
    out = zero64(p["last"], h)
    scale = 1 / (1 + np.exp(-(out[..., half:] + 2)))
    moved = (x[..., half:] + out[..., :half]) * scale
    y = np.concatenate([x[..., :half], moved], 3)
    return y, log + np.log(scale).sum((1, 2, 3))


def squeeze64(x):
    b, h, w, c = x.shape
    y = np.zeros((b, h // 2, w // 2, c, 2, 2))
    for i, j in np.ndindex(2, 2):
        y[..., i, j] = x[:, i::2, j::2]
    return y.reshape(b, h // 2, w // 2, 4 * c)


def normal64(z, mean, logs):
    """log N(z; mean, exp(2 logs)) per image."""
    squares = np.square((z - mean) / np.exp(logs))
    return -0.5 * (squares + 2 * logs + np.log(2 * np.pi)).sum((1, 2, 3))


def density64(params, fixed, x, levels):
    """(eps (B, D), log p (B,)) of a flow's variables as float64 trees."""
    total, found = 0.0, []
    for i in range(levels):
        name, x = f"level_{i}", squeeze64(x)
        for k in range(len(params[name]["first"])):
            own = jax.tree.map(lambda leaf, k=k: leaf[k], params[name])
            kept = {n: leaf[k] for n, leaf in fixed.get(name, {}).items()}
            x, log = step64(own, kept, x)
            total = total + log
        if i < levels - 1:
            half = x.shape[3] // 2
            x, leaves = x[..., :half], x[..., half:]
            out = zero64(params[f"split_{i}"], x)
            mean, logs = out[..., :half], out[..., half:]
        else:
            leaves, mean = x, params["top"]["bias"] + np.zeros_like(x)
            logs = params["top"]["logs"] + np.zeros_like(x)
        total = total + normal64(leaves, mean, logs)
        found.append(((leaves - mean) / np.exp(logs)).reshape(len(x), -1))
    return np.concatenate(found[::-1], 1), total


def trees64(variables):
    """(parameters, what never moves), float64."""
    params = getattr(variables, "params", variables)
    fixed = variables.state["fixed"] if hasattr(variables, "state") else {}
    return jax.tree.map(np.float64, params), jax.tree.map(np.float64, fixed)


def levels64(inputs: Inputs):
    """(eps (B, D), log P (B,) nats of the levels of the images) of one draw of u."""
    bits, levels = inputs.settings.bits, inputs.settings.levels
    images = np.float64(inputs.batch["images"])
    u = np.float64(jax.random.uniform(inputs.key, images.shape))
    v = (np.floor(np.round(images * 255) / 2 ** (8 - bits)) + u) / 2**bits - 0.5
    params, fixed = trees64(inputs.params["flow"])
    eps, log_p = density64(params, fixed, v, levels)
    return eps, log_p - images[0].size * bits * np.log(2)


def glow(inputs: Inputs):
    _, nats = levels64(inputs)
    return {"glow": -nats.mean() / (inputs.batch["images"][0].size * np.log(2))}


def conditional_glow(inputs: Inputs):
    """The normals of the last numbers, written out place by place."""
    eps, nats = levels64(inputs)
    params = jax.tree.map(np.float64, inputs.params)
    sizes, columns = CONDITIONS[inputs.settings.condition]
    factors = np.asarray(inputs.batch["factors"])
    params = jax.tree.map(np.float64, inputs.params)
    prior, classifiers = params["prior"], params["classifiers"]
    channels = prior["kernel"].shape[1] // 2
    places = (inputs.batch["images"].shape[1] // 2**inputs.settings.levels) ** 2
    entropy = 0.0
    for row, own in enumerate(factors):
        chosen = [np.eye(k)[own[i]] for k, i in zip(sizes, columns, strict=True)]
        out = np.concatenate(chosen) @ prior["kernel"] + prior["bias"]
        mean, deviation = out[:channels], np.exp(out[channels:])
        h = eps[row, : places * channels].reshape(places, channels)
        nats[row] += norm.logpdf(h, mean, deviation).sum() - norm.logpdf(h).sum()
        logits = h.mean(0) @ classifiers["kernel"] + classifiers["bias"]
        for k, i in zip(sizes, columns, strict=True):
            part, logits = logits[:k], logits[k:]
            chance = np.exp(part[own[i]]) / np.exp(part).sum()
            entropy -= np.log(chance) / len(factors)
    bits = -nats.mean() / (inputs.batch["images"][0].size * np.log(2))
    return {"glow": bits + inputs.hyper.label_weight * entropy / np.log(2)}


CONDITIONS = {("x", "size"): ((4, 3), (3, 1)), (): ((2,), (0,))}  # of the toy


CASES = {
    "glow": [
        Case({"levels": 2, "depth": 1, "width": 4}, glow),
        Case({"levels": 1, "depth": 2, "width": 4, "turn": "dense", "bits": 1}, glow),
    ],
    "conditional_glow": [
        Case({"levels": 1, "depth": 1, "width": 4}, conditional_glow),
        Case(
            {"levels": 2, "depth": 1, "width": 4, "condition": ("x", "size")}
            | {"label_weight": 3.0},
            conditional_glow,
        ),
    ],
}
