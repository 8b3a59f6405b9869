"""Pictures a VAE is judged by: reconstructions and latent traversals."""

from pathlib import Path

import jax.numpy as jnp
import numpy as np

from disentangle.data.dataset import Dataset
from disentangle.data.samplers import take
from disentangle.metrics.discretize import histogram_bins
from disentangle.metrics.mutual_information import entropy, mutual_information
from disentangle.study.evaluate import code_table, load_data, sample_index
from disentangle.training.run import Run, load_run
from disentangle.training.workdir import write_arrays
from disentangle.training.writers import read_metrics

EXAMPLES, ROWS = 8, 4000
VALUES = np.linspace(-2.0, 2.0, 7)


def write_panels(run: Run, data: Dataset, path: Path, *, seed: int = 0) -> None:
    """Writes panels.npz of the run's first member.

    `images`, `reconstructions` (n, H, W, C) in [0, 1]; `traversals`
    (L, V, H, W, C): latent l of the first image set to each of `traversal_values`
    (V,), the rest kept; `kl` (L,) nats, sorted descending as the rows are, 0
    where the method has none; `captions` (L,): the factor with which the latent
    shares most information.
    """
    index = sample_index(data, EXAMPLES, seed=seed)
    batch = take(data, jnp.asarray(index, jnp.int32))
    codes = run.encode(batch.images)[0]
    order, kl, captions = _sorted_latents(run, data, seed)
    moved = np.repeat(codes[None, :1], len(order), axis=0)
    moved = np.repeat(moved, len(VALUES), axis=1)
    for row, latent in enumerate(order):
        moved[row, :, latent] = VALUES
    flat = moved.reshape(-1, codes.shape[1])
    frames = run.decode(flat)[0].reshape(len(order), len(VALUES), *run.view.shape)
    write_arrays(
        path,
        {
            "images": np.asarray(batch.images),
            "reconstructions": run.decode(codes)[0],
            "traversals": frames,
            "traversal_values": VALUES,
            "kl": kl,
            "captions": np.asarray(captions),
        },
    )


def refresh_panels(workdir: Path) -> None:
    """Draws panels.npz of a training run anew; leaves every other folder alone."""
    if not (workdir / "checkpoints").is_dir():
        return
    run = load_run(workdir)
    if run.method.decode is not None:
        write_panels(run, load_data(run.config["data"]), workdir / "panels.npz")


def _sorted_latents(
    run: Run, data: Dataset, seed: int
) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Latents by falling KL (without one: variance), KL, and factor each carries."""
    index = sample_index(data, ROWS, seed=seed)
    codes = code_table(run, data, index)[0]
    kl = _last_kl(run)
    weight = codes.var(axis=0) if kl is None else kl
    order = np.argsort(-weight, kind="stable")
    labels = data.space.factors(index)
    shared = mutual_information(histogram_bins(codes), labels) / entropy(labels)
    captions = [
        f"z{z + 1}: {data.space.names[int(shared[z].argmax())]} "
        f"({shared[z].max():.2f} of its entropy)"
        for z in order
    ]
    return order, np.zeros(len(order)) if kl is None else kl[order], captions


def _last_kl(run: Run) -> np.ndarray | None:
    """(D,) KL a latent of the first member on the test images, nats per image."""
    rows = [] if run.workdir is None else read_metrics(run.workdir)
    found = [
        row["kl_by_latent"]
        for row in rows
        if row["split"] == "test"
        and row["member"] == run.members[0]
        and "kl_by_latent" in row
    ]
    return np.asarray(found[-1], np.float64) if found else None
