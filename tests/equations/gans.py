"""GANs: both players in float64 from the scores of the networks."""

from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np

from equations.reference import Case, Inputs


def train64(inputs: Inputs, name, x):
    """Float64 outputs of a network's pass in training."""
    out, _ = inputs.method.nets[name].train(inputs.params[name], jnp.float32(x))
    return np.float64(out)


def condition64(inputs: Inputs, default, factors=None):
    """c: one-hots of the factors that are given, side by side; or their numbers."""
    names = ("shape", "size", "turn", "x")
    sizes = dict(zip(names, (2, 3, 4, 4), strict=True))
    chosen = inputs.settings.condition or default
    factors = np.asarray(inputs.batch["factors"]) if factors is None else factors
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


class Stage:
    """The ways through CPGGAN's networks, for images of `side` pixels."""

    def __init__(self, inputs, side):
        self.inputs, self.chosen = inputs, inputs.settings
        self.nets, self.params = inputs.method.nets, inputs.params
        images = np.float64(inputs.batch["images"])
        scale = images.shape[1] // side
        shape = (len(images), side, scale, side, scale, images.shape[3])
        self.x = 2 * images.reshape(shape).mean((2, 4)) - 1
        self.c = condition64(inputs, ("shape",))
        self.alpha = inputs.step / np.float64(inputs.hyper.fade)

    def features(self, params, x):
        alpha = jnp.full(x.shape[:1], self.alpha, jnp.float32)
        return self.nets["critic"].apply(
            params["critic"], {"image": jnp.float32(x), "alpha": alpha}
        )

    def scores(self, x, c):
        """Traceable: float32 of the networks."""
        label = self.nets["label"].apply(self.params["label"], jnp.float32(c))
        label = jnp.where(label > 0, label, 0.2 * label)
        both = jnp.concatenate([self.features(self.params, x), label], 1)
        return self.nets["score"].apply(self.params["score"], both)[:, 0]

    def draw(self, c, key):
        size = self.chosen.latents + self.chosen.augmented
        z = np.float64(jax.random.normal(key, (len(c), size)))
        if self.chosen.augmented:
            mean, logvar = np.split(self.inputs.net("augment", c), 2, 1)
            c = mean + np.exp(logvar / 2) * z[:, self.chosen.latents :]
        z = np.concatenate([z[:, : self.chosen.latents], c], 1)
        alpha = jnp.full(len(c), self.alpha, jnp.float32)
        given = {"z": jnp.float32(z), "alpha": alpha}
        return np.float64(self.nets["generator"].apply(self.params["generator"], given))

    def phi(self, x):
        if self.chosen.phi == "pixel":
            return np.float64(x)
        hidden = self.inputs.net("hidden", self.features(self.params, x))
        return np.where(hidden > 0, hidden, 0.2 * hidden)

    def head(self):
        """Cross-entropy of the values of 'shape' on real images."""
        if getattr(self.chosen, "phi", "pixel") == "pixel":
            return 0.0
        logits = self.inputs.net("values", self.phi(self.x))
        chance = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
        shapes = np.asarray(self.inputs.batch["factors"])[:, 0]
        return -np.log(chance[np.arange(len(shapes)), shapes]).mean()

    def regular(self, fake):
        """R1 on a quarter; or both one-sided penalties of the code."""
        total = lambda x, c: self.scores(x, c).sum()
        gradient = jax.grad(total, argnums=(0, 1))
        squares = lambda g: np.square(np.float64(g)).reshape(len(g), -1).sum(1)
        hyper = self.inputs.hyper
        if self.chosen.loss == "least_squares":
            few = max(1, len(self.x) // 4)
            own, _ = gradient(jnp.float32(self.x[:few]), jnp.float32(self.c[:few]))
            return hyper.gamma * squares(own).mean() / 2
        key = jax.random.fold_in(self.inputs.key, 1)
        t = np.float64(jax.random.uniform(key, (len(fake), 1, 1, 1)))
        between = jnp.float32(self.x + t * (fake - self.x))
        both = gradient(between, jnp.float32(self.c))
        lengths = [np.sqrt(squares(g)) for g in both]
        return hyper.lambda_ * sum((np.maximum(n - 1, 0) ** 2).mean() for n in lengths)


def growing(inputs: Inputs):
    stage = Stage(inputs, inputs.settings.resolution)
    chosen, hyper = inputs.settings, inputs.hyper
    score = lambda x, c: np.float64(stage.scores(x, c))
    fake = stage.draw(stage.c, inputs.key)
    other = np.roll(stage.c, 1, axis=0)
    wrong = score(stage.x, other)[(other != stage.c).any(1)]
    on_fake = score(fake, stage.c)
    critic = critic64(chosen.loss, score(stage.x, stage.c), on_fake, wrong)
    generator = generator64(chosen.loss, on_fake)
    if chosen.augmented:
        mean, logvar = np.split(inputs.net("augment", stage.c), 2, 1)
        kl = (mean**2 + np.exp(logvar) - logvar - 1).mean() / 2
        generator += hyper.augmentation * kl
    if hasattr(chosen, "phi"):
        factors = np.asarray(inputs.batch["factors"])
        for i, name in enumerate(chosen.consistent or ("shape",)):
            other = np.roll(factors, 1, axis=0)
            column = ("shape", "size", "turn", "x").index(name)
            other[:, column] = factors[:, column]
            c = condition64(inputs, ("shape",), other)
            second = stage.draw(c, jax.random.fold_in(inputs.key, i))
            gap = np.abs(stage.phi(fake) - stage.phi(second)).mean()
            generator += hyper.consistency * gap
    value = critic + stage.regular(fake) + stage.head()
    return {"critic": value, "generator": generator}


def stacked(inputs: Inputs):
    """Stage I of the StackGAN: halves of the two negative terms, and of all."""
    images = np.float64(inputs.batch["images"])
    b, h, w, n = images.shape
    x = 2 * images.reshape(b, h // 2, 2, w // 2, 2, n).mean((2, 4)) - 1
    c = condition64(inputs, ALL)
    told = Told(inputs)
    return both_players(inputs, told, x, fakes(told, c), c)


def refined(inputs: Inputs):
    """Stage II: the refiner on what the frozen stage I draws, critics of whole ones."""
    x, c = 2 * np.float64(inputs.batch["images"]) - 1, condition64(inputs, ALL)
    z = np.float64(jax.random.normal(inputs.key, (len(x), inputs.settings.latents)))
    small = inputs.net("generator", np.concatenate([z, c], 1))
    maps = np.broadcast_to(c[:, None, None], (*small.shape[:3], c.shape[1]))
    fake = train64(inputs, "refiner", np.concatenate([small, maps], 3))
    assert fake.shape == x.shape and small.shape[1] * 2 == x.shape[1]
    return both_players(inputs, Told(inputs, "_2"), x, fake, c)


def both_players(inputs: Inputs, told, x, fake, c):
    """The losses of a stage, of its real images, its own and the condition."""
    other = np.roll(c, 1, axis=0)
    real, on_fake = scores(told, x, c), scores(told, fake, c)
    wrong = scores(told, x, other)[(other != c).any(1)]
    s, smooth = lambda d: 1 / (1 + np.exp(-d)), inputs.settings.smooth
    positive = smooth * np.log(s(real)) + (1 - smooth) * np.log(1 - s(real))
    negative = np.log(1 - s(on_fake)).mean() + np.log(1 - s(wrong)).mean()
    value = -0.5 * (positive.mean() + 0.5 * negative)
    value += inputs.hyper.gamma * r1(told, x, c)
    return {"critic": value, "generator": log1pexp(-on_fake).mean()}


class Told:
    """Inputs whose settings say where the condition goes, as they do for a GAN.

    The critic's networks have the names of a GAN's, less `behind`.
    """

    def __init__(self, inputs, behind=""):
        named = lambda held: (
            dict(held) | {name: held[name + behind] for name in ("critic", "score")}
        )
        self.params = named(inputs.params)
        self.method = SimpleNamespace(nets=named(inputs.method.nets))
        self.batch, self.key = inputs.batch, inputs.key
        self.net = lambda name, x: Inputs.net(self, name, x)
        self.settings = lambda: None
        self.settings.latents = inputs.settings.latents
        self.settings.label_in = "concatenate"
        self.settings.join = "concatenate"


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
    "cpggan": [
        Case({"gamma": 2.0, "augmented": 32}, growing, step=30_000),
        Case({"loss": "wasserstein", "lambda_": 3.0}, growing, step=30_000),
        Case({"augmented": 8, "resolution": 4}, growing),
    ],
    "cdpggan": [
        Case({"consistency": 2.0}, growing, step=30_000),
        Case({"phi": "features", "augmented": 8}, growing, step=30_000),
        Case(
            {"condition": ["shape", "size", "x"], "consistent": ["x", "size"]},
            growing,
            step=30_000,
        ),
    ],
    "stack_gan": [
        Case({"smooth": 0.8}, stacked),
        Case({"smooth": 0.8, "stage": 2}, refined),
    ],
}
