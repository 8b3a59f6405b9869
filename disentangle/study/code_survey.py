"""What the codes of a run carry: a sample of them, their KL, and a factor for each."""

from typing import NamedTuple

import numpy as np

from disentangle.data.dataset import Dataset
from disentangle.metrics.discretize import histogram_bins
from disentangle.metrics.mutual_information import entropy, mutual_information
from disentangle.metrics.shuffled import shuffled_floor
from disentangle.metrics.udr import gaussian_kl
from disentangle.study.components import Narrowed, narrowed
from disentangle.study.encoding import posterior_table
from disentangle.study.sample import labels_of, sample_index
from disentangle.training.final import final_rows
from disentangle.training.run import Run

ROWS = 4000
NAMED = 0.1  # nats: a latent with less KL carries nothing to be named by


class Survey(NamedTuple):
    """The codes of ROWS images, all members, and what the first one's carry."""

    images: np.ndarray  # (N,) image numbers
    codes: np.ndarray  # (P, N, D)
    kl: np.ndarray | None  # (D,) nats, mean over images; the first member's
    share: np.ndarray  # (D, F) I(z; y) / H(y); the first member's
    shuffled: np.ndarray  # (F,) the same of shuffled factors, see `shuffled_floor`
    factor: np.ndarray  # (D,) the factor that names a latent, -1: none; `carried`
    narrow: Narrowed | None = None  # of codes that are too wide: `components`


def survey(run: Run, data: Dataset, *, seed: int = 0) -> Survey:
    """Encodes ROWS images of the data set, drawn by `seed`.

    The KL to N(0, 1) is that of the posteriors of these images; a method that has
    none but logs `kl_by_latent` is taken at its word. Latents of codes that are too
    wide are principal components (study/components.py).
    """
    index = sample_index(data, ROWS, seed=seed)
    read = narrowed(run, data, index)
    narrow = read if isinstance(read, Narrowed) else None
    codes, logvars = posterior_table(read, data, index)
    if logvars is None:
        kl = _final_kl(run, data)
    else:
        kl = gaussian_kl(codes[:1], logvars[:1])[0]
    labels = labels_of(data, index)
    bins, entropies = histogram_bins(codes[0]), entropy(labels)
    entropies = np.where(entropies > 0, entropies, np.inf)  # of a factor with one value
    share = mutual_information(bins, labels) / entropies
    shuffled = shuffled_floor(bins, labels) / entropies
    factor = carried(share, shuffled, kl if run.method.posterior else None)
    return Survey(index, codes, kl, share, shuffled, factor, narrow)


def carried(
    share: np.ndarray, shuffled: np.ndarray, kl: np.ndarray | None = None
) -> np.ndarray:
    """The factor by which each latent is named: (D,), -1 where there is none.

    The one of which it tells most among those of which it tells more than of a
    shuffled factor. A latent with a posterior needs a KL of 0.1 nat as well: a dead
    one follows a factor faintly, by which its mean moves and nothing is decoded.

    Args:
      share: (D, F) I(z; y) / H(y).
      shuffled: (F,) the same of shuffled factors.
      kl: (D,) nats, or None for codes without a posterior.
    """
    if not share.shape[1]:
        return np.full(len(share), -1)
    above = np.where(share > shuffled[None], share, 0.0)
    known = above.max(axis=1) > 0
    known &= np.full(len(share), True) if kl is None else kl >= NAMED
    return np.where(known, above.argmax(axis=1), -1)


def _final_kl(run: Run, data: Dataset) -> np.ndarray | None:
    """(D,) KL per latent of the first member on the test images, nats per image."""
    if run.workdir is None:
        return None
    found = final_rows(run, data)[run.members[0]].get("kl_by_latent")
    return None if found is None else np.asarray(found, np.float64)
