"""The command that asks a run for pictures."""

from disentangle.commands.base import output_of, path_of, show, workdir_of
from disentangle.commands.flags import JSON, OUT, WORKDIR, Flag, Values
from disentangle.progress import waiting

FLAGS = (
    WORKDIR,
    OUT,
    Flag("tasks", "string", "edit,similar,complete", "comma-separated, or all"),
    Flag("split", "string", "", "whose targets are asked for; default the run's"),
    Flag("gallery", "string", "tuples", "tuples, mini or full"),
    Flag("labels", "integer", 1_000, "labelled images of prototypes; 0 is all"),
    Flag("queries", "integer", 2_000, "edits of each attribute"),
    Flag("triplets", "integer", 10_000, "of each attribute and kind"),
    Flag("searches", "integer", 1_000, "queries of the average precision"),
    Flag("sets", "integer", 10_000, "to complete"),
    Flag("rule", "string", "", "which items go together; default the run's"),
    Flag("columns", "string", "", "all: every code column is of every attribute"),
    Flag("seed", "integer", 0, "of triplets, sets and intervals"),
    Flag("bootstrap", "integer", 200, "resamples for 95 % intervals; 0 is none"),
    JSON,
)


def retrieve(values: Values, words: list[str]) -> None:
    """Asks every model of a run, and keeps the answers where its page finds them."""
    del words
    from disentangle.files import write_json
    from disentangle.progress import say
    from disentangle.report.retrieval import retrieval_table
    from disentangle.retrieval import Asking
    from disentangle.study.evaluate import table_rows
    from disentangle.study.page_folder import page_folder
    from disentangle.study.retrieval import (
        answers,
        choose_tasks,
        keep,
        split_of,
        table,
    )
    from disentangle.study.sample import data_of
    from disentangle.training.run import load_run

    tasks = choose_tasks(values["tasks"])
    asked = ("gallery", "labels", "queries", "triplets", "searches", "sets")
    told = [values[name] for name in (*asked, "seed", "bootstrap", "rule")]
    Asking(values["split"] or "rand", *told)  # its numbers, before a run is read
    json, source = output_of(values["json"]), workdir_of(values)
    with waiting("read the run"):
        run = load_run(source)
    out = path_of(values["out"], "--out") if values["out"] else None
    folder = page_folder(run, source, out)
    asking = Asking(values["split"] or split_of(run), *told)
    with waiting("load the data"):
        data = data_of(run)
    found = answers(run, data, tasks, asking, columns=values["columns"])
    rows = table(run, found)
    show(retrieval_table(rows))
    for note in dict.fromkeys(n for of in found for o in of.values() for n in o.notes):
        say(f"note: {note}")
    keep(folder, run, data, found, asking)
    if json:
        write_json(json, table_rows(rows))
