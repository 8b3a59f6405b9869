"""Diffusion: |prediction - target|^2 in float64, of what the network predicts."""

import jax
import jax.numpy as jnp
import numpy as np

from equations.reference import Case, Inputs

SIZES = (2, 3, 4, 4)
WORDS = ("0", "1", "2", "3", "shape", "size", "turn", "x")


def bars(schedule, steps):
    """alpha_bar of times 0 .. T, factor by factor."""
    if schedule == "linear":
        betas = [(0.1 + 19.9 * i / (steps - 1)) / steps for i in range(steps)]
    else:
        f = {
            "cosine": lambda t: np.cos((t + 0.008) / 1.008 * np.pi / 2) ** 2,
            "sqrt": lambda t: max(0.0, 1 - np.sqrt(t + 1e-4)),
        }[schedule]
        betas = [1 - f((i + 1) / steps) / f(i / steps) for i in range(steps)]
    found = [1.0]
    for beta in betas:
        found.append(found[-1] * (1 - min(beta, 0.999)))
    return np.array(found)


def of_factors(inputs: Inputs):
    f = np.asarray(inputs.batch["factors"])
    if inputs.settings.code == "numbers":
        values = [np.arange(size) for size in SIZES]
        parts = [(v - v.mean()) / v.std() for v in values]
        return np.stack([p[f[:, i]] for i, p in enumerate(parts)], 1)
    if inputs.settings.code == "text":  # "1 shape", "0 size", ...; word 0 is none
        names = WORDS[4:]
        said = [[(str(v), n) for v, n in zip(row, names, strict=True)] for row in f]
        return np.array([[1 + WORDS.index(w) for p in s for w in p] for s in said])
    hot = [np.eye(size)[f[:, i]] for i, size in enumerate(SIZES)]
    return np.concatenate(hot, 1)


def of_images(inputs: Inputs):
    code = inputs.net("encoder", inputs.batch["images"])
    if "scale" not in inputs.params:
        return code
    held, chosen = inputs.params["scale"], inputs.settings
    if chosen.heads:
        heads = inputs.method.nets["heads"].apply(inputs.params["heads"], code)
        code = np.float64(heads.codes).reshape(len(code), -1)
    elif chosen.gaussian:
        code = code[:, : chosen.latents]
    return (code - np.float64(held["mean"])) / np.float64(held["size"])


def diffusion(code_of):
    def expected(inputs: Inputs):
        chosen = inputs.settings
        x = 2 * np.float64(inputs.batch["images"]) - 1
        when, what, whether = jax.random.split(inputs.key, 3)
        t = np.asarray(jax.random.randint(when, (len(x),), 1, chosen.times + 1))
        noise = np.float64(jax.random.normal(what, x.shape))
        keep = jax.random.bernoulli(whether, 1 - chosen.drop, (len(x),))
        bar = bars(chosen.schedule, chosen.times)[t].reshape(-1, 1, 1, 1)
        a, s = np.sqrt(bar), np.sqrt(1 - bar)
        code = code_of(inputs)
        if chosen.rotation:
            rng = np.random.default_rng(chosen.rotation)
            q, r = np.linalg.qr(rng.normal(size=2 * (code.shape[1],)))
            code = code @ (q * np.sign(np.diag(r))).T
        given = {"code": jnp.float32(code), "keep": jnp.float32(keep)}
        nets, params = inputs.method.nets, inputs.params
        told = nets["condition"].apply(params["condition"], given)
        shown = {"image": jnp.float32(a * x + s * noise), "told": told}
        shown["time"] = jnp.float32(t / chosen.times)
        found = np.float64(nets["denoiser"].apply(params["denoiser"], shown)[0])
        target = noise if chosen.prediction == "epsilon" else a * noise - s * x
        return {"diffusion": ((found - target) ** 2).sum((1, 2, 3)).mean()}

    return expected


one, two = diffusion(of_factors), diffusion(of_images)
CASES = {
    "conditional_diffusion": [
        Case({}, one),
        Case({"prediction": "epsilon", "schedule": "linear", "rotation": 3}, one),
        Case({"code": "numbers", "conditioning": "attention", "drop": 0.5}, one),
        Case({"code": "text", "schedule": "sqrt", "times": 50}, one),
        Case({"code": "text", "conditioning": "attention"}, one),
    ],
    "diffusion_on_codes": [
        Case({"source": "dense"}, two),
        Case({"source": "dense", "gaussian": False, "rotation": 2}, two),
        Case({"source": "dense", "heads": 8, "latents": 2}, two),
    ],
    "enc_diff": [Case({}, two), Case({"conditioning": "film", "latents": 4}, two)],
}
