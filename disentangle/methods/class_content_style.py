r"""Class, content, style: a group VAE whose code has three parts.

$$
\mathcal{L} = \frac{1}{n} \sum_{i=1}^n \Big( -\mathbb{E} \log p(x_i|c, u_i, s_i)
+ \beta \, [\mathrm{KL}(q(u_i|x_i)) + \mathrm{KL}(q(s_i|x_i))] \Big)
+ \frac{1}{n} \mathrm{KL}(q(c|x_1, \dots, x_n))
$$

KL to N(0, I). The images of a group are of one class: the values of the factors in
`shared`. c is the class, u the content and s the style of an image; which factor is
called what depends on which class is declared and on what the decoder can do with each
part, not on the images ("data set dependent": `benchmarks/class_parts.py` moves the
declaration and measures where every factor goes).

One name for a family of methods, each with its own losses; this one has the group
posterior of ML-VAE (Bouchacourt et al. 2018) and a decoder after Huang et al. 2018 and
Gabbay & Hoshen 2020 (LORD): u is what the first map is made of, s enters through the
scale and shift of normalised maps alone (AdaIN). c enters both ways, since a declared
class may be a form or a colour.

`class_from` says what c is:

* "group": the product of the posteriors of a group, as in ML-VAE, paid once per group;
* "label": a learned embedding e_y of the class y, of an image alone its mean over
  p(y|x), which the encoder learns by the cross-entropy (added to the loss in place of
  the KL of c). It needs the class itself, where "group" needs images that share it.

Where we differ from LORD: Gaussian posteriors and the encoder from the first step,
where it optimises a content of every image and regularises by noise of fixed size; no
perceptual loss.
"""

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from disentangle.data.samplers import Batch
from disentangle.data.space import FactorSpace
from disentangle.fields import settings, static, swept
from disentangle.fields.define import WIDEST
from disentangle.methods.attributes import Attributes
from disentangle.methods.base import Logs, Method, Params, Player, Recipe
from disentangle.methods.class_groups import (
    class_count,
    class_name,
    class_numbers,
    class_of,
    classed,
    same_class,
)
from disentangle.methods.conditions import at_random
from disentangle.methods.gaussian_vae import kl_to_prior, sample_posterior, single
from disentangle.methods.group_posterior import AVERAGES, share
from disentangle.methods.importance import bound
from disentangle.methods.likelihood import LIKELIHOODS
from disentangle.nn import ENCODERS, Net, encoder, linear
from disentangle.nn.styled import styled_decoder

CLASS_FROM = ("group", "label")
CONTENT, STYLE = "(content)", "(style)"  # the attributes of their columns


@settings
class Settings:
    """Of class, content and style."""

    class_latents: int = static(8, "size of c", least=1, most=WIDEST)
    content: int = static(16, "size of u", least=1, most=WIDEST)
    style: int = static(
        8, "size of s", source="Huang et al. 2018", least=1, most=WIDEST
    )
    shared: tuple[str, ...] = classed()
    members: int = static(2, "n, images in a group", least=2, most=WIDEST)
    class_from: str = static("group", "what c is", choices=CLASS_FROM)
    average: str = static(
        "product",
        "of the posteriors of c",
        source="Bouchacourt et al. 2018",
        choices=AVERAGES,
    )
    encoder: str = static("locatello", "network of images", choices=ENCODERS)
    width: int = static(
        32, "channels of the decoder's map next to the image", least=1, most=WIDEST
    )
    likelihood: str = static(
        "bernoulli", "p(x|c, u, s) of a pixel", choices=LIKELIHOODS
    )
    beta: float = swept(1.0, "weight of the KL of u and of s")


class Coded(NamedTuple):
    """What the encoder says of images."""

    mean: jax.Array  # (B, D) of c, u, s; of u, s where c is from the label
    logvar: jax.Array  # (B, D)
    logits: jax.Array  # (B, K) of the class; (B, 0) where c is from the group


class Model(NamedTuple):
    """The networks, and the ways through them."""

    nets: dict[str, Net]
    told: Attributes
    encode: Any  # encode(params, images) -> Coded
    logits: Any  # logits(params, codes (B, C + U + S)) -> (B, H, W, C)


def model(settings: Settings, space: FactorSpace, shape: tuple[int, int, int]) -> Model:
    """The networks of `settings`.

    Raises:
      UserError: a class of factors that do not exist.
    """
    c, u, s = settings.class_latents, settings.content, settings.style
    told = class_of(space, settings.shared)
    classes = class_count(told) if settings.class_from == "label" else 0
    gaussians = u + s + (0 if classes else c)
    nets = {
        "encoder": encoder(settings.encoder, shape, 2 * gaussians + classes),
        "decoder": styled_decoder(shape, c + u, c + s, settings.width),
    }
    if classes:
        nets["embedding"] = linear(classes, c)

    def encode(params: Params, images: jax.Array) -> Coded:
        out = nets["encoder"].apply(params["encoder"], images)
        return Coded(*jnp.split(out, [gaussians, 2 * gaussians], axis=1))

    def logits(params: Params, codes: jax.Array) -> jax.Array:
        of_class, content, style = jnp.split(codes, [c, c + u], axis=1)
        join = lambda x: jnp.concatenate([of_class, x], axis=1)
        parts = {"map": join(content), "style": join(style)}
        return nets["decoder"].apply(params["decoder"], parts)

    return Model(nets, told, encode, logits)


