"""Networks as pairs of pure functions; the only package that imports flax."""

from disentangle.nn.critics import discriminator
from disentangle.nn.decoders import DECODERS, decoder
from disentangle.nn.encoders import ENCODERS, encoder
from disentangle.nn.heads import Heads, attribute_heads, linear
from disentangle.nn.net import Net, Variables, from_module, output_width

__all__ = [
    "DECODERS",
    "ENCODERS",
    "Heads",
    "Net",
    "Variables",
    "attribute_heads",
    "decoder",
    "discriminator",
    "encoder",
    "from_module",
    "linear",
    "output_width",
]
