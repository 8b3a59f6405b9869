"""Editors of methods whose pictures have styles."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from disentangle.data.space import FactorSpace
from disentangle.editing import Known, Question
from disentangle.editing.following import following
from disentangle.study.editor import SEED, Editor, Limits, Pictures
from disentangle.study.latent_spaces import latents_of, pictures_of, styles_of
from disentangle.study.mixing import sources, split_styles
from disentangle.study.translating import translated, ways_of
from disentangle.training import encode
from disentangle.training.run import Run


def translation(run: Run, known: Known, space: FactorSpace) -> Editor:
    """The picture drawn in the domain of the wanted value, in the exemplar's style.

    Sources or exemplars of neither domain stay as they are drawn in the first one.
    """
    del known
    ways = ways_of(run)
    column = space.position(ways.factor)
    others = tuple(name for name in space.names if name != ways.factor)
    says = f"no factor but {ways.factor} is edited, between {' and '.join(ways.names)}"
    limits = Limits((says,), others)

    def drawn(q: Question, wanted: np.ndarray) -> Pictures:
        at = lambda factors: (factors[:, column] == ways.values[1]).astype(int)
        old, new = at(q.factors), at(q.factors)
        if q.column == column:
            told = np.isin(wanted, ways.values)
            new = np.where(told, (wanted == ways.values[1]).astype(int), old)
        found = np.empty_like(q.images)
        for source, target in np.ndindex(2, 2):
            rows = (old == source) & (new == target)
            if rows.any():
                beside = q.exemplars if source != target else q.images
                parts = q.images[rows], beside[rows]
                found[rows] = translated(run, *parts, source, target)
        return found

    own = lambda q: drawn(q, np.full(len(q.images), -1))
    return Editor(lambda q: drawn(q, q.value), own, limits)


CHOSEN = 64  # pictures per span of layers, of which the spans are chosen


def layers(run: Run, known: Known, space: FactorSpace) -> Editor:
    """Of the model's own picture the factor's layers get the style of an exemplar.

    Which layers a factor has, the labelled pictures say: a linear map is fitted from
    their codes to each factor's values, it reads pictures with the styles of two
    sources in every span of layers, and the factor's span is the one for which the
    share of pictures that follow the second source in it, and the first one in the
    others, is the largest. The style of the exemplar is its code, as w is read off it.
    """
    read = linear_reader(run, known, space)
    spans, notes = chosen_spans(run, read, space)
    ways = latents_of(run)

    def own(q: Question) -> tuple[np.ndarray, np.ndarray]:
        """(z, w) of the pictures: those that `Run.sample` draws with SEED."""
        z = own_latents(run, len(q.images), SEED)
        factors = q.factors if q.given is None else q.given
        w = styles_of(run, z, np.asarray(factors, np.int32))
        return z, np.asarray(ways.truncated(run.member(0), jnp.asarray(w)))

    def edited(q: Question) -> Pictures:
        z, w = own(q)
        start, stop = spans[q.column]
        beside = run.encode(q.exemplars)[0]
        return pictures_of(run, split_styles(w, beside, start, stop, ways.layers), z)

    return Editor(edited, lambda q: q.images, Limits(notes))


def own_latents(run: Run, count: int, seed: int) -> np.ndarray:
    """(count, size) the rows z that `Run.sample` and `Run.generate` draw by a seed."""
    size = latents_of(run).size
    key, parts = jax.random.key(seed), []
    for start in range(0, count, encode.BATCH):
        own = jax.random.fold_in(key, start)
        parts.append(np.asarray(jax.random.normal(own, (encode.BATCH, size))))
    return np.concatenate(parts)[:count]


def linear_reader(
    run: Run, known: Known, space: FactorSpace
) -> Callable[[np.ndarray], np.ndarray]:
    """pictures (n, H, W, C) -> (n, F) values, by least squares on the codes."""
    codes = run.encode(known.images)[0].astype(np.float64)
    mean, scale = codes.mean(0), codes.std(0) + 1e-6
    rows = lambda codes: np.c_[(codes - mean) / scale, np.ones(len(codes))]
    x = rows(codes)
    ridge = x.T @ x + 1e-2 * len(x) * np.eye(x.shape[1])
    maps = [
        np.linalg.solve(ridge, x.T @ np.eye(size)[known.factors[:, column]])
        for column, size in enumerate(space.sizes)
    ]

    def read(images: np.ndarray) -> np.ndarray:
        own = rows(run.encode(np.clip(images, 0.0, 1.0))[0].astype(np.float64))
        return np.stack([(own @ one).argmax(1) for one in maps], axis=1)

    return read


def chosen_spans(
    run: Run, read: Callable[[np.ndarray], np.ndarray], space: FactorSpace
) -> tuple[list[tuple[int, int]], tuple[str, ...]]:
    """(F,) start and stop of the layers of each factor, and a note that says them."""
    z, first, second = sources(run, space, CHOSEN, SEED)
    count = latents_of(run).layers
    spans = [(a, b) for a in range(count) for b in range(a + 1, count + 1)]
    own, other = (read(pictures_of(run, w, z)) for w in (first, second))
    follows, keeps = [], []
    for span in spans:
        mixed = split_styles(first, second, *span, count)
        found = following(space, read(pictures_of(run, mixed, z))[None], own, other)
        follows.append(np.nan_to_num(found.second))
        keeps.append(np.nan_to_num(found.first))
    gained, kept = np.stack(follows), np.stack(keeps)
    others = (kept.sum(1, keepdims=True) - kept) / max(1, len(space.sizes) - 1)
    best = (gained + others).argmax(0)
    chosen = [spans[i] for i in best.tolist()]
    words = ", ".join(
        f"{name} {start + 1} to {stop}"
        for name, (start, stop) in zip(space.names, chosen, strict=True)
    )
    return chosen, (f"of {count} layers: {words}",)
