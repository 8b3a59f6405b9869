"""Networks as pairs of pure functions; the only package that imports flax."""

from disentangle.nn.critics import CRITICS, discriminator, image_critic, perceptron
from disentangle.nn.decoders import DECODERS, decoder
from disentangle.nn.encoders import ENCODERS, encoder
from disentangle.nn.generators import GENERATORS, generator, refiner
from disentangle.nn.heads import Heads, attribute_heads, linear, predicted
from disentangle.nn.net import Net, Variables, from_module, output_width

__all__ = [
    "CRITICS",
    "DECODERS",
    "ENCODERS",
    "GENERATORS",
    "Heads",
    "Net",
    "Variables",
    "attribute_heads",
    "decoder",
    "discriminator",
    "encoder",
    "from_module",
    "generator",
    "image_critic",
    "linear",
    "output_width",
    "perceptron",
    "predicted",
    "refiner",
]
