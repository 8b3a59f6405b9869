"""StyleGAN: its players in float64 from the outputs of its networks."""

import jax
import jax.numpy as jnp
import numpy as np
from scipy.stats import norm

from equations.gans import log1pexp
from equations.reference import Case, Inputs


def one_hots(inputs: Inputs):
    """c: those of the factors that are given, side by side."""
    sizes = {"shape": 2, "size": 3, "turn": 4, "x": 4}
    factors = np.asarray(inputs.batch["factors"])
    columns = {name: factors[:, i] for i, name in enumerate(sizes)}
    chosen = inputs.settings.condition
    return np.concatenate([np.eye(sizes[n])[columns[n]] for n in chosen], 1)


class Ways:
    """The networks of an `Inputs`; float64 in and out, images in [-1, 1]."""

    def __init__(self, inputs: Inputs, told):
        self.inputs, self.chosen = inputs, inputs.settings
        self.x = 2 * np.float64(inputs.batch["images"]) - 1
        self.c = one_hots(inputs) if told else None
        ways = inputs.method.latents
        self.layers, shape = ways.layers, (len(self.x), ways.size)
        self.z = np.float64(jax.random.normal(inputs.key, shape))

    def __call__(self, name, x):
        net, params = self.inputs.method.nets[name], self.inputs.params[name]
        return np.float64(net.apply(params, jax.tree.map(np.float32, x)))

    def mapped(self, z):
        if self.c is None:
            return self("mapping", z)
        return self("mapping", np.concatenate([z, self("embedding", self.c)], 1))

    def picture(self, styles):
        noise = self.z[:, 2 * self.chosen.latents : -2]
        return self("generator", {"styles": styles, "noise": noise})

    def mixed(self):
        """Styles of two latents: of the first before a layer, of the second after."""
        n = self.chosen.latents
        first, second = self.mapped(self.z[:, :n]), self.mapped(self.z[:, n : 2 * n])
        styles = np.repeat(first[:, None], self.layers, axis=1)
        where, whether = norm.cdf(self.z[:, -2:]).T
        for row in range(len(styles)):
            if whether[row] < self.chosen.mixing:
                place = 1 + int(where[row] * (self.layers - 1))
                styles[row, place:] = second[row]
        return styles

    def scores(self, x):
        return np.float64(self.judged(jnp.float32(x)))

    def judged(self, x):
        """Traceable: float32 of the networks."""
        nets, params = self.inputs.method.nets, self.inputs.params
        h = nets["critic"].apply(params["critic"], x)
        group = max(n for n in (1, 2, 4) if len(x) % n == 0)
        parts = h.reshape(group, -1, h.shape[1])
        far = jnp.sqrt(jnp.square(parts - parts.mean(0)[None]).mean(0) + 1e-8).mean(1)
        h = jnp.concatenate([h, jnp.tile(far, group)[:, None]], 1)
        found = nets["score"].apply(params["score"], h)
        if self.c is None:
            return found[:, 0]
        return (found * jnp.float32(self.c[: len(x)])).sum(1)


def style_gan(told):
    def expected(inputs: Inputs):
        ways = Ways(inputs, told)
        fake = ways.scores(ways.picture(ways.mixed()))
        few = max(1, len(ways.x) // 4)
        first = jnp.float32(ways.x[:few])
        g = np.float64(jax.grad(lambda x: ways.judged(x).sum())(first))
        steep = np.square(g).reshape(few, -1).sum(1).mean() / 2
        critic = log1pexp(-ways.scores(ways.x)).mean() + log1pexp(fake).mean()
        w = ways.mapped(ways.z[:, : ways.chosen.latents])
        alike = np.repeat(w[:, None], ways.layers, axis=1)
        drawn = (np.clip(ways.picture(alike), -1, 1) + 1) / 2
        return {
            "critic": critic + inputs.hyper.gamma * steep,
            "generator": log1pexp(-fake).mean(),
            "encoder": np.square(ways("encoder", drawn) - w).mean(),
        }

    return expected


SMALL = {"width": 4, "latents": 5, "styles": 6}
CASES = {
    "style_gan": [
        Case(SMALL | {"gamma": 3.0}, style_gan(False)),
        Case(SMALL | {"mixing": 0.5, "mapping": 1}, style_gan(False)),
    ],
    "conditional_style_gan": [
        Case(SMALL | {"condition": ["x", "shape"]}, style_gan(True))
    ],
}