def group_loss(net: Model, chosen: Settings) -> Any:
    """The negative evidence lower bound of a group of n, divided by n."""
    size = chosen.class_latents + chosen.content + chosen.style
    of_class = jnp.arange(size) < chosen.class_latents

    def loss(
        params: Params, hyper: Any, batch: Batch, *, key: jax.Array, step: Any
    ) -> tuple[jax.Array, Logs]:
        del step
        mean, logvar, _ = net.encode(params, batch["images"])
        mean, logvar = share(
            chosen.average, mean, logvar, of_class[None], chosen.members
        )
        z = sample_posterior(mean, logvar, key=key)
        value = LIKELIHOODS[chosen.likelihood](net.logits(params, z), batch["images"])
        kl = kl_to_prior(mean, logvar)
        weight = jnp.where(of_class, 1.0 / chosen.members, hyper.beta)
        logs = {"reconstruction": value, "kl": kl.sum(), "kl_by_latent": kl}
        return value + (weight * kl).sum(), logs

    return loss


def label_loss(net: Model, chosen: Settings) -> Any:
    """c the embedding of the class; cross-entropy of the encoder's p(y|x)."""

    def loss(
        params: Params, hyper: Any, batch: Batch, *, key: jax.Array, step: Any
    ) -> tuple[jax.Array, Logs]:
        del step
        mean, logvar, logits = net.encode(params, batch["images"])
        y = class_numbers(net.told, net.told.of_batch(batch))
        own = jax.nn.one_hot(y, logits.shape[1], dtype=jnp.float32)
        guessed = jax.nn.softmax(jax.lax.stop_gradient(logits))
        c = embedded(net, params, jnp.where(y[:, None] >= 0, own, guessed))
        z = jnp.concatenate([c, sample_posterior(mean, logvar, key=key)], axis=1)
        value = LIKELIHOODS[chosen.likelihood](net.logits(params, z), batch["images"])
        kl = kl_to_prior(mean, logvar).sum()
        entropy = -(own * jax.nn.log_softmax(logits)).sum(1).mean()
        logs = {"reconstruction": value, "kl": kl, "cross_entropy": entropy}
        return value + hyper.beta * kl + entropy, logs

    return loss


def embedded(net: Model, params: Params, weights: jax.Array) -> jax.Array:
    """(B, K) -> (B, C), the mean embedding of classes with these weights."""
    found: jax.Array = net.nets["embedding"].apply(params["embedding"], weights)
    return found


def build(
    settings: Settings, space: FactorSpace, shape: tuple[int, int, int]
) -> Method:
    """Class, content, style; codes are c, then the means of u and of s.

    Raises:
      UserError: a class of factors that do not exist, or fewer than 2 members.
    """
    net = model(settings, space, shape)
    c, rest = settings.class_latents, settings.content + settings.style
    by_label = settings.class_from == "label"
    likelihood = LIKELIHOODS[settings.likelihood]

    def represent(params: Params, images: jax.Array) -> jax.Array:
        mean, _, logits = net.encode(params, images)
        if not by_label:
            return mean
        own = embedded(net, params, jax.nn.softmax(logits))
        return jnp.concatenate([own, mean], axis=1)

    def sample(params: Params, *, key: jax.Array, n: int) -> jax.Array:
        z = jax.random.normal(key, (n, c + rest))
        return jax.nn.sigmoid(net.logits(params, z))

    def generate(params: Params, factors: jax.Array, *, key: jax.Array) -> jax.Array:
        """The embedding of the class of these factors, the rest of the prior."""
        y = class_numbers(net.told, net.told.labels(factors))
        hot = jax.nn.one_hot(y, class_count(net.told), dtype=jnp.float32)
        z = jax.random.normal(key, (factors.shape[0], rest))
        both = jnp.concatenate([embedded(net, params, hot), z], axis=1)
        return jax.nn.sigmoid(net.logits(params, both))

    def posterior(params: Params, images: jax.Array) -> tuple[jax.Array, jax.Array]:
        mean, logvar, _ = net.encode(params, images)
        return mean, logvar

    names = (class_name(net.told),) * c
    names += (CONTENT,) * settings.content + (STYLE,) * settings.style
    made = Method(
        nets=net.nets,
        players={"vae": Player(tuple(net.nets), group_loss(net, settings))},
        represent=represent,
        posterior=posterior,
        decode=lambda params, codes: jax.nn.sigmoid(net.logits(params, codes)),
        attributes=names,
        collate=same_class(net.told, settings.members),
        sample=sample,
    )
    if not by_label:
        density = lambda params, z, x: single(likelihood, net.logits(params, z), x)
        return made._replace(log_prob=partial(bound, posterior, density))
    return made._replace(
        players={"vae": Player(tuple(net.nets), label_loss(net, settings))},
        posterior=None,
        sample=at_random(generate, space),
        generate=generate,
        given=net.told.names,
    )


RECIPE = Recipe(
    build,
    Settings,
    "class, content, style in three parts (after Bouchacourt 2018, Gabbay 2020)",
    supervision="groups",
)
