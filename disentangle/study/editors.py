r"""How models edit a picture: EDITORS, a line per way.

own         the method's own `edit`: coded with the factors that the picture has,
            decoded with the wanted one (conditional VAE)
prototypes  the method's own edit of codes (`Subspaces.edit`), decoded
dimensions  the dimensions S_j of the code become the mean of the labelled images that
            have the value: z'_{S_j} = E[z_{S_j} | y_j = v]; of DNA-GAN 0 at v = 0
directions  the code moves by a difference of class means, z' = z + m_{j,v} - m_{j,y_j}
            (attribute vectors: Kingma & Dhariwal 2018, 5.5)
exchange    the dimensions S_j become those of an exemplar: z'_{S_j} = z(r)_{S_j}
inverted    the same, drawn from the noise that the picture itself is drawn from
            (diffusion), which keeps what no code says
generated   the picture is one of the model's own, x = G(w, y), drawn again from the
            same noise with the wanted value, x' = G(w, y_{j <- v})
translation the picture's content in the style of an exemplar, in its domain
            (`Method.translation`, of two values of a factor)
layers      the picture is one of the model's own; the layers that the factor has get
            the style of an exemplar (`Method.latents`)
retrieval   the training picture whose code is nearest to the edited code

S_j are the dimensions for which factor j is the most important one, by forests fitted
to the labelled images (metrics/forest_importance.py). All labels an editor reads are
those of `Known`, beside what the method was trained with.
"""

import functools
from collections.abc import Callable

import numpy as np

from disentangle.data.space import FactorSpace
from disentangle.editing import Known, Question
from disentangle.errors import UserError, unknown
from disentangle.retrieval.encoder import class_means
from disentangle.retrieval.nearest import nearest
from disentangle.study.columns import annihilated, chunks_of
from disentangle.study.directions import directions
from disentangle.study.editor import SEED, Editor, Limits, Pictures, Way
from disentangle.study.own_codes import one_model
from disentangle.study.style_editors import layers, translation
from disentangle.training.run import Run


def own(run: Run, known: Known, space: FactorSpace) -> Editor:
    """`Run.edit`, with the factors that the picture has."""
    del known
    given = set(run.method.given) or set(space.names)
    fixed = [name for name in space.names if name not in given]
    limits = Limits.without(fixed, "{} cannot be edited: not given")
    draw = lambda q, wanted: run.edit(q.images, q.factors, wanted)[0]
    return Editor(lambda q: draw(q, q.target), lambda q: draw(q, q.factors), limits)


def prototypes(run: Run, known: Known, space: FactorSpace) -> Editor:
    """`Run.edit_codes`, decoded."""
    del known
    edit, limits = told_edit(run, space)
    return Editor(
        lambda q: run.decode(edit(run.encode(q.images)[0], q))[0],
        lambda q: run.decode(run.encode(q.images)[0])[0],
        limits,
    )


def by_mean(run: Run, known: Known, space: FactorSpace) -> Editor:
    """Dimensions of the code at the mean of the wanted value."""
    edit, limits = mean_edit(run, known, space)
    return Editor(
        lambda q: run.decode(edit(run.encode(q.images)[0], q))[0],
        lambda q: run.decode(run.encode(q.images)[0])[0],
        limits,
    )


def exchange(run: Run, known: Known, space: FactorSpace) -> Editor:
    """Dimensions of the code those of the exemplar."""
    chunks, limits = chunks_of(run, known, space)

    def edited(q: Question) -> Pictures:
        codes = np.array(run.encode(q.images)[0])
        columns = chunks[q.column]
        codes[:, columns] = run.encode(q.exemplars)[0][:, columns]
        return run.decode(annihilated(run, space, codes, columns, q))[0]

    return Editor(edited, lambda q: run.decode(run.encode(q.images)[0])[0], limits)


def inverted(run: Run, known: Known, space: FactorSpace) -> Editor:
    """Dimensions of the code those of the exemplar, all else the picture's own."""
    chunks, limits = chunks_of(run, known, space)

    def edited(q: Question) -> Pictures:
        codes = np.array(run.encode(q.images)[0])
        columns = chunks[q.column]
        codes[:, columns] = run.encode(q.exemplars)[0][:, columns]
        return run.redraw(q.images, codes)[0]

    same = lambda q: run.redraw(q.images, run.encode(q.images)[0])[0]
    return Editor(edited, same, limits)


def generated(run: Run, known: Known, space: FactorSpace) -> Editor:
    """The same noise with the wanted value."""
    del known
    fixed = [name for name in space.names if name not in run.method.given]
    limits = Limits.without(fixed, "{} cannot be edited: not given")

    def edited(q: Question) -> Pictures:
        if q.given is None:
            raise UserError(
                f"method {run.config['method']['name']!r} has no encoder: it edits "
                "pictures of its own alone; see Run.generate"
            )
        wanted = np.array(q.given)
        wanted[:, q.column] = q.value
        return run.generate(wanted, seed=SEED)[0]

    return Editor(edited, lambda q: q.images, limits)


def retrieval(run: Run, known: Known, space: FactorSpace) -> Editor:
    """The nearest training picture to the edited code."""
    subspaces = run.method.subspaces
    if subspaces is not None and subspaces.edit is not None:
        edit, limits = told_edit(run, space)
    else:
        edit, limits = mean_edit(run, known, space)
    compared = functools.partial(_compared, run)
    held = compared(run.encode(known.gallery)[0])

    def found(codes: np.ndarray) -> Pictures:
        near, _ = nearest(compared(codes), held, 1)
        return np.asarray(known.gallery[near[:, 0]])

    return Editor(
        lambda q: found(edit(run.encode(q.images)[0], q)),
        lambda q: found(run.encode(q.images)[0]),
        limits,
    )


