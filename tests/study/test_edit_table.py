"""The rows of benchmarks/edit_table.py are trainings that can begin."""

import time
from pathlib import Path

import pytest

import disentangle as dt
from benchmarks import edit_table, kept_lines
from disentangle.editing import Asking
from disentangle.study.editors import ways_of
from disentangle.training.config import stage_configs
from disentangle.training.run import prepare


@pytest.mark.slow
@pytest.mark.parametrize("name", edit_table.ROWS)
def test_a_row_can_begin(name, toy, monkeypatch):
    """Its fields are those of the method, and it has a way to edit."""
    data = dt.data.smaller(toy, 32)

    def begun(config, data, **told):
        for one in stage_configs(config):
            experiment, method, _, _ = prepare(one, data)
        run = type("Begun", (), {"method": method, "config": experiment.config})
        return run

    monkeypatch.setattr("disentangle.training.run.fit", begun)
    job = edit_table.Job(data, "", 32, 0, 1.0, Asking(), Path("nowhere"))
    run = edit_table.train(job, name)
    assert ways_of(run)
    steps = sum(one["steps"] for one in edit_table.stages_of(edit_table.ROWS[name], 1))
    assert steps == sum(edit_table.ROWS[name].steps)


def test_seconds_add_up_over_what_was_stopped(tmp_path):
    path = tmp_path / "new" / "row.seconds"
    with pytest.raises(KeyboardInterrupt), edit_table.counted(path):
        first = time.process_time()
        while time.process_time() - first < 0.02:
            pass
        raise KeyboardInterrupt
    before = edit_table.seconds_of(path)
    with edit_table.counted(path):
        pass
    assert 0.02 <= before <= edit_table.seconds_of(path) < before + 1


def test_results_are_kept_line_by_line(tmp_path):
    """A torn last line is none, and what comes behind it has a line of its own."""
    path = tmp_path / "out" / "table.jsonl"
    kept_lines.keep(path, {"key": "toy, seed 0", "row": "one", "value": 1.0})
    with path.open("a") as file:
        file.write('{"key": "toy, seed 0", "row": "tw')
    kept_lines.keep(path, {"key": "toy, seed 1", "row": "one", "value": 3.0})
    lines = kept_lines.held(path)
    assert [line["value"] for line in lines] == [1.0, 3.0]
    assert list(kept_lines.known(path, "toy, seed 0")) == ["one"]
    assert kept_lines.by_setting(lines) == {"toy": lines}
    assert kept_lines.spread([1.0, 3.0]).split("±") == ["  2.000", "1.414"]
