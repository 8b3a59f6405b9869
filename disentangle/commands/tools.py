"""Commands that answer one question from a run or a file."""

from pathlib import Path

from disentangle.commands.base import output_of, path_of, show, workdir_of
from disentangle.commands.flags import Values
from disentangle.commands.limits import limits_in
from disentangle.errors import UserError
from disentangle.progress import waiting


def evaluate(values: Values, words: list[str]) -> None:
    """Scores every model of a run, and keeps the scores where its page finds them."""
    from dataclasses import replace

    from disentangle.files import write_json
    from disentangle.metrics.base import Settings
    from disentangle.metrics.score import choose_metrics
    from disentangle.progress import say
    from disentangle.report.text import member_table
    from disentangle.study.evaluate import (
        check_rows,
        data_of,
        run_notes,
        score_run,
        shown,
        table,
        table_rows,
    )
    from disentangle.study.page_folder import page_folder
    from disentangle.study.scores import keep_scores, scored_members
    from disentangle.training.run import load_run

    choose_metrics(values["metrics"], alone="")  # what the run can have it says itself
    json, source = output_of(values["json"]), workdir_of(values)
    rows = (values["num_train"], values["num_test"])
    check_rows(*rows)
    settings = Settings(
        values["seed"],
        values["backend"],
        protocol=values["protocol"],
        bootstrap=values["bootstrap"],
    )
    with waiting("read the run"):
        run = load_run(source)
    keep = source.is_dir() or values["out"]
    out = path_of(values["out"], "--out") if values["out"] else None
    folder = page_folder(run, source, out) if keep else None
    with shown(run, values["metrics"], True) as progress:
        data = data_of(run)
        told = replace(settings, progress=progress)
        results = score_run(run, data, values["metrics"], told, rows)
    found = table(run, results, settings, rows)
    show(member_table(found))
    for note in run_notes(run, results):
        say(f"note: {note}")
    if folder:
        keep_scores(folder, scored_members(run, results), data.space.names)
    if json:
        write_json(json, table_rows(found))


def score(values: Values, words: list[str]) -> None:
    """Scores a file of codes and factors."""
    from disentangle.files import write_json
    from disentangle.metrics import (
        Settings,
        choose_metrics,
        flatten,
        notes,
        read_codes,
        score_details,
    )
    from disentangle.progress import say, steps

    chosen = choose_metrics(values["metrics"])
    out = output_of(values["json"])
    given = read_codes(words[0])
    with steps("score", len(chosen)) as progress:
        settings = Settings(
            values["seed"],
            values["backend"],
            protocol=values["protocol"],
            bootstrap=values["bootstrap"],
            progress=progress,
        )
        results = score_details(
            given.codes,
            given.factors,
            chosen,
            settings,
            num_train=values["num_train"],
            num_test=values["num_test"],
            factor_names=given.factor_names,
            logvars=given.logvars,
            categorical=given.categorical,
        )
    scores = flatten(results)
    for name, value in scores.items():
        show(f"{name:44} {value:.4f}")
    for note in notes(results):
        say(f"note: {note}")
    left_out = {name: found.why_not for name, found in results.items() if found.why_not}
    if out:
        write_json(out, {**scores, **({"left_out": left_out} if left_out else {})})


def group(values: Values, words: list[str]) -> None:
    """Chooses the best groups from a file of affinities or measured scores."""
    from disentangle.affinity import group_tasks, read_group_input
    from disentangle.files import write_json
    from disentangle.report.text import grouping_text, work_bar
    from disentangle.study.groups import Groups

    if values["budget"] is None:
        raise UserError("--budget=NUMBER is missing")
    limits, out = limits_in(values), output_of(values["json"])
    scores = read_group_input(words[0], rows=values["rows"])
    with work_bar("grouping") as progress:
        grouping = group_tasks(
            scores,
            values["budget"],
            singletons=values["singletons"],
            singleton_value=values["singleton_value"],
            progress=progress,
            largest=limits.largest,
            memory=limits.memory,
            needs=limits.needs,
            together=limits.together,
            apart=limits.apart,
            disjoint=limits.disjoint,
            objective=limits.objective,
            costs=limits.costs,
        )
    show(grouping_text(Groups.of(grouping)))
    if out:
        write_json(out, grouping.to_json())


def regret(values: Values, words: list[str]) -> None:
    """Judges an estimate by a table of what groups of tasks really reach."""
    from disentangle.files import write_json
    from disentangle.oracle import TaskTable
    from disentangle.oracle.estimate import read_estimate
    from disentangle.oracle.verdict import budgets_of, judge
    from disentangle.report.verdict_text import verdict_text

    for flag in ("budget", "estimate"):
        if values[flag] is None:
            raise UserError(f"--{flag}=... is missing")
    budgets, out = budgets_of(values["budget"]), output_of(values["json"])
    named = {name: values[name] or "" for name in ("data", "regime")}
    table = TaskTable.load(words[0], data=named["data"], regime=named["regime"])
    with waiting("judge the groups"):
        found = judge(
            table,
            read_estimate(values["estimate"], values["rows"]),
            budgets,
            score=values["score"],
            singletons=values["singletons"],
            singleton_value=values["singleton_value"],
            serving=values["serving"],
        )
    show(verdict_text(found))
    if out:
        write_json(out, found.to_json())


def plane(values: Values, words: list[str]) -> None:
    """Draws the latent planes of runs with two latents side by side."""
    from disentangle.report.latents import write_planes
    from disentangle.study.code_survey import survey
    from disentangle.study.evaluate import data_of
    from disentangle.study.visualize import latent_plane
    from disentangle.training.run import load_run

    out = output_of(values["out"], "out")
    assert out is not None  # the flag has a default
    planes = {}
    runs = words[0].split(",")
    short = len({Path(word).name for word in runs}) == len(runs)
    with waiting("draw the planes"):
        for word in runs:
            run = load_run(path_of(word, "run"))
            data = data_of(run)
            place = Path(word).name if short else word
            name = f"{run.config['method']['name']} in {place}"
            planes[name] = latent_plane(run, data, survey(run, data))
        written = write_planes(planes, out, values["factor"])
    show(f"wrote {written}")


def report(values: Values, words: list[str]) -> None:
    """Draws the page of a finished run or job, or of a peer's weights."""
    from disentangle.report.page import write_report
    from disentangle.study.visualize import refresh_images

    source = path_of(words[0], "run")
    out = path_of(values["out"], "--out") if values["out"] else None
    with waiting("draw the page"):
        folder = refresh_images(source, out)
        page = write_report(folder)
    show(page)


def listing(values: Values, words: list[str]) -> None:
    """Prints what exists, or all about one name."""
    from disentangle.commands.catalogue import catalogue, describe

    show(describe(words[0]) if words else catalogue())
