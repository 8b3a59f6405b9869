"""Cycle-consistent VAE, class-content-style, DNA-GAN: classes and swapped parts."""

import jax
import jax.numpy as jnp
import numpy as np

from equations.gans import critic64, generator64
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


class Pieces:
    """DNA-GAN on the toy's factors, pair by pair."""

    SIZES = (2, 3, 4, 4)

    def __init__(self, inputs: Inputs):
        self.inputs, self.chosen = inputs, inputs.settings
        self.x = 2 * np.float64(inputs.batch["images"]) - 1
        self.y = np.asarray(inputs.batch["factors"])
        self.i = np.asarray(inputs.batch["attribute"])
        self.cell = 8 * 8 * self.chosen.piece  # of images of 64 pixels, halved 3 times

    def made(self, swap):
        """A and B as they are, or their swaps; B's piece i is zero; and the labels."""
        codes, labels = self.inputs.net("encoder", self.x), self.y.copy()
        pairs = len(codes) // 2
        for row, i in enumerate(self.i):
            a, b, own = row, row + pairs, slice(i * self.cell, (i + 1) * self.cell)
            assert labels[a, i] > 0 == labels[b, i]
            codes[b, own] = 0
            if swap:
                codes[[a, b], own] = codes[[b, a], own]
                labels[[a, b], i] = labels[[b, a], i]
        return self.inputs.net("decoder", codes), labels

    def traced(self, x, labels):
        """(2 B,) D_i, of JAX arrays."""
        net, params = self.inputs.method.nets, self.inputs.params
        hot = [np.eye(k)[labels[:, a]] for a, k in enumerate(self.SIZES)]
        which = np.concatenate([self.i, self.i])
        own = np.concatenate([h * (which == a)[:, None] for a, h in enumerate(hot)], 1)
        if self.chosen.label_in == "maps":
            maps = np.concatenate(hot, 1)[:, None, None]
            maps = np.broadcast_to(maps, (*x.shape[:3], maps.shape[3]))
            x = jnp.concatenate([x, jnp.float32(maps)], 3)
        h = net["critic"].apply(params["critic"], x)
        score = net["score"].apply(params["score"], h)[np.arange(len(which)), which]
        if self.chosen.label_in == "projection":
            label = net["label"].apply(params["label"], jnp.float32(own))
            score = score + (label * h).sum(1)
        return score

    def score(self, x, labels):
        return np.float64(self.traced(jnp.float32(x), labels))

    def regular(self, fake):
        kind, at = self.chosen.regular, self.x
        if kind in ("clip", "none"):
            return 0.0
        if kind == "penalty":
            t = jax.random.uniform(self.inputs.key, (len(at), 1, 1, 1))
            at = at + np.float64(t) * (fake - at)
        total = lambda x: self.traced(x, self.y).sum()
        slope = np.float64(jax.grad(total)(jnp.float32(at))).reshape(len(at), -1)
        squares = np.square(slope).sum(1)
        value = (
            squares / 2 if kind == "r1" else np.maximum(np.sqrt(squares) - 1, 0) ** 2
        )
        return self.inputs.hyper.gamma * value.mean()


def dna(inputs: Inputs) -> dict[str, float]:
    held, loss = Pieces(inputs), inputs.settings.loss
    fake, other = held.made(swap=True)
    real, on_fake = held.score(held.x, held.y), held.score(fake, other)
    if loss == "hinge":
        value = np.maximum(1 - real, 0).mean() + np.maximum(1 + on_fake, 0).mean()
    else:
        value = critic64(loss, real, on_fake)
    error = np.abs(held.made(swap=False)[0] - held.x).mean()
    generator = generator64("wasserstein" if loss == "hinge" else loss, on_fake)
    generator += inputs.hyper.reconstruction * error
    return {"critic": value + held.regular(fake), "generator": generator}


CASES = {
    "dna_gan": [
        Case({"piece": 2, "gamma": 3.0}, dna),
        Case({"loss": "wasserstein", "regular": "clip", "label_in": "maps"}, dna),
        Case({"loss": "hinge", "regular": "penalty", "piece": 1}, dna),
    ],
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
