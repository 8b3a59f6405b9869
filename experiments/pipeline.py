"""The main job: task affinity, exact groups, grouped networks, DCI and MIG.

    .venv/bin/python -m disentangle pipeline --workdir=runs/quickstart \
        --config=experiments/pipeline.py:dsprites,quick

Argument: `dataset[,size]`, data set dsprites, shapes3d or fashion_sprites, or your
`own` labelled images with --config.data.path=FOLDER_OR_FILE; size quick or full (the
default). Both sizes train on a label budget (but on all of your own), because with all
labels every task saturates and no grouping can matter (Fifty et al. 2021 group tasks
that compete).

quick  minutes on two cores, in a regime where grouping matters: dense networks on
       16x16 pixels whose tasks share three or four numbers. Small enough to train
       every group of tasks (dSprites: 31 networks, Shapes3D: 63; three seeds), so that
       the page says which groups were chosen, which were best, and the regret. Of
       other data the chosen groups alone, with small convolutional networks and one
       seed.
       Its VAE shows that the machine works, not what the method can do.
full   convolutional networks: three seeds, 20,000 supervised and 100,000 beta-VAE
       steps; for a GPU.

What chooses the groups is `affinity.group_by`. `quick` on dSprites and Shapes3D takes
the winner of the contest (docs/oracle.md), `kernel`: it predicts every group from each
task alone, all pairs and all together, by their losses on validation images. Those are
16 of dSprites' 31 networks per seed and 22 of Shapes3D's 63, all of which are trained
there anyway. Everywhere else the default is `lookahead`, measured on the way of one
network: the kernel takes N (N - 1) / 2 + N + 1 networks, where a job without it trains
N + 1 and its chosen groups. At full size, five tasks, two groups and three seeds, that
is 48 to 54 convolutional trainings in place of 18 to 24. Ask for it by
--config.affinity.group_by=kernel; data.train_size must leave images to validate on.

Every field can be overridden: --config.budget=3 --config.supervised.steps=500. With
--config.edits an ADDE of both stages is trained for each group, each task alone and all
together, by section `adde`, and --config.score.metrics=dci,mig,edit_retrieval asks what
the groups' codes find together when an attribute is edited. With
--config.supervised.method.triplet=1 the networks themselves learn the triplets of
ADDE's first stage beside their tasks.
"""

from ml_collections import ConfigDict

from disentangle.errors import UserError, unknown
from disentangle.study.pipeline import default_pipeline

SIZES = ("quick", "full")
BOTTLENECKS = {"dsprites": 3, "shapes3d": 4}  # numbers for five tasks, and for six


def get_config(argument: str = "dsprites,full") -> ConfigDict:
    """The job's config for `dataset[,size]`."""
    name, _, size = argument.partition(",")
    size = size or "full"
    if size not in SIZES:
        raise unknown("size of the job", size, SIZES)
    if not name:
        raise UserError("the config needs a data set, as in pipeline.py:dsprites,quick")
    config = default_pipeline(name)
    config.data.train_size = 0 if name == "own" else 5000  # 0: all of a table
    config.supervised.optimizer.learning_rate = 1e-3
    if size == "quick":
        _shrink(config)
        if name in BOTTLENECKS:
            _compete(config, BOTTLENECKS[name])
    else:
        config.supervised.seeds = 3
        config.unsupervised.seeds = 3
        config.unsupervised.steps = 100_000
        config.score.backend = "reference"
    return config


def _compete(config: ConfigDict, bottleneck: int) -> None:
    """Small networks whose tasks compete for a few numbers; every group of them."""
    config.truth = True
    config.data.train_size = 10_000
    config.affinity.learning_rate = 1e-2
    config.affinity.group_by = "kernel"  # every group is trained anyway
    config.supervised.method.encoder = "pooled"
    config.supervised.method.bottleneck = bottleneck
    config.supervised.method.hidden = 16
    config.supervised.method.subspace = 2
    config.supervised.optimizer.learning_rate = 3e-3
    config.supervised.steps = 1500
    config.supervised.eval_every = 500
    config.supervised.seeds = 3
    config.adde.method.encoder = "pooled"
    config.adde.steps = 1500
    config.score.num_train = 1500
    config.score.num_test = 750


def _shrink(config: ConfigDict) -> None:
    """Minutes on two cores instead of hours."""
    for part in (config.supervised, config.unsupervised):
        part.log_every = 25
        part.checkpoint_every = 200
    config.supervised.steps = 600
    config.supervised.eval_every = 200
    config.adde.steps = 600
    config.adde.optimizer.learning_rate = 1e-3
    config.unsupervised.steps = 1000
    config.unsupervised.eval_every = 500
    config.unsupervised.optimizer.learning_rate = 5e-4
    config.score.num_train = 3000
    config.score.num_test = 1500
