"""The main job, and its first stage alone, as studies: their pages."""

from pathlib import Path

from disentangle.report import files, groups, sections, text, truth, verdict
from disentangle.report.blocks import number, plural
from disentangle.report.studies import Config, Job, Page, Result
from disentangle.report.summary import (
    NETWORKS,
    data_name,
    method_name,
    ordered,
    part,
    scores_sentence,
    unless_damaged,
)
from disentangle.study.pipeline import check, default_pipeline, measure, run_pipeline


def told(workdir: Path, config: Config) -> list[str]:
    """The steps and seeds of both kinds of networks, and the budget."""
    del workdir
    budget = config.get("budget")
    vae = method_name(config, "unsupervised", missing="unsupervised")
    return [
        part(config, "supervised", "Supervised networks"),
        part(config, "unsupervised", vae),
        f"Budget: {plural(budget, 'network')}." if budget else "",
    ]


def result(workdir: Path) -> Result:
    """Whether grouping helped; of a job without its losses, what there is."""
    losses = unless_damaged(losses_sentence, workdir) or ""
    scores = unless_damaged(scores_sentence, workdir) or ""
    judged = unless_damaged(verdict.verdict, workdir)
    if not judged:
        return Result(" ".join(filter(None, [losses, scores])))
    parts = [*judged.parts, ("Test losses", losses), ("Scores", scores)]
    command = unless_damaged(verdict.next_run, workdir) or ""
    return Result(judged.answer, [said for said in parts if said[1]], command)


def losses_sentence(workdir: Path) -> str:
    """The mean test loss of every way of sharing; "" without losses."""
    losses = files.task_losses(workdir)
    if losses is None:
        return ""
    networks = losses.networks
    parts = [
        f"{NETWORKS.get(name, name)} {number(float(networks[name].mean()))}"
        for name in ordered(networks)
    ]
    return f"Mean test loss: {', '.join(parts)}; 1 is the trivial predictor."


PIPELINE = Job(
    default_pipeline,
    check,
    run_pipeline,
    text.result_tables,
    Page(
        lambda config: f"Task groups and disentanglement on {data_name(config)}",
        {
            "affinity": ("Affinity between tasks", sections.affinity),
            "groups": ("Groups", groups.groups),
            "truth": ("The groups beside the truth", truth.truth),
            "losses": ("Test losses", sections.task_losses),
        },
        told,
        result,
    ),
)
AFFINITY = Job(
    default_pipeline,
    check,
    measure,
    text.affinity_table,
    Page(
        lambda config: f"Affinity between tasks on {data_name(config)}",
        {"affinity": ("Affinity between tasks", sections.affinity)},
        lambda workdir, config: [part(config, "supervised", "One network")],
    ),
)
