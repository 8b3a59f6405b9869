"""JointVAE, QLAE, Tripod."""

import jax
import numpy as np

from equations.reference import Case, Inputs, kl64, nll64


def softmax64(x: np.ndarray) -> np.ndarray:
    """Over the last axis."""
    exp = np.exp(x - x.max(-1, keepdims=True))
    return exp / exp.sum(-1, keepdims=True)


def joint_vae(inputs: Inputs) -> dict[str, float]:
    """-E log p(x|z,c) + gamma |KL_z - C_z| + gamma |KL_c - C_c| (Dupont 2018, 7)."""
    x, h = inputs.batch["images"], inputs.hyper
    m, sizes = inputs.settings.continuous, inputs.settings.categories
    out = inputs.net("encoder", x)
    mean, logvar, logits = out[:, :m], out[:, m : 2 * m], out[:, 2 * m :]
    keys = jax.random.split(inputs.key, 1 + len(sizes))
    columns = [inputs.sample(mean, logvar, keys[0])]
    kl_c, start = 0.0, 0
    for key, size in zip(keys[1:], sizes, strict=True):
        p = softmax64(logits[:, start : start + size])
        noise = np.float64(jax.random.gumbel(key, p.shape))
        columns.append(softmax64((np.log(p) + noise) / h.temperature))
        entropy = -(p * np.log(p)).sum(1).mean()
        kl_c += np.log(size) - entropy
        start += size
    zc = np.concatenate(columns, 1)
    reconstruction = nll64(inputs.settings.likelihood, inputs.net("decoder", zc), x)
    grown = min(inputs.step / h.capacity_steps, 1.0)
    c_z = h.capacity_continuous * grown
    c_c = min(h.capacity_discrete * grown, sum(np.log(size) for size in sizes))
    kl_z = kl64(mean, logvar).sum(1).mean()
    penalty_z = h.gamma_continuous * abs(kl_z - c_z)
    return {"vae": reconstruction + penalty_z + h.gamma_discrete * abs(kl_c - c_c)}


def qlae(inputs: Inputs) -> dict[str, float]:
    """P (BCE mean + w_q mean (sg z - q)^2 + w_c mean (z - sg q)^2), in P's units."""
    x, h = inputs.batch["images"], inputs.hyper
    z = inputs.net("encoder", x)
    values = np.float64(inputs.params["codebook"]["values"])
    q = np.empty_like(z)
    for row, column in np.ndindex(*z.shape):
        book = values[column]
        q[row, column] = book[np.abs(book - z[row, column]).argmin()]
    numbers = x[0].size
    mean = nll64(inputs.settings.likelihood, inputs.net("decoder", q), x) / numbers
    distance = ((z - q) ** 2).mean()
    loss = mean + (h.quantization + h.commitment) * distance
    return {"autoencoder": numbers * loss}


def tripod(inputs: Inputs) -> dict[str, float]:
    """P (BCE mean + l_m I + l_h NHP), image by image (Hsu et al. 2024)."""
    x, h, k = inputs.batch["images"], inputs.hyper, inputs.settings.probes
    z = np.tanh(inputs.net("encoder", x))
    spaces = inputs.settings.values - 1
    q = np.round((z + 1) * spaces / 2) * 2 / spaces - 1
    n, d = q.shape
    std = np.sqrt(z.var(0) + 1e-12)
    width = std * (4 / (d + 2)) ** (1 / (d + 4)) * n ** (-1 / (d + 4))
    information = 0.0
    for point in q:
        joint = np.mean([normal64(point, other, width).prod() for other in q])
        marginal = normal64(point[None], q, h.marginal_bandwidth * std).mean(0)
        information += (np.log(joint) - np.log(marginal).sum()) / n
    keys = jax.random.split(inputs.key)
    draws = (
        jax.random.rademacher(keys[0], (k, n, d)),
        jax.random.normal(keys[1], (k, n, d)),
    )
    spreads = []  # [signs or normals][layer] -> (N,)
    for r in draws:
        v = h.epsilon * std * np.float64(r)
        around = [(inputs.hidden(q + v_k), inputs.hidden(q - v_k)) for v_k in v]
        per_layer = []
        for layer, here in enumerate(inputs.hidden(q)):
            second = [(up[layer] - 2 * here + down[layer]) for up, down in around]
            values = np.var(np.stack(second) / h.epsilon**2, axis=0)
            per_layer.append(values.reshape(n, -1).mean(1))
        spreads.append(per_layer)
    ratios = [off / (whole + 1e-10) for off, whole in zip(*spreads, strict=True)]
    hessian = sum(ratio.mean() for ratio in ratios)
    numbers = x[0].size
    mean = nll64(inputs.settings.likelihood, inputs.net("decoder", q), x) / numbers
    loss = mean + h.multi_information * information + h.hessian * hessian
    return {"autoencoder": numbers * loss}


def normal64(x: np.ndarray, mean: np.ndarray, sd: np.ndarray) -> np.ndarray:
    """Density of N(mean, sd^2) at x."""
    return np.exp(-0.5 * ((x - mean) / sd) ** 2) / (sd * np.sqrt(2 * np.pi))


CASES = {
    "joint_vae": [
        Case({"capacity_steps": 100.0}, joint_vae, step=30),
        Case({"categories": (3, 4), "capacity_discrete": 9.0}, joint_vae, 10**6),
        Case({"likelihood": "gaussian", "temperature": 1.5}, joint_vae),
    ],
    "qlae": [
        Case({}, qlae),
        Case({"quantization": 0.3, "commitment": 0.7, "values": 4}, qlae),
        Case({"likelihood": "gaussian", "latents": 3}, qlae),
    ],
    "tripod": [
        # Longer probes than the default: at 0.1 float32 rounds second differences.
        Case({"epsilon": 0.5}, tripod),
        Case(
            {"multi_information": 0.01, "marginal_bandwidth": 0.4, "epsilon": 0.5},
            tripod,
        ),
        Case({"probes": 3, "values": 4, "epsilon": 0.8, "hessian": 0.02}, tripod),
    ],
}
