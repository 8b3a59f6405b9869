"""What each command does: the API called, and its result printed.

A command is a function of its flags' values and its words, and one line in
COMMANDS. Its imports are inside, so that it waits only for what it uses. Every study
has a command by its line in STUDIES (report/studies.py).
"""

from disentangle.commands import editing, exports, jobs, limits, retrieval, tools
from disentangle.commands.base import Command
from disentangle.commands.flags import (
    CONFIG,
    JSON,
    OUT,
    WORKDIR,
    Flag,
    scoring,
)
from disentangle.report.studies import STUDIES

SINGLE = (
    Flag(
        "singletons",
        "string",
        "forbid",
        "groups of one task: forbid, diagonal, value or stl_zero",
    ),
    Flag("singleton_value", "number", None, "score for --singletons=value"),
)

COMMANDS: dict[str, Command] = {
    "train": Command(
        jobs.train,
        "train a method or a sweep; the same command goes on after a stop",
        "--config=experiments/vae.py:dsprites,beta_vae --config.method.beta=4 "
        "--workdir=runs/a",
        (
            CONFIG,
            WORKDIR,
            Flag("loggers", "names", None, "besides metrics.jsonl: tensorboard, wandb"),
            Flag("tensorboard", "switch", False, "the same as --loggers=tensorboard"),
            Flag(
                "devices",
                "string",
                "members",
                "what several devices share: members, or the images of one model's "
                "steps",
            ),
            Flag(
                "join",
                "string",
                None,
                "processes with --devices=images: HOST:PORT,I/N (this is I of 0 .. N - "
                "1), or auto on a cluster",
            ),
        ),
    ),
    "evaluate": Command(
        tools.evaluate,
        "score every model of a run",
        "--workdir=runs/a --metrics=dci,mig",
        (WORKDIR, OUT, *scoring(10_000, 5_000)),
    ),
    "retrieve": Command(
        retrieval.retrieve,
        "ask a run for pictures: in another value, alike in one respect, to a set",
        "--workdir=runs/a --tasks=edit,similar,complete",
        retrieval.FLAGS,
    ),
    "edit": Command(
        editing.edit,
        "change one attribute of pictures and keep the rest: how every model does",
        "--workdir=runs/a --attributes=shape,scale --requests=500",
        editing.FLAGS,
    ),
    "group": Command(
        tools.group,
        "the best groups of tasks, within limits, from affinity.csv or measured scores",
        "runs/quickstart/affinity.csv --budget=2 --largest=4 --apart=shape+scale "
        "--json=out.json",
        (
            Flag("budget", "number", None, "networks, or cost units, to spend"),
            Flag("rows", "string", "source", "what a CSV row is: source or target"),
            *SINGLE,
            *limits.FLAGS,
            JSON,
        ),
        ("AFFINITY.csv",),
    ),
    "regret": Command(
        tools.regret,
        "how much worse than the best the groups are that an estimate chooses",
        "runs/quickstart/truth.parquet --estimate=runs/quickstart/affinity.csv "
        "--budget=2 --json=out.json",
        (
            Flag("estimate", "string", None, "affinity, or a loss or gain per group"),
            Flag("budget", "string", None, "networks to spend; several as 1,2,3"),
            Flag("score", "string", "mean", "of affinities in a group: mean or sum"),
            Flag("rows", "string", "source", "what a CSV row is: source or target"),
            *SINGLE,
            Flag(
                "serving",
                "string",
                "estimate",
                "who chooses the group that serves a task: estimate, validation, truth",
            ),
            Flag("data", "string", None, "of a file of several tables, the data set"),
            Flag("regime", "string", None, "of a file of several tables, the regime"),
            JSON,
        ),
        ("TABLE.parquet",),
    ),
    "score": Command(
        tools.score,
        "score a file of codes (N, D) and factors (N, F)",
        "runs/quickstart/codes/grouped-0.npz --metrics=dci,mig --json=out.json",
        scoring(None, None),
        ("CODES.npz",),
    ),
    "export": Command(
        exports.export,
        "write the models of a run, or a rendered data set, for other programs",
        "runs/a --format=safetensors",
        (
            Flag(
                "format",
                "string",
                "npz",
                "of models: safetensors, stablehlo, onnx or torch; of data: npz, hdf5, "
                "h5 or tfds",
            ),
            Flag("out", "string", None, "folder to write into"),
            Flag("member", "string", None, "one model of the run: place, name or id"),
        ),
        ("RUN or DATASET",),
    ),
    "zoo": Command(
        exports.zoo,
        "the best and the median model of every run of a study, with model cards",
        "--workdir=runs/study --by=mig",
        (
            WORKDIR,
            Flag("by", "string", "", "metric.part that models are ranked by"),
            Flag("out", "string", None, "folder of the zoo; default in the cache"),
        ),
    ),
    "plane": Command(
        tools.plane,
        "draw the latent spaces of runs with 2 latents, one under the other",
        "runs/ae,runs/vae --out=plane.png",
        (
            Flag("out", "string", "plane.png", "image to write"),
            Flag("factor", "string", None, "colours the codes; default the best"),
        ),
        ("RUN,RUN",),
    ),
    "report": Command(
        tools.report,
        "draw the page of a run or job, or of a peer's weights",
        "runs/quickstart",
        (OUT,),
        ("WORKDIR",),
    ),
    "list": Command(
        tools.listing,
        "every name there is; all about one, such as a method's fields",
        "beta_vae",
        words=("[NAME]",),
    ),
}


def commands() -> dict[str, Command]:
    """Every command by its name: those of COMMANDS, and one per study."""
    studies = {name: jobs.command_of(name) for name in STUDIES}
    return COMMANDS | studies | COMMANDS
