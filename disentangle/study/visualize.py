"""Images a model is judged by: reconstructions, traversals, the latent plane."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import jax.numpy as jnp
import numpy as np

from disentangle.data.dataset import Dataset
from disentangle.data.samplers import take
from disentangle.errors import UserError
from disentangle.methods.activity import is_active, measured
from disentangle.records import ArrayRecord, JsonRecord
from disentangle.study.code_survey import ROWS, Survey, survey
from disentangle.study.components import narrowed
from disentangle.study.drawn import drawn_of
from disentangle.study.encoding import posterior_table
from disentangle.study.mixing import Mixing, mixing_of
from disentangle.study.page_folder import check_out, page_folder
from disentangle.study.prototypes import prototypes_of
from disentangle.study.sample import data_of, label_names, labels_of, sample_index
from disentangle.study.swaps import swaps_of
from disentangle.study.translating import translations_of
from disentangle.training.run import Run, load_run

EXAMPLES = 8
VALUES = np.linspace(-2.0, 2.0, 7)
POINTS, SIDE = 1500, 11  # of the latent plane: codes shown, images a side
MOVED = 64  # latents that are traversed: codes may be maps of thousands of numbers
TRAVERSED = 16  # principal components that are moved


@dataclasses.dataclass(frozen=True, eq=False)
class Panels(ArrayRecord):
    """panels.npz: what the first member of a run reconstructs and draws.

    Any field may be missing in a file of an older version.

    Attributes:
      images, reconstructions: (n, H, W, C) in [0, 1].
      traversals: (L, V, H, W, C), latent l of the first image set to each of
        `traversal_values` (V,), the rest kept.
      traversal_unit: "", or "standard deviations" around the code's mean, of codes that
        have no unit of their own.
      kl: (L,) nats, falling as the rows do; 0 where the method has none.
      captions: (L,) a latent's number and the factor that it is named by, if any.
      shuffled: (F,) of the `factors` (F,), the share of a factor's entropy below which
        there is no name.
    """

    FILE: ClassVar[str] = "panels.npz"
    images: np.ndarray | None = None
    reconstructions: np.ndarray | None = None
    traversals: np.ndarray | None = None
    traversal_values: np.ndarray | None = None
    traversal_unit: np.ndarray | None = None
    kl: np.ndarray | None = None
    captions: np.ndarray | None = None
    shuffled: np.ndarray | None = None
    factors: np.ndarray | None = None


@dataclasses.dataclass(frozen=True, eq=False)
class Plane(ArrayRecord):
    """plane.npz: the two-dimensional latent space of the first member of a run.

    Attributes:
      plane_codes: (n, 2).
      plane_labels: (n, F) their factors; plane_factors: (F,) the names.
      plane_share: (F,) the larger of the two latents' I(z; y) / H(y);
        plane_shuffled: (F,) what shuffled factors give, if known.
      plane_x, plane_y: (S,), ascending: a grid over the middle 98 % of either code.
      plane_pictures: (S, S, H, W, C), decoded at [y, x].
    """

    FILE: ClassVar[str] = "plane.npz"
    plane_codes: np.ndarray
    plane_labels: np.ndarray
    plane_factors: np.ndarray
    plane_share: np.ndarray
    plane_x: np.ndarray
    plane_y: np.ndarray
    plane_pictures: np.ndarray
    plane_shuffled: np.ndarray | None = None

    @property
    def told(self) -> np.ndarray:
        """(F,) the share of a factor's entropy beyond that of shuffled factors."""
        floor = 0.0 if self.plane_shuffled is None else self.plane_shuffled
        return np.asarray(self.plane_share) - floor


@dataclasses.dataclass(frozen=True)
class Unit:
    """The active units of one model, and what it differs in from the others."""

    member: str
    swept: dict[str, Any]
    active: int


@dataclasses.dataclass(frozen=True)
class Units(JsonRecord):
    """units.json: the active units of every model of a run, of `latents` units."""

    FILE: ClassVar[str] = "units.json"
    latents: int
    rows: list[Unit]

    def __post_init__(self) -> None:
        if not self.rows:
            raise UserError("it holds no model")


def write_panels(run: Run, data: Dataset, path: Path, *, seed: int = 0) -> Survey:
    """Writes panels.npz (`Panels`) of the run's first member; returns what it saw.

    Codes without a Gaussian posterior have no unit of their own: their traversals are
    in standard deviations. With two latents, plane.npz (`Plane`) comes beside it.

    Args:
      path: of panels.npz.
    """
    found = survey(run, data, seed=seed)
    index = sample_index(data, EXAMPLES, seed=seed)
    batch = take(data, jnp.asarray(index, jnp.int32))
    codes = run.encode(batch["images"])[0]
    order, captions = _sorted_latents(found, data)
    if found.narrow is not None:
        order, captions = order[:TRAVERSED], captions[:TRAVERSED]
    moved = _moved(run, found, codes[:1], order)
    flat = moved.reshape(-1, codes.shape[1])
    frames = run.decode(flat)[0].reshape(len(order), len(VALUES), *run.spec.shape)
    Panels(
        images=np.asarray(batch["images"]),
        reconstructions=run.decode(codes)[0],
        traversals=frames,
        traversal_values=VALUES,
        traversal_unit=np.asarray(
            "" if run.method.posterior else "standard deviations"
        ),
        kl=np.zeros(len(order)) if found.kl is None else found.kl[order],
        captions=np.asarray(captions),
        shuffled=found.shuffled,
        factors=np.asarray(label_names(data), str),
    ).save(path.parent)
    if codes.shape[1] == 2 and label_names(data):
        latent_plane(run, data, found).save(path.parent)
    return found


