"""Where the models ended: what final.json says, never an earlier line of the log."""

import json

import pytest

from disentangle.errors import UserError
from disentangle.report.comparison import relevance
from disentangle.report.runs import ended, ends, result


def line(step, split, loss, **values):
    row = {"step": step, "split": split, "member": "seed=0", "loss": loss}
    return json.dumps(row | values) + "\n"


@pytest.fixture
def workdir(tmp_path):
    """A run of 100 steps whose log was cut after step 40."""
    log = line(20, "train", 9.0) + line(40, "train", 8.0) + line(40, "test", 7.0)
    (tmp_path / "metrics.jsonl").write_text(log)
    values = {"loss": 1.5, "kl": None, "kl_by_latent": [1.0, 0.0]}
    final = {"step": 100, "rows": {"seed=0": values}}
    (tmp_path / "final.json").write_text(json.dumps(final))
    return tmp_path


def shown(workdir):
    (table,) = ends(workdir)
    cells = [getattr(c, "value", c) for c in table.rows[0]]
    return table.caption, dict(zip(table.header, cells, strict=True))


def test_a_cut_log_does_not_say_where_the_models_ended(workdir):
    caption, cells = shown(workdir)
    assert "at the step it ended at, on test images" in caption
    assert (cells["step"], cells["loss"]) == ("100", 1.5)
    assert "After 100 steps the test loss is 1.5" in result(workdir).answer
    (workdir / "metrics.jsonl").write_text("{")
    assert shown(workdir)[1]["loss"] == 1.5
    (workdir / "metrics.jsonl").unlink()
    assert shown(workdir)[1]["loss"] == 1.5


def test_without_final_json_and_while_a_run_goes_on_the_log_says_it(workdir):
    with open(workdir / "metrics.jsonl", "a") as file:
        file.write(line(120, "test", 1.2))
    caption, cells = shown(workdir)
    assert "last line of the log" in caption
    assert (cells["step"], cells["loss"]) == ("120", 1.2)
    (workdir / "final.json").unlink()
    assert shown(workdir)[1]["loss"] == 1.2
    (workdir / "metrics.jsonl").unlink()
    assert ended(workdir) is None and ends(workdir) == []


@pytest.mark.parametrize(
    "text", ["{", "[]", '{"step": 1, "rows": {}}', '{"step": 1, "rows": {"a": 3}}']
)
def test_a_damaged_final_json_is_said_and_not_replaced_by_the_log(workdir, text):
    (workdir / "final.json").write_text(text)
    with pytest.raises(UserError, match=r"final\.json cannot be shown"):
        ends(workdir)


def test_values_that_cannot_be_shown_are_one_sentence(workdir):
    rows = {"seed=0": {"loss": 10**400}}
    (workdir / "final.json").write_text(json.dumps({"step": 100, "rows": rows}))
    with pytest.raises(UserError, match=r"final\.json cannot be shown"):
        ends(workdir)


def test_relevance_is_that_of_the_last_step(workdir):
    for name in ("config.json", "data.json"):
        (workdir / name).write_text('{"method": {"tasks": ["a", "b"]}}')
    values = {"relevance": [0.9, 0.1], "kl_by_latent": [1.0, 0.0]}
    final = {"step": 100, "rows": {"seed=0": values}}
    (workdir / "final.json").write_text(json.dumps(final))
    old = line(40, "test", 7.0, relevance=[0.5, 0.5], kl_by_latent=[0.0, 0.0])
    (workdir / "metrics.jsonl").write_text(old)
    table = relevance(workdir)[0]
    assert "after 100 steps" in table.caption
    assert table.rows[0][1].value == pytest.approx(0.9)
