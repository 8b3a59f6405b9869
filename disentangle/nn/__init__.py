"""Networks as pairs of pure functions; the only package that imports flax."""

from disentangle.nn.activation_maps import Localised, activation_maps
from disentangle.nn.critics import CRITICS, discriminator, image_critic, perceptron
from disentangle.nn.decoders import DECODERS, decoder
from disentangle.nn.encoders import ENCODERS, encoder
from disentangle.nn.generators import GENERATORS, generator, refiner
from disentangle.nn.heads import (
    Heads,
    attribute_heads,
    linear,
    predicted,
    relu_layers,
    zero_linear,
)
from disentangle.nn.net import Net, Variables, from_module, output_width
from disentangle.nn.unet import DENOISERS, denoiser

__all__ = [
    "CRITICS",
    "DECODERS",
    "DENOISERS",
    "ENCODERS",
    "GENERATORS",
    "Heads",
    "Localised",
    "Net",
    "Variables",
    "activation_maps",
    "attribute_heads",
    "decoder",
    "denoiser",
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
    "relu_layers",
    "zero_linear",
]
