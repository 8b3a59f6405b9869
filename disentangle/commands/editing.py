"""The command that asks a run to change one attribute of pictures."""

from disentangle.commands.base import output_of, path_of, show, workdir_of
from disentangle.commands.flags import JSON, OUT, WORKDIR, Flag, Values
from disentangle.progress import waiting

FLAGS = (
    WORKDIR,
    OUT,
    Flag("data", "string", "", "name of a rendered data set; default the run's"),
    Flag("attributes", "string", "", "factors, comma-separated; default all"),
    Flag("requests", "integer", 2_000, "edits of each attribute"),
    Flag("split", "string", "", "whose targets are asked for; default the run's"),
    Flag("labels", "integer", 500, "labelled training images that editors may read"),
    Flag("gallery", "integer", 5_000, "training images given back; 0 is all"),
    Flag("editors", "string", "", "comma-separated; default what the method is for"),
    Flag("sources", "string", "real,generated", "whose pictures: real, generated"),
    Flag("oracle_steps", "integer", 1_500, "updates of each oracle, trained once"),
    Flag("bootstrap", "integer", 200, "resamples for 95 % intervals; 0 is none"),
    JSON,
)


def edit(values: Values, words: list[str]) -> None:
    """Asks every model of a run, and keeps the answers where its page finds them."""
    del words
    from disentangle.data import load
    from disentangle.editing import Asking
    from disentangle.fields.check import whole_number
    from disentangle.files import write_json
    from disentangle.progress import say
    from disentangle.report.editing import edit_table
    from disentangle.study.editing import check_sources, judge_edits, table
    from disentangle.study.evaluate import table_rows
    from disentangle.study.page_folder import page_folder
    from disentangle.study.sample import as_small, data_of
    from disentangle.training.run import load_run

    names = {
        flag: tuple(n.strip() for n in values[flag].split(",") if n.strip())
        for flag in ("attributes", "editors", "sources")
    }
    numbers = [values[name] for name in ("labels", "gallery", "bootstrap")]
    Asking(values["requests"], "", names["attributes"], *numbers)  # before a run
    whole_number("oracle_steps", values["oracle_steps"], 1)
    check_sources(names["sources"])
    json, source = output_of(values["json"]), workdir_of(values)
    with waiting("read the run"):
        run = load_run(source)
    out = path_of(values["out"], "--out") if values["out"] else None
    folder = page_folder(run, source, out)
    split = values["split"] or str(run.config["data"].get("split") or "")
    asking = Asking(values["requests"], split, names["attributes"], *numbers)
    with waiting("load the data"):
        named = values["data"]
        data = as_small(load(named), run.spec) if named else data_of(run)
    found = judge_edits(
        run,
        data,
        asking,
        editors=names["editors"],
        sources=names["sources"],
        oracle_steps=values["oracle_steps"],
        folder=folder,
    )
    rows = table(found)
    show(edit_table(rows))
    for note in dict.fromkeys(f"{o.way}: {n}" for o in found.told for n in o.notes):
        say(f"note: {note}")
    if json:
        write_json(json, table_rows(rows))