def _moved(run: Run, found: Survey, code: np.ndarray, order: np.ndarray) -> np.ndarray:
    """(L, V, D) one code (1, D) with each latent at VALUES, the rest kept."""
    moved = np.repeat(code[None], len(order), axis=0)
    moved = np.repeat(moved, len(VALUES), axis=1)
    if found.narrow is not None:  # a component is moved within the whole code
        axes, unit = found.narrow.axes[0], found.codes[0].std(0)
        own = axes @ (code[0] - found.narrow.mean[0])
        far = unit[order, None] * VALUES[None] - own[order, None]
        return np.asarray(moved + far[:, :, None] * axes[order, None], np.float32)
    centre, unit = np.zeros(code.shape[1]), np.ones(code.shape[1])
    if run.method.posterior is None:
        centre, unit = found.codes[0].mean(0), found.codes[0].std(0)
    for row, latent in enumerate(order):
        moved[row, :, latent] = centre[latent] + unit[latent] * VALUES
    return moved


def latent_plane(run: Run, data: Dataset, found: Survey) -> Plane:
    """The two-dimensional latent space of the run's first member.

    Raises:
      UserError: another number of latents, or no decoder.
    """
    codes = found.codes[0]
    if codes.shape[1] != 2:
        raise UserError(f"a plane needs 2 latents, the run has {codes.shape[1]}")
    low, high = np.quantile(codes, (0.01, 0.99), axis=0)
    x, y = np.linspace(low, high, SIDE).T
    grid = np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2)
    images = run.decode(grid)[0].reshape(SIDE, SIDE, *run.spec.shape)
    return Plane(
        plane_codes=codes[:POINTS],
        plane_labels=labels_of(data, found.images[:POINTS]),
        plane_factors=np.asarray(label_names(data), str),
        plane_share=found.share.max(0),
        plane_shuffled=found.shuffled,
        plane_x=x,
        plane_y=y,
        plane_pictures=images,
    )


def active_units(codes: np.ndarray) -> np.ndarray:
    """AU = #{d: Var_x(E[z_d | x]) > 0.01} (Burda, Grosse and Salakhutdinov 2016).

    Args:
      codes: (P, N, D) posterior means of N images.

    Returns:
      (P,) int64.
    """
    return is_active(codes.astype(np.float64).var(axis=1)).sum(axis=1)


def active_latents(
    run: Run, data: Dataset, *, images: int = ROWS, seed: int = 0
) -> np.ndarray:
    """Which latents of every member tell images apart (methods/activity.py).

    A member without any has collapsed: `~active_latents(run, data).any(1)`.

    Returns:
      (P, D) bool.
    """
    index = sample_index(data, images, seed=seed)
    codes, logvars = posterior_table(narrowed(run, data, index), data, index)
    variance = measured(run.method, codes.astype(np.float64)).var(axis=1)
    if logvars is None:
        return is_active(variance)
    return is_active(variance, np.exp(logvars.astype(np.float64)).mean(axis=1))


def refresh_images(source: Path, out: Path | None = None) -> Path:
    """Draws anew what the page of a run shows: panels, plane, units, prototypes,
    translations, mixed styles (where a command has not drawn them with a matrix).

    A pipeline's folder is left as it is: it has drawn its own.

    Args:
      source: the folder of a run or of a job; or a peer's weights, .npz.
      out: as in `page_folder`.

    Returns:
      The folder of the page.
    """
    check_out(source, out)
    if out is None and not (source / "checkpoints").is_dir():
        return source
    run = load_run(source)
    folder = page_folder(run, source, out)
    own = drawn_of(run, source if source.is_dir() else None)
    if own:
        own.save(folder)
    if run.method.translation is not None:
        translations_of(run, data_of(run)).save(folder)
    if run.method.latents is not None and not (folder / Mixing.FILE).exists():
        mixing_of(run, data_of(run)).save(folder)
    if run.method.decode is None and run.method.subspaces is None:
        return folder
    data = data_of(run)
    memory = prototypes_of(run, data)
    if memory:
        memory.save(folder)
    if run.method.decode is not None:
        found = write_panels(run, data, folder / "panels.npz")
        _units(run, found.codes).save(folder)
        exchanged = swaps_of(run, data)
        if exchanged:
            exchanged.save(folder)
    return folder


def _units(run: Run, codes: np.ndarray) -> Units:
    """The active units of every member, and what it differs in."""
    rows = zip(run.members, run.swept, active_units(codes), strict=True)
    return Units(codes.shape[2], [Unit(n, swept, int(u)) for n, swept, u in rows])


def _sorted_latents(found: Survey, data: Dataset) -> tuple[np.ndarray, list[str]]:
    """MOVED latents by falling KL (without one: variance), and their names."""
    weight = found.codes[0].var(axis=0) if found.kl is None else found.kl
    order = np.argsort(-weight, kind="stable")[:MOVED]
    return order, [_caption(found, int(z), label_names(data)) for z in order]


def _caption(found: Survey, latent: int, factors: Sequence[str]) -> str:
    """ "z3: scale (0.52 of its entropy)", or "z3" for a latent that carries nothing."""
    factor = int(found.factor[latent])
    if factor < 0:
        return f"z{latent + 1}"
    share = found.share[latent, factor]
    return f"z{latent + 1}: {factors[factor]} ({share:.2f} of its entropy)"
