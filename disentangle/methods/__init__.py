"""Methods: one file each, and this table."""

from disentangle.methods import (
    adaptive_vae,
    autoencoder,
    beta_vae,
    joint_vae,
    ml_vae,
    supervised,
    vae,
)
from disentangle.methods.base import Recipe

METHODS: dict[str, Recipe] = {
    "autoencoder": autoencoder.RECIPE,
    "vae": vae.RECIPE,
    "beta_vae": beta_vae.RECIPE,
    "joint_vae": joint_vae.RECIPE,
    "supervised": supervised.RECIPE,
    "ada_gvae": adaptive_vae.ADA_GVAE,
    "ada_ml_vae": adaptive_vae.ADA_ML_VAE,
    "ml_vae": ml_vae.ML_VAE,
    "gvae": ml_vae.GVAE,
}
