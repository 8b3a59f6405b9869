"""Commands that write what is here for other programs: data sets and models."""

from disentangle.commands.base import path_of, show, workdir_of
from disentangle.commands.flags import Values
from disentangle.errors import UserError, unknown
from disentangle.progress import waiting


def export(values: Values, words: list[str]) -> None:
    """Writes a rendered data set, or the models of a run; the format says which."""
    from disentangle.data.export import FORMATS as OF_DATA
    from disentangle.export import FORMATS as OF_MODELS

    format = values["format"]
    if format not in {**OF_DATA, **OF_MODELS}:
        raise unknown("format", format, [*OF_MODELS, *OF_DATA])
    (export_data if format in OF_DATA else export_models)(values, words[0])


def export_data(values: Values, name: str) -> None:
    """A data set by its name, as published files or for tfds."""
    from disentangle.data import DATASETS, load
    from disentangle.data.export import export as write
    from disentangle.export import FORMATS

    if name not in DATASETS and path_of(name, "run").is_dir():
        raise UserError(
            f"{name} is a folder, --format={values['format']} is of a data set: the "
            f"models of a run are written as {', '.join(FORMATS)}"
        )
    if values["member"] is not None:
        raise UserError(f"--member is of a run, {name!r} is a data set")
    out = path_of(values["out"] or "exported", "--out")
    show(write(load(name), out, values["format"]))


def export_models(values: Values, name: str) -> None:
    """The models of a run, in its workdir's `export` folder if no other is given."""
    from disentangle.data import DATASETS
    from disentangle.data.export import FORMATS
    from disentangle.export import export_run
    from disentangle.training.run import load_run

    source = path_of(name, "run")
    if name in DATASETS and not source.exists():
        raise UserError(
            f"{name} is a data set, --format={values['format']} is of the models of a "
            f"run: a data set is written as {', '.join(FORMATS)}"
        )
    default = source / "export" if source.is_dir() else source.with_suffix("")
    out = path_of(values["out"], "--out") if values["out"] else default
    with waiting("read the run"):
        run = load_run(source)
    with waiting("write the models"):
        written = export_run(run, out, values["format"], values["member"])
    for path in written:
        show(path)
    if run.method.decode is None and values["format"] != "safetensors":
        show(f"{run.config['method']['name']} has no decoder: the encoder alone")


def zoo(values: Values, words: list[str]) -> None:
    """Writes the best and the median model of everything in a large study."""
    del words
    from disentangle.study.zoo import build_zoo, default_zoo

    workdir = workdir_of(values)
    out = path_of(values["out"], "--out") if values["out"] else default_zoo()
    with waiting("write the zoo"):
        made = build_zoo(workdir, out, values["by"])
    for entry in made.entries:
        show(f"{entry.name:40} {entry.by} {entry.value:.4f}  {entry.bytes:,} bytes")
    show(out)
