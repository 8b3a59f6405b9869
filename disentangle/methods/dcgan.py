r"""DCGAN: a GAN of convolutions without a condition (Radford et al. 2016).

$$
\mathcal{L}_D = -\mathbb{E}_x \log \sigma(D(x)) - \mathbb{E}_z \log(1 - \sigma(D(G(z))))
+ \frac{\gamma}{2} \mathbb{E} |\nabla_x D(x)|^2, \qquad
\mathcal{L}_G = -\mathbb{E}_z \log \sigma(D(G(z)))
$$

Where we differ: the penalty (R1, Mescheder et al. 2018; gamma = 0 is theirs), no batch
norm in the critic, 4x4 windows, narrower layers, z normal and not uniform, and
averages of the generator. What all GANs here share is methods/gan_model.py.
"""

from disentangle.data.space import FactorSpace
from disentangle.fields import settings
from disentangle.methods import conditional_gan, gan_model
from disentangle.methods.base import Method, Recipe
from disentangle.methods.conditional_gan import Shape
from disentangle.methods.gan_losses import GAN_LOSSES
from disentangle.methods.gan_model import (
    critic_loss,
    generator_loss,
    method_of,
    players,
)


@settings
class Settings(gan_model.Settings):
    """Of DCGAN."""


def build(settings: Settings, space: FactorSpace, shape: Shape) -> Method:
    """The GAN without a condition; codes are the critic's features."""
    gan = conditional_gan.model(settings, shape)
    losses = GAN_LOSSES[settings.loss]
    critic = critic_loss(gan, losses.critic)
    generates = generator_loss(gan, losses.generator)
    return method_of(gan, players(gan, critic, generates), space)


RECIPE = Recipe(
    build,
    Settings,
    "DCGAN (Radford et al. 2016)",
)
