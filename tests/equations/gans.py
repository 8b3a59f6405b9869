"""GANs: both players in float64 from the scores of the networks."""

import jax
import jax.numpy as jnp
import numpy as np

from equations.reference import Case, Inputs


def train64(inputs: Inputs, name, x):
    """Float64 outputs of a network's pass in training."""
    out, _ = inputs.method.nets[name].train(inputs.params[name], jnp.float32(x))
    return np.float64(out)


def condition64(inputs: Inputs, default):
    """c: one-hots of the factors that are given, side by side; or their numbers."""
    names = ("shape", "size", "turn", "x")
    sizes = dict(zip(names, (2, 3, 4, 4), strict=True))
    chosen = inputs.settings.condition or default
    factors = np.asarray(inputs.batch["factors"])
    columns = [factors[:, names.index(name)] for name in chosen]
    if inputs.settings.encoding == "raw_ids":
        return np.stack(columns, 1).astype(np.float64)
    hot = [np.eye(sizes[n])[c] for n, c in zip(chosen, columns, strict=True)]
    return np.concatenate(hot, 1)


def scores(inputs: Inputs, x, c, train=True):
    """D(x, c) (B,) of images in [-1, 1], as `label_in` says."""
    label_in = getattr(inputs.settings, "label_in", "") if c is not None else ""
    if label_in == "maps":
        maps = np.broadcast_to(c[:, None, None], (*x.shape[:3], c.shape[1]))
        x = np.concatenate([x, maps], 3)
    if label_in == "embed_channel":
        x = np.concatenate([x, inputs.net("label", c).reshape(*x.shape[:3], 1)], 3)
    h = train64(inputs, "critic", x) if train else inputs.net("critic", x)
    if label_in == "concatenate":
        return inputs.net("score", np.concatenate([h, c], 1))[:, 0]
    value = inputs.net("score", h)[:, 0]
    if label_in == "projection":
        value = value + (inputs.net("label", c) * h).sum(1)
    return value


def fakes(inputs: Inputs, c):
    """G(z, c) in [-1, 1] with the noise that the key gives."""
    shape = (len(inputs.batch["images"]), inputs.settings.latents)
    z = np.float64(jax.random.normal(inputs.key, shape))
    if getattr(inputs.settings, "join", "") == "multiply":
        z = z * inputs.net("embedding", c)
    elif c is not None:
        z = np.concatenate([z, c], 1)
    return train64(inputs, "generator", z)


def r1(inputs: Inputs, x, c):
    """|grad_x D|^2 / 2, mean over the first quarter, by float32 autodiff of D."""
    few = max(1, len(x) // 4)
    net, params = inputs.method.nets, inputs.params
    label_in = getattr(inputs.settings, "label_in", "") if c is not None else ""

    def total(image, c):
        image = image[None]
        if label_in == "maps":
            maps = jnp.broadcast_to(c, (1, *image.shape[1:3], c.shape[0]))
            image = jnp.concatenate([image, maps], 3)
        if label_in == "embed_channel":
            channel = net["label"].apply(params["label"], c[None])
            shape = (1, *image.shape[1:3], 1)
            image = jnp.concatenate([image, channel.reshape(shape)], 3)
        h = net["critic"].apply(params["critic"], image)
        if label_in == "concatenate":
            h = jnp.concatenate([h, c[None]], 1)
        value = net["score"].apply(params["score"], h).sum()
        if label_in == "projection":
            value += (net["label"].apply(params["label"], c[None]) * h).sum()
        return value

    values = []
    for i in range(few):
        own = jnp.zeros(1) if c is None else jnp.float32(c[i])
        g = np.float64(jax.grad(total)(jnp.float32(x[i]), own))
        values.append(0.5 * np.square(g).sum())
    return np.mean(values)


def log1pexp(x):
    return np.logaddexp(0, x)


def critic64(loss, real, fake, wrong=None, smooth=1.0):
    """Each critic's loss, term by term."""
    if loss == "logistic":
        value = -(
            smooth * np.log(1 / (1 + np.exp(-real)))
            + (1 - smooth) * np.log(1 - 1 / (1 + np.exp(-real)))
        ).mean()
        value -= np.log(1 - 1 / (1 + np.exp(-fake))).mean()
        return value if wrong is None else value + log1pexp(wrong).mean()
    if loss == "least_squares":
        value = ((real - 1) ** 2).mean() + ((fake + 1) ** 2).mean()
        return value if wrong is None else value + ((wrong + 1) ** 2).mean()
    value = -(real.mean() - fake.mean())
    return value if wrong is None else value - (real.mean() - wrong.mean())


def generator64(loss, fake):
    if loss == "logistic":
        return log1pexp(-fake).mean()
    return (fake**2).mean() if loss == "least_squares" else -fake.mean()


def gan(default):
    def expected(inputs: Inputs):
        chosen = inputs.settings
        x = 2 * np.float64(inputs.batch["images"]) - 1
        c = None if default is None else condition64(inputs, default)
        real, fake = scores(inputs, x, c), scores(inputs, fakes(inputs, c), c)
        wrong = None
        if getattr(chosen, "wrong", False):
            other = np.roll(c, 1, axis=0)
            wrong = scores(inputs, x, other)[(other != c).any(1)]
        smooth = getattr(chosen, "smooth", 1.0)
        value = critic64(chosen.loss, real, fake, wrong, smooth)
        value += inputs.hyper.gamma * r1(inputs, x, c)
        judged = scores(inputs, fakes(inputs, c), c, train=False)
        return {"critic": value, "generator": generator64(chosen.loss, judged)}

    return expected


ALL = ("shape", "size", "turn", "x")
one, several = gan(("shape",)), gan(ALL)
CASES = {
    "dcgan": [
        Case({"gamma": 3.0}, gan(None)),
        Case({"loss": "least_squares"}, gan(None)),
        Case({"loss": "wasserstein"}, gan(None)),
    ],
    "conditional_gan": [
        Case({"condition": ["shape", "x"]}, one),
        Case({"label_in": "embed_channel", "gamma": 2.0}, one),
        Case({"label_in": "maps", "wrong": True, "loss": "least_squares"}, one),
        Case({"wrong": True, "loss": "wasserstein"}, one),
    ],
    "multi_conditional_gan": [
        Case({"wrong": True}, several),
        Case({"join": "multiply", "encoding": "raw_ids"}, several),
    ],
}
