"""What `list` prints: every table of names, or all about one name."""

import inspect
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from disentangle.affinity import ESTIMATORS, FROM_GROUPS, ONE_MODEL
from disentangle.affinity.options import SINGLETONS
from disentangle.commands.config import fields
from disentangle.data import DATASETS, SOURCES
from disentangle.data.export import FORMATS
from disentangle.errors import unknown
from disentangle.fields import about, fields_of
from disentangle.methods import METHODS
from disentangle.methods.base import Recipe
from disentangle.methods.gan_losses import GAN_LOSSES
from disentangle.methods.info_vae import KERNELS, STATISTICS
from disentangle.methods.label_losses import LABEL_LOSSES
from disentangle.methods.likelihood import LIKELIHOODS
from disentangle.methods.supervision import SUPERVISION
from disentangle.methods.tasks import KINDS
from disentangle.methods.total_correlation import TC_ESTIMATORS
from disentangle.metrics import METRICS
from disentangle.metrics.base import PROTOCOLS
from disentangle.metrics.metric import NEEDS, Metric
from disentangle.metrics.protocols import said as protocols_of
from disentangle.metrics.trees import BACKENDS
from disentangle.nn import CRITICS, DECODERS, ENCODERS, GENERATORS
from disentangle.report.page import all_sections
from disentangle.report.studies import STUDIES, Study
from disentangle.study.editors import EDITORS
from disentangle.training.optimizers import OPTIMIZERS
from disentangle.weightings import WEIGHTINGS


class Row(NamedTuple):
    """A name of a table: the object it stands for, and its line in the list."""

    thing: Any
    line: str


def tables() -> dict[str, dict[str, Row]]:
    """Every table whose names a config, a flag or a call takes, with its place."""
    return {
        "methods": {k: Row(r, r.summary) for k, r in METHODS.items()},
        "studies": {k: Row(s, s.summary) for k, s in STUDIES.items()},
        **{
            "metrics" + f", from {NEEDS[needs]}" * (needs != "representation"): {
                k: Row(m, f"{_first_line(m.compute)} ({protocols_of(m.protocols)})")
                for k, m in METRICS.items()
                if m.needs == needs
            }
            for needs in dict.fromkeys(m.needs for m in METRICS.values())
        },
        "data sets": {k: Row(r, _sizes(r)) for k, r in DATASETS.items()},
        "sources of data (data.source)": _named(SOURCES),
        "affinity estimators": _documented(ESTIMATORS),
        "losses of all groups, from one trained model": _documented(ONE_MODEL),
        "losses of all groups, from a few trained ones": _documented(FROM_GROUPS),
        "encoders (method.encoder)": _documented(ENCODERS),
        "decoders (method.decoder)": _documented(DECODERS),
        "generators of GANs (method.generator)": _documented(GENERATORS),
        "critics of GANs (method.critic)": _documented(CRITICS),
        "losses of GANs (method.loss)": {
            name: Row(loss, _first_line(loss.critic))
            for name, loss in GAN_LOSSES.items()
        },
        "likelihoods (method.likelihood)": _documented(LIKELIHOODS),
        "kinds of tasks (method.tasks=('FACTOR:KIND',))": _documented(KINDS),
        "weightings of tasks (method.weighting)": {
            name: Row(module, _first_line(module))
            for name, weighting in WEIGHTINGS.items()
            if (module := inspect.getmodule(weighting.weights))
        },
        "losses of labels (method.supervised_loss)": _documented(LABEL_LOSSES),
        "estimators of total correlation (method.estimator)": _documented(
            TC_ESTIMATORS
        ),
        "kernels (method.kernel)": _documented(KERNELS),
        "MMD statistics (method.statistic)": _documented(STATISTICS),
        "optimisers (optimizer.name)": _documented(OPTIMIZERS),
        "trees of DCI (--backend)": {
            k: Row(b, _first_line(b)) for k, b in BACKENDS.items()
        },
        "definitions of scores (--protocol)": _named(PROTOCOLS),
        "groups of one task (--singletons)": _named(SINGLETONS),
        "editors of pictures (--editors)": {
            k: Row(e.make, e.summary) for k, e in EDITORS.items()
        },
        "formats of export (--format)": _named(FORMATS),
        "sections of the page": {k: Row(v, v[0]) for k, v in all_sections().items()},
    }


def catalogue() -> str:
    """All tables, a line per name."""
    lines = []
    for title, rows in tables().items():
        lines.append(f"{title}:")
        lines += [f"  {name:14} {row.line}".rstrip() for name, row in rows.items()]
    lines += ["", "`list NAME` says all about one of them, such as a method's fields."]
    return "\n".join(lines)


def describe(name: str) -> str:
    """All about a name, of every table that holds it.

    Raises:
      UserError: no table does (with a guess).
    """
    found = [
        "\n".join([f"{name}, of the {title}:", *_about(name, rows[name])])
        for title, rows in tables().items()
        if name in rows
    ]
    if not found:
        names = {name for rows in tables().values() for name in rows}
        raise unknown("name", name, sorted(names))
    return "\n\n".join(found)


def _about(name: str, row: Row) -> Iterator[str]:
    yield f"  {row.line}"
    if isinstance(row.thing, Recipe):
        yield from _method(row.thing)
        return
    if isinstance(row.thing, Study):
        config = row.thing.load().default("")
        yield from (f"  --{k}={v!r}" for k, v in fields(config).items())
        return
    if name in OPTIMIZERS and row.thing is OPTIMIZERS[name]:
        yield from _fields(row.thing, "optimizer.")
        return
    thing = row.thing
    if isinstance(thing, Metric):
        yield "  parts: " + ", ".join(f"{name}/{part}" for part in thing.parts)
        yield from (f"  {name}/{k}: {p.definition}" for k, p in thing.parts.items())
        thing = thing.compute
    told = callable(thing) or inspect.ismodule(thing)
    text = inspect.getdoc(thing) if told else None
    if text:
        yield ""
        yield from (f"  {line}".rstrip() for line in text.splitlines())


def _method(recipe: Recipe) -> Iterator[str]:
    """What a method is told, its fields, and the docstring of its paper."""
    yield f"  learns from {SUPERVISION[recipe.supervision]}"
    yield from _fields(recipe.settings, "method.")
    source = inspect.getmodule(recipe.build)
    yield ""
    yield from (
        f"  {line}".rstrip() for line in (inspect.getdoc(source) or "").split("\n")
    )


def _fields(kind: type, prefix: str) -> Iterator[str]:
    """A line per field of settings: default, type, range, meaning and source."""
    for name, field in fields_of(kind).items():
        yield f"  {prefix}{name}={field.default!r}  ({about(field)})"


def _documented(table: Mapping[str, Any]) -> dict[str, Row]:
    return {name: Row(thing, _first_line(thing)) for name, thing in table.items()}


def _named(names: Iterable[str]) -> dict[str, Row]:
    return {name: Row(None, "") for name in names}


def _first_line(thing: Any) -> str:
    return (inspect.getdoc(thing) or "").partition("\n")[0]


def _sizes(recipe: Any) -> str:
    if recipe.space is None:
        return recipe.about
    pairs = zip(recipe.space.names, recipe.space.sizes, strict=True)
    factors = ", ".join(f"{name} {size}" for name, size in pairs)
    return f"{recipe.space.size:,} images: {factors}"