Edit = Callable[[np.ndarray, Question], np.ndarray]


def told_edit(run: Run, space: FactorSpace) -> tuple[Edit, Limits]:
    """The method's own edit of codes; nothing changes of a factor it was not told.

    Of a factor that it was told in bins of neighbouring values, the bin.
    """
    known = run.method.subspaces
    assert known is not None
    names = {name.partition(":")[0]: name for name in known.names}
    widths = {
        name: space[name].size // size
        for name, size in zip(names, known.sizes, strict=True)
        if name in space.names and space[name].size % size == 0
    }
    cannot = [name for name in space.names if name not in widths]
    limits = Limits.without(cannot, "the method was not told {}")

    def edit(codes: np.ndarray, q: Question) -> np.ndarray:
        name = space.names[q.column]
        if name not in widths:
            return codes
        value = (q.value // widths[name]).astype(np.int32)
        return run.edit_codes(codes, names[name], value)[0]

    return edit, limits


def mean_edit(run: Run, known: Known, space: FactorSpace) -> tuple[Edit, Limits]:
    """The columns of the factor become the mean of the wanted value."""
    chunks, limits = chunks_of(run, known, space)
    codes = run.encode(known.images)[0]
    means = class_means(codes, known.factors, space.sizes)

    def edit(codes: np.ndarray, q: Question) -> np.ndarray:
        found, columns = np.array(codes), chunks[q.column]
        found[:, columns] = means[q.column][q.value][:, columns]
        return annihilated(run, space, found, columns, q)

    return edit, limits


def _compared(run: Run, codes: np.ndarray) -> np.ndarray:
    """Codes as the method compares them whole."""
    from disentangle.training.encode import decoded

    known = run.method.subspaces
    if known is None or known.compared is None:
        return codes
    return np.asarray(decoded(known.compared, run.params, codes, 1)[0])


def _decodes(run: Run) -> bool:
    return run.method.decode is not None


def _edits_codes(run: Run) -> bool:
    known = run.method.subspaces
    return known is not None and known.edit is not None and _decodes(run)


EDITORS: dict[str, Way] = {
    "own": Way(
        own,
        lambda run: run.method.edit is not None,
        "has no edit of its own",
        "coded with the factors that it has, decoded with the wanted one",
        told=True,
    ),
    "prototypes": Way(
        prototypes,
        _edits_codes,
        "does not edit codes, or has no decoder",
        "the method's own edit of the code, decoded",
    ),
    "dimensions": Way(
        by_mean,
        _decodes,
        "has no decoder",
        "the factor's dimensions at the mean of the labelled images that have the "
        "value, decoded",
    ),
    "directions": Way(
        directions,
        _decodes,
        "has no decoder",
        "the code moved by the difference of the class means of two values, decoded",
        told=True,
    ),
    "exchange": Way(
        exchange,
        _decodes,
        "has no decoder",
        "the factor's dimensions those of an exemplar, decoded",
        exemplar=True,
    ),
    "inverted": Way(
        inverted,
        lambda run: run.method.redraw is not None,
        "does not draw pictures again from their own noise",
        "the factor's dimensions those of an exemplar, drawn from the picture's noise",
        exemplar=True,
    ),
    "generated": Way(
        generated,
        lambda run: run.method.generate is not None,
        "is not told factors",
        "a picture of the model's own, drawn again from the same noise with the value",
        generates=True,
    ),
    "translation": Way(
        translation,
        lambda run: (
            run.method.translation is not None and bool(run.method.translation.factor)
        ),
        "does not translate between two values of a factor",
        "drawn in the domain of the value, in the style of an exemplar",
        exemplar=True,
    ),
    "layers": Way(
        layers,
        lambda run: run.method.latents is not None and _decodes(run),
        "does not tell its layers styles",
        "a picture of the model's own, the factor's layers in the style of an exemplar",
        exemplar=True,
        generates=True,
    ),
    "retrieval": Way(
        retrieval,
        lambda run: True,
        "",
        "the training picture whose code is nearest to the edited code",
    ),
}


def ways_of(run: Run, names: tuple[str, ...] = ()) -> tuple[str, ...]:
    """The editors of a run: those named, or what its method is made for.

    Raises:
      UserError: a name that is not there, or that the method cannot.
    """
    for name in names:
        if name not in EDITORS:
            raise unknown("editor", name, EDITORS)
        if not EDITORS[name].can(run):
            method = run.config["method"]["name"]
            raise UserError(
                f"editor {name!r} is not for method {method!r}: it {EDITORS[name].lack}"
            )
    if names:
        return tuple(dict.fromkeys(names))
    for first in ("translation", "own", "prototypes"):
        if EDITORS[first].can(run):
            return (first,)
    if EDITORS["layers"].can(run):
        return ("layers", "dimensions", "exchange")
    if _decodes(run):
        if run.method.components:  # no column of such a code is of a factor
            return ("directions",)
        return ("dimensions", "exchange")
    return ("generated",) if EDITORS["generated"].can(run) else ("retrieval",)


def editor_of(
    name: str, run: Run, member: int, known: Known, space: FactorSpace
) -> Editor:
    """A way to edit of one model of a run."""
    return EDITORS[name].make(one_model(run, member), known, space)
