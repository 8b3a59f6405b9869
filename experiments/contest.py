"""Every estimator of which tasks to group, judged by every group of tasks trained.

    .venv/bin/python -m disentangle contest --workdir=runs/contest \
        --config=experiments/contest.py

Argument: a data set, dsprites or shapes3d; without one all regimes of both. Nothing is
trained: the truths and what the estimators said come with the package.

An estimate is made from one seed and judged by the networks of the other four. Its
regret is normalised: 0 is the best choice of groups there is, 1 is no better than
chance. Its cost is in trainings of the network on all tasks.
"""

from ml_collections import ConfigDict

from disentangle.errors import unknown
from disentangle.oracle.shipped import shipped_names
from disentangle.study.contest import default_contest


def get_config(argument: str = "") -> ConfigDict:
    """The config for a data set, or for all of them."""
    known = sorted({name.split("-")[0] for name in shipped_names()})
    if argument and argument not in known:
        raise unknown("data set of this study", argument, known)
    return default_contest(argument)
