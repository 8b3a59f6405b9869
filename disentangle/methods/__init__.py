"""Methods: one file each, and this table."""

from disentangle.methods import (
    adaptive_vae,
    annealed_vae,
    autoencoder,
    beta_tcvae,
    beta_vae,
    dip_vae,
    hfs_vae,
    info_vae,
    joint_vae,
    ml_vae,
    semi_supervised,
    supervised,
    supervised_vae,
    vae,
)
from disentangle.methods.base import Recipe

METHODS: dict[str, Recipe] = {
    "autoencoder": autoencoder.RECIPE,
    "vae": vae.RECIPE,
    "beta_vae": beta_vae.RECIPE,
    "joint_vae": joint_vae.RECIPE,
    "annealed_vae": annealed_vae.RECIPE,
    "beta_tcvae": beta_tcvae.RECIPE,
    "dip_vae_i": dip_vae.RECIPE_I,
    "dip_vae_ii": dip_vae.RECIPE_II,
    "info_vae": info_vae.RECIPE,
    "hfs_vae": hfs_vae.RECIPE,
    "supervised": supervised.RECIPE,
    "ada_gvae": adaptive_vae.ADA_GVAE,
    "ada_ml_vae": adaptive_vae.ADA_ML_VAE,
    "ml_vae": ml_vae.ML_VAE,
    "gvae": ml_vae.GVAE,
    "s2_beta_vae": semi_supervised.with_labels(beta_vae.RECIPE, "S2-beta-VAE"),
    "supervised_vae": supervised_vae.RECIPE,
}
