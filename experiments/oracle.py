"""The truth about task groups: a network for every group of tasks, seed by seed.

    .venv/bin/python -m disentangle oracle --workdir=runs/oracle-dsprites \
        --config=experiments/oracle.py:dsprites,bottleneck

Argument: `dataset[,regime]`, data set dsprites (5 tasks, 31 groups) or shapes3d (6
tasks, 63 groups); several regimes are joined by +, and `all` (the default) is all of
them. A second command with another regime on the same workdir trains that one beside
the first; so do more seeds (--config.seeds=10). Every field of a regime can be
overridden: --config.regimes.bottleneck.steps=500.

What grouping is worth depends on what the networks are told. All regimes have a dense
network on images of 16x16 pixels (64 ReLUs, a linear code of z, a head of 16 ReLUs per
task; Adam 3e-3), and no regime is one in which all tasks are learned by anything:

dsprites    bottleneck  10,000 images, z = 3 for five tasks: they compete for the code
            scarce      4,000 images, z = 4
            noisy       10,000 images, z = 4, noise on pixels (0.3) and on labels (20 %)
shapes3d    bottleneck  5,000 images, z = 4 for six tasks, noise on pixels (0.3)
            scarce      1,000 images, z = 10, noise on pixels (0.3)
            unequal     2,000 images with all hues, 200 labels of the other factors

Seconds per seed on two cores, and what comes out: docs/oracle.md. The tables of five
seeds are in the package: `disentangle.oracle.shipped("dsprites-bottleneck")`.
"""

from ml_collections import ConfigDict

from disentangle.errors import UserError, unknown
from disentangle.oracle.regime import Regime
from disentangle.study.oracle import default_oracle

REGIMES = {
    "dsprites": {
        "bottleneck": Regime(train_size=10_000, latents=3, batch_size=64, steps=2000),
        "scarce": Regime(train_size=4000, latents=4, batch_size=64, steps=1200),
        "noisy": Regime(
            train_size=10_000,
            latents=4,
            pixel_noise=0.3,
            label_noise=(0.2,),
            batch_size=64,
            steps=1500,
        ),
    },
    "shapes3d": {
        "bottleneck": Regime(
            train_size=5000, latents=4, pixel_noise=0.3, batch_size=32, steps=1500
        ),
        "scarce": Regime(
            train_size=1000, latents=10, pixel_noise=0.3, batch_size=32, steps=800
        ),
        "unequal": Regime(
            train_size=2000,
            labels=(2000, 2000, 2000, 200, 200, 200),
            latents=10,
            pixel_noise=0.3,
            batch_size=64,
            steps=800,
        ),
    },
}


def get_config(argument: str = "dsprites,all") -> ConfigDict:
    """The config for `dataset[,regime]`."""
    name, _, named = argument.partition(",")
    if not name:
        raise UserError("the config needs a data set, as in oracle.py:dsprites")
    if name not in REGIMES:
        raise unknown("data set of this study", name, REGIMES)
    known = REGIMES[name]
    chosen = list(known) if named in ("", "all") else named.split("+")
    for regime in chosen:
        if regime not in known:
            raise unknown("regime", regime, [*known, "all"])
    return default_oracle(name, {regime: known[regime] for regime in chosen})
