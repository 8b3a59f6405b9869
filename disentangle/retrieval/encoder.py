r"""What takes part in the three tasks: codes of images, and what is known of them.

Any encoder can: codes, some images whose labels are known, and a map that says which
columns of a code are of which attribute. From those come prototypes m_v, the mean of
the columns over the images with value v, and with them two edits of the columns of an
attribute from value u to v,

$$
\text{add: } z_a + m_v - m_u, \qquad \text{replace: } m_v
$$

and a classifier of each attribute on all columns, Gaussian classes of one covariance
(Fisher's linear discriminant). A method that has its own brings them instead.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from disentangle.errors import UserError

SHRINKAGE = 0.1  # of the covariance towards equal variances: labels are few
WIDEST = 1024  # columns whose full covariance is inverted
LIKELY = 1e-9  # the least probability that a classifier gives

Encode = Callable[[np.ndarray], np.ndarray]
Edit = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]
Pair = Callable[[np.ndarray, int, int], np.ndarray]


@dataclass(frozen=True)
class Encoder:
    """An encoder of a data set's images, by their numbers.

    Attributes:
      encode: (n,) images -> (n, D) codes.
      chunks: (A,) the columns of each attribute, those it may share with none; empty
        where an attribute has none.
      edits: way -> edit(codes (n, D), old (n, A), new (n, A)) -> codes. `new` is -1
        where an attribute stays; `old` is what it was, -1 where that is not
        known: nothing is taken away.
      classify: codes (n, D) -> A arrays (n, K_a), log-probabilities of the values.
      labels: (n,) images whose labels are known, and
      values: (n, A) these labels.
      whole: codes -> as they are compared whole; None: as they are.
      alike: attribute number -> (codes -> (n, E)) whose distances say how alike images
        are in it; None: its columns.
      pair: (codes (n, D), category, other category) -> (n, E), the codes of a method
        that compares items of two categories; None where it has none.
      attention: (categories, categories, A) how much of a pair's distance is of each
        attribute, or None.
    """

    encode: Encode
    chunks: tuple[np.ndarray, ...]
    edits: Mapping[str, Edit]
    classify: Callable[[np.ndarray], list[np.ndarray]]
    labels: np.ndarray
    values: np.ndarray
    whole: Callable[[np.ndarray], np.ndarray] | None = None
    alike: Callable[[int], Callable[[np.ndarray], np.ndarray]] | None = None
    pair: Pair | None = None
    attention: np.ndarray | None = None
    notes: tuple[str, ...] = field(default=())

    def compared(self, codes: np.ndarray) -> np.ndarray:
        """(n, D) whole codes as they are compared."""
        return codes if self.whole is None else self.whole(codes)

    def respect(self, codes: np.ndarray, attribute: int) -> np.ndarray:
        """(n, E) codes as they are compared in one attribute, E = 0 for nothing."""
        if self.alike is not None:
            return self.alike(attribute)(codes)
        return codes[:, self.chunks[attribute]]

    def predicted(self, codes: np.ndarray) -> np.ndarray:
        """(n, A) int64 likeliest values."""
        return np.stack([part.argmax(1) for part in self.classify(codes)], axis=1)


def from_labels(
    encode: Encode,
    labels: np.ndarray,
    values: np.ndarray,
    sizes: Sequence[int],
    chunks: Sequence[np.ndarray],
) -> Encoder:
    """An encoder with class-mean prototypes and linear classifiers of its codes.

    Args:
      encode, labels, values, chunks: as in `Encoder`.
      sizes: (A,) how many values each attribute has.

    Raises:
      UserError: an attribute with fewer than two different values among the labels.
    """
    check_labels(values, sizes)
    codes = encode(labels)
    means = class_means(codes, values, sizes)
    return Encoder(
        encode,
        tuple(np.asarray(columns, np.int64) for columns in chunks),
        mean_edits(means, chunks),
        discriminant(codes, values, sizes),
        labels,
        values,
    )


def unlabelled(encode: Encode, chunks: Sequence[np.ndarray]) -> Encoder:
    """An encoder of images without labels: it has no edits, and no classifiers."""
    columns = tuple(np.asarray(one, np.int64) for one in chunks)
    none = np.empty(0, np.int64)
    return Encoder(encode, columns, {}, lambda codes: [], none, none.reshape(0, 0))


def check_labels(values: np.ndarray, sizes: Sequence[int]) -> None:
    """Raises UserError where labels (n, A) are of one value of an attribute."""
    if values.shape != (len(values), len(sizes)):
        raise UserError(f"labels have the shape {values.shape}, not (n, {len(sizes)})")
    for a, column in enumerate(values.T):
        if len(np.unique(column[column >= 0])) < 2:
            raise UserError(
                f"attribute {a} has one value among the {len(column)} labelled images: "
                "give more labels"
            )


def class_means(
    codes: np.ndarray, values: np.ndarray, sizes: Sequence[int]
) -> list[np.ndarray]:
    """A arrays (K_a, D): the mean code of each value; of none the mean of all codes.

    Args:
      codes: (n, D).
      values: (n, A), -1 where one is missing.
      sizes: (A,) K_a.
    """
    found, middle = [], codes.mean(0, dtype=np.float64)
    for column, size in zip(values.T, sizes, strict=True):
        chosen = column[:, None] == np.arange(size)
        count = chosen.sum(0)[:, None]
        means = chosen.T.astype(np.float64) @ codes / np.maximum(count, 1)
        found.append(np.where(count > 0, means, middle).astype(np.float32))
    return found


def mean_edits(
    means: Sequence[np.ndarray], chunks: Sequence[np.ndarray]
) -> dict[str, Edit]:
    """The two edits, by prototypes that are class means; see the equations above."""

    def edited(
        codes: np.ndarray, old: np.ndarray, new: np.ndarray, add: bool
    ) -> np.ndarray:
        found = np.array(codes, np.float32)
        for a, columns in enumerate(chunks):
            rows = np.flatnonzero(new[:, a] >= 0)
            at = np.ix_(rows, columns)
            wanted = means[a][new[rows, a]][:, columns]
            if add:
                left = means[a][old[rows, a]][:, columns]
                found[at] += wanted - np.where(old[rows, a, None] < 0, 0.0, left)
            else:
                found[at] = wanted
        return found

    return {
        "replace": lambda codes, old, new: edited(codes, old, new, False),
        "add": lambda codes, old, new: edited(codes, old, new, True),
    }


def discriminant(
    codes: np.ndarray, values: np.ndarray, sizes: Sequence[int]
) -> Callable[[np.ndarray], list[np.ndarray]]:
    """Log-probabilities of Gaussian classes with one covariance, equally likely.

    The covariance within classes is shrunk towards equal variances by `SHRINKAGE`; of
    more than `WIDEST` columns only the variances are used. A value without an image has
    probability `LIKELY`.

    Args:
      codes: (n, D).
      values: (n, A), -1 where one is missing.
      sizes: (A,) K_a.
    """
    means = class_means(codes, values, sizes)
    parts = []
    for a, size in enumerate(sizes):
        known = values[:, a] >= 0
        within = codes[known].astype(np.float64) - means[a][values[known, a]]
        there = np.bincount(values[known, a], minlength=size) > 0
        parts.append((*_linear(within, means[a]), there))

    def classify(codes: np.ndarray) -> list[np.ndarray]:
        found = []
        for weights, bias, there in parts:
            logits = codes.astype(np.float64) @ weights + bias
            logits = np.where(there, logits, -np.inf)
            logits -= logits.max(1, keepdims=True)
            logits -= np.log(np.exp(logits).sum(1, keepdims=True))
            found.append(np.maximum(logits, np.log(LIKELY)).astype(np.float32))
        return found

    return classify


def _linear(within: np.ndarray, means: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """C^-1 m_v and -m_v C^-1 m_v / 2 of the classes: (D, K), (K,)."""
    rows, width = within.shape
    variances = (within * within).mean(0)
    floor = max(float(variances.mean()), 1e-12)
    if width > WIDEST:
        weights = (means / ((1 - SHRINKAGE) * variances + SHRINKAGE * floor)).T
    else:
        covariance = (1 - SHRINKAGE) * within.T @ within / rows
        covariance[np.diag_indices(width)] += SHRINKAGE * floor
        weights = np.linalg.solve(covariance, means.T.astype(np.float64))
    return weights, -0.5 * (means.T * weights).sum(0)
