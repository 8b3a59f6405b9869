"""JointVAE."""

import jax
import numpy as np

from equations.reference import Case, Inputs, kl64, nll64


def softmax64(x: np.ndarray) -> np.ndarray:
    """Over the last axis."""
    exp = np.exp(x - x.max(-1, keepdims=True))
    return exp / exp.sum(-1, keepdims=True)


def joint_vae(inputs: Inputs) -> dict[str, float]:
    """-E log p(x|z,c) + gamma |KL_z - C_z| + gamma |KL_c - C_c| (Dupont 2018, 7)."""
    x, h = inputs.batch.images, inputs.hyper
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


CASES = {
    "joint_vae": [
        Case({"capacity_steps": 100.0}, joint_vae, step=30),
        Case({"categories": (3, 4), "capacity_discrete": 9.0}, joint_vae, 10**6),
        Case({"likelihood": "gaussian", "temperature": 1.5}, joint_vae),
    ],
}
