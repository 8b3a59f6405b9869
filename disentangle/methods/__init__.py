"""Methods: one file each, and this table."""

from disentangle.methods import autoencoder, beta_vae, joint_vae, supervised, vae
from disentangle.methods.base import Recipe

METHODS: dict[str, Recipe] = {
    "autoencoder": autoencoder.RECIPE,
    "vae": vae.RECIPE,
    "beta_vae": beta_vae.RECIPE,
    "joint_vae": joint_vae.RECIPE,
    "supervised": supervised.RECIPE,
}
