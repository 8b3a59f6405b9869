"""Tables for the terminal: sweeps in the order of numbers, means with their spread."""

import json

import numpy as np
import pandas as pd

from disentangle.report.text import member_table, score_table


def table(betas, seeds):
    lines = [
        {
            "member": f"beta={beta:g},seed={seed}",
            "beta": beta,
            "seed": seed,
            "alive": True,
            "metric": metric,
            "value": beta + seed if metric == "mig/score" else 0.5,
        }
        for beta in betas
        for seed in seeds
        for metric in ("mig/score", "dci/disentanglement")
    ]
    return pd.DataFrame(lines)


def test_models_stand_by_rising_values():
    text = member_table(table([16.0, 1.0, 4.0], [0]))
    head, *rows = text.splitlines()
    assert head.split() == [f"beta={b},seed=0" for b in (1, 4, 16)]
    cells = {row.split()[0]: row.split()[1:] for row in rows if row.split()[1:]}
    assert cells["mig/score"] == ["1.0000", "4.0000", "16.0000"]
    assert list(cells) == ["mig/score", "dci/disentanglement"]


def test_seeds_have_their_mean_and_deviation():
    means, _, models = member_table(table([16.0, 4.0], [2, 10, 0])).partition("\n\n")
    title, head, *rows = means.splitlines()
    assert title == "mean ± standard deviation over 3 seeds"
    assert head.split() == ["beta=4", "beta=16"]
    row = next(row for row in rows if row.startswith("mig"))
    spread = np.std([2, 10, 0], ddof=1)
    assert row.replace(" ± ", "±").split()[1:] == [
        f"8.0000±{spread:.4f}",
        f"20.0000±{spread:.4f}",
    ]
    assert models.splitlines()[1].split()[:3] == [
        f"beta=4,seed={s}" for s in (0, 2, 10)
    ]


def test_scores_of_a_job_have_their_deviation(tmp_path):
    rows = [
        {"representation": name, "seed": s, "mig/score": value}
        for name, values in (("b", [0.1, 0.3]), ("a", [0.5, 0.5]))
        for s, value in enumerate(values)
    ]
    ran = {"mig": {"num_train": 3, "num_test": 2}}
    (tmp_path / "scores.json").write_text(json.dumps({"rows": rows, "ran": ran}))
    title, head, row = score_table(tmp_path).splitlines()[1:]
    assert "standard deviation over 2 seeds (3/2 train/test rows)" in title
    assert head.split() == ["b", "a"]
    assert row.split() == ["mig/score", "0.200", "±", "0.141", "0.500", "±", "0.000"]
