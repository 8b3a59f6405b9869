"""Cycle-consistent VAE, class-content-style, DNA-GAN: classes and swapped parts."""

import jax
import numpy as np

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


CASES = {
    "cycle_vae": [
        Case({"latents": 3, "specified": 2, "beta": 2.0}, cycle),
        Case(
            {"back": "z", "likelihood": "bernoulli", "shared": ["shape", "x:2"]}, cycle
        ),
    ],
}
