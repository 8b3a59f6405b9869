"""Cycle-consistent VAE, class-content-style, DNA-GAN: classes and swapped parts."""

import jax
import numpy as np

from equations.groups import merged
from equations.reference import Case, Inputs, kl64, nll64


def cycle(inputs: Inputs) -> dict[str, float]:
    """Pair by pair: each image with the s of the other; two s with one z."""
    chosen, hyper = inputs.settings, inputs.hyper
    pairs, third = inputs.batch["images"], inputs.batch["unrelated/images"]
    width = chosen.latents

    def coded(x):
        out = inputs.net("encoder", x)
        return out[:, :width], out[:, width : 2 * width], out[:, 2 * width :]

    mean, logvar, s = coded(pairs)
    z = inputs.sample(mean, logvar, inputs.key)
    n = len(third)
    swapped = np.concatenate([s[n:], s[:n]])
    logits = inputs.net("decoder", np.concatenate([z, swapped], 1))
    value = nll64(chosen.likelihood, logits, pairs)
    value += hyper.beta * kl64(mean, logvar).sum(1).mean()

    noise = np.float64(jax.random.normal(inputs.key, (n, width)))
    s = coded(np.concatenate([pairs[:n], third]))[2]
    drawn = inputs.net("decoder", np.concatenate([np.tile(noise, (2, 1)), s], 1))
    # A picture is rounded as ours is: of the codes of two, almost alike, the
    # difference is left.
    one, other = np.split(coded(jax.nn.sigmoid(np.float32(drawn)))[0], 2)
    gap = np.abs(one - other)
    if chosen.back == "z":
        gap = (np.abs(one - noise) + np.abs(other - noise)) / 2
    return {"forward": value, "reverse": hyper.reverse * gap.mean()}


def parts(inputs: Inputs) -> dict[str, float]:
    """Group by group: one posterior of c, paid once; u, s of each image."""
    chosen, x = inputs.settings, inputs.batch["images"]
    mean, logvar = inputs.posterior(x)
    variance, n, c = np.exp(logvar), chosen.members, chosen.class_latents
    for i in range(len(mean) // n):
        rows = np.arange(n) * (len(mean) // n) + i
        m, v = merged(chosen.average, mean[rows], variance[rows])
        mean[rows, :c], variance[rows, :c] = m[:c], v[:c]
    z = inputs.sample(mean, np.log(variance), inputs.key)
    kl = kl64(mean, np.log(variance))
    value = nll64(chosen.likelihood, drawn(inputs, z), x)
    value += inputs.hyper.beta * kl[:, c:].sum(1).mean() + kl[:, :c].sum(1).mean() / n
    return {"vae": value}


def drawn(inputs: Inputs, z):
    """Logits of (c, u, s): c and u make the map, c and s its statistics."""
    chosen = inputs.settings
    c, u, s = np.split(z, np.cumsum([chosen.class_latents, chosen.content]), 1)
    net, params = inputs.method.nets["decoder"], inputs.params["decoder"]
    given = {"map": np.hstack([c, u]), "style": np.hstack([c, s])}
    return np.float64(net.apply(params, {k: np.float32(v) for k, v in given.items()}))


def labelled(inputs: Inputs) -> dict[str, float]:
    """c the row of the class in the embedding; the class by its cross-entropy."""
    chosen, x = inputs.settings, inputs.batch["images"]
    classes, width = 3, chosen.content + chosen.style
    out = inputs.net("encoder", x)
    mean, logvar, logits = np.split(out, [width, 2 * width], 1)
    assert logits.shape[1] == classes
    y = np.asarray(inputs.batch["factors"])[:, 1]
    embedding = inputs.params["embedding"]
    c = np.float64(embedding["kernel"])[y] + np.float64(embedding["bias"])
    z = np.hstack([c, inputs.sample(mean, logvar, inputs.key)])
    value = nll64(chosen.likelihood, drawn(inputs, z), x)
    value += inputs.hyper.beta * kl64(mean, logvar).sum(1).mean()
    chance = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    return {"vae": value - np.log(chance[np.arange(len(y)), y]).mean()}


CASES = {
    "class_content_style": [
        Case({"content": 3, "style": 2, "beta": 2.0, "members": 3}, parts),
        Case({"class_from": "label", "shared": ["size"], "beta": 3.0}, labelled),
    ],
    "cycle_vae": [
        Case({"latents": 3, "specified": 2, "beta": 2.0}, cycle),
        Case(
            {"back": "z", "likelihood": "bernoulli", "shared": ["shape", "x:2"]}, cycle
        ),
    ],
}
