"""MUNIT: both players in float64 from the outputs of the networks."""

import jax
import numpy as np

from equations.reference import Case, Inputs


class Ways:
    """The networks of an `Inputs`, images in [-1, 1]; float64 in and out."""

    def __init__(self, inputs: Inputs):
        self.nets, self.params = inputs.method.nets, inputs.params
        batch = inputs.batch
        self.x = [
            2 * np.float64(batch[name]) - 1 for name in ("images", "target/images")
        ]
        keys = jax.random.split(inputs.key)
        shape = (len(self.x[0]), inputs.settings.styles)
        self.prior = [np.float64(jax.random.normal(key, shape)) for key in keys]
        self.c = [self("content", d, self.x[d]) for d in (0, 1)]
        self.s = [self("style", d, self.x[d]) for d in (0, 1)]
        self.there = [self.draw(d, self.c[1 - d], self.prior[d]) for d in (0, 1)]

    def __call__(self, name, d, x):
        net = self.nets[f"{name}_{d}"]
        found = net.apply(self.params[f"{name}_{d}"], jax.tree.map(np.float32, x))
        return jax.tree.map(np.float64, found)

    def draw(self, d, content, style):
        return self("decoder", d, {"content": content, "style": style})


def munit(inputs: Inputs):
    ways, hyper = Ways(inputs), inputs.hyper
    apart = lambda a, b: np.abs(a - b).mean()
    critic = generator = 0.0
    for d, e in ((0, 1), (1, 0)):
        real, fake = ways("critic", d, ways.x[d]), ways("critic", d, ways.there[d])
        assert len(real) == inputs.settings.scales
        critic += sum(((r - 1) ** 2).mean() for r in real)
        critic += sum((f**2).mean() for f in fake)
        generator += sum(((f - 1) ** 2).mean() for f in fake)
        again = ways.draw(d, ways.c[d], ways.s[d])
        generator += hyper.images * apart(again, ways.x[d])
        read = ways("content", d, ways.there[d])
        generator += hyper.contents * apart(read, ways.c[e])
        style = ways("style", d, ways.there[d])
        generator += hyper.read_styles * apart(style, ways.prior[d])
        back = ways.draw(e, read, ways.s[e])
        generator += inputs.settings.cycle * apart(back, ways.x[e])
    return {"critic": critic, "generator": generator}


CASES = {
    "munit": [
        Case({"width": 4, "styles": 3, "images": 7.0, "contents": 2.0}, munit),
        Case({"width": 4, "cycle": 5.0, "scales": 1, "domain": "x"}, munit),
    ]
}
