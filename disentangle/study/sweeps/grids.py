"""The grids of Locatello et al. 2019: six methods of six strengths each."""

from typing import Any

# method -> the field of its grid, the grid, and what is fixed; in their order.
LOCATELLO: dict[str, tuple[str, tuple[float, ...], dict[str, Any]]] = {
    "beta_vae": ("beta", (1.0, 2.0, 4.0, 6.0, 8.0, 16.0), {}),
    "factor_vae": ("gamma", (10.0, 20.0, 30.0, 40.0, 50.0, 100.0), {"batches": 1}),
    "dip_vae_i": ("lambda_od", (1.0, 2.0, 5.0, 10.0, 20.0, 50.0), {}),
    "dip_vae_ii": ("lambda_od", (1.0, 2.0, 5.0, 10.0, 20.0, 50.0), {}),
    "beta_tcvae": (
        "beta",
        (1.0, 2.0, 4.0, 6.0, 8.0, 10.0),
        {"estimator": "locatello"},
    ),
    "annealed_vae": ("c_max", (5.0, 10.0, 25.0, 50.0, 75.0, 100.0), {"gamma": 1000.0}),
}


def runs() -> dict[str, dict[str, Any]]:
    """The `runs` of `default_sweep`: every method with its grid."""
    return {
        name: {field: grid, **fixed} for name, (field, grid, fixed) in LOCATELLO.items()
    }
