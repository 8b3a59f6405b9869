"""The rows of experiments/bench.py are trainings that can begin."""

import time
from pathlib import Path

import pytest

import disentangle as dt
from benchmarks import edit_table, kept_lines
from disentangle.commands.config import load_config
from disentangle.data import DATASETS
from disentangle.editing import Asking
from disentangle.errors import UserError
from disentangle.study.editors import ways_of
from disentangle.training.config import read_experiment, stage_configs
from disentangle.training.run import prepare
from experiments import bench

SHAPES = {name: (size.pixels,) * 2 + (3,) for name, size in bench.SIZES.items()}


@pytest.mark.slow
@pytest.mark.parametrize("name", bench.ROWS)
def test_a_row_can_begin(name, toy, monkeypatch):
    """Its fields are those of the method, and it has a way to edit."""
    data = dt.data.smaller(toy, 32)

    def begun(config, data, **told):
        for one in stage_configs(config):
            experiment, method, _, _ = prepare(one, data)
        run = type("Begun", (), {"method": method, "config": experiment.config})
        return run

    monkeypatch.setattr(edit_table, "fit", begun)
    job = edit_table.Job(data, "", 32, 0, 1.0, Asking(), 600, Path("nowhere"))
    run = edit_table.train(job, name)
    assert ways_of(run)
    steps = edit_table.steps_of(edit_table.config_of(job, name))
    assert steps == sum(bench.ROWS[name].steps)


@pytest.mark.slow
@pytest.mark.parametrize("name", bench.ROWS)
@pytest.mark.parametrize("data", ["shapes3d", "fashion_sprites"])
@pytest.mark.parametrize("size", bench.SIZES)
def test_a_row_is_a_config_of_the_command_line(name, data, size):
    if name == "munit" and data != "shapes3d":
        pytest.skip("its domains are shapes of Shapes3D")
    config = load_config(f"{bench.__file__}:{data},{name},{size}")
    for one in stage_configs(config.to_dict()):
        experiment = read_experiment(one)
        experiment.recipe.build(experiment.settings, DATASETS[data].space, SHAPES[size])


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("shapes3d,glo", "Did you mean 'glow'"),
        ("shapes3,glow", "Did you mean 'shapes3d'"),
        ("shapes3d,glow,tin", "Did you mean 'tiny'"),
        ("shapes3d", "dataset,row"),
        ("shapes3d,glow,tiny,9", "dataset,row"),
        ("own,glow", "known"),
    ],
)
def test_a_wrong_word_is_a_sentence(argument, message):
    with pytest.raises(UserError, match=message):
        load_config(f"{bench.__file__}:{argument}")


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


def test_results_are_kept_line_by_line(tmp_path, toy):
    """A torn last line is none, and what comes behind it has a line of its own."""
    path = tmp_path / "out" / "table.jsonl"
    kept_lines.keep(path, {"key": "toy, seed 0", "row": "one", "value": 1.0}, toy)
    with path.open("a") as file:
        file.write('{"key": "toy, seed 0", "row": "tw')
    kept_lines.keep(path, {"key": "toy, seed 1", "row": "one", "value": 3.0}, toy)
    lines = kept_lines.held(path)
    assert [line["value"] for line in lines] == [1.0, 3.0]
    assert list(kept_lines.known(path, "toy, seed 0")) == ["one"]
    assert kept_lines.by_setting(lines) == {"toy": lines}
    assert {line["data"] for line in lines} == {toy.digest[:12]}
    lines = [line | {"device": "cpu", "seconds": line["value"]} for line in lines]
    assert kept_lines.heading("toy", lines) == "toy"
    assert kept_lines.cpu_seconds(lines) == "     2"
    more = [*lines, {"data": "0123"}, {}]
    says = f"toy (pictures of 2 digests: {toy.digest[:12]}, 0123)"
    assert kept_lines.heading("toy", more) == says
    more = [*lines, lines[0] | {"device": "NVIDIA H100"}]
    assert kept_lines.heading("toy", more) == "toy (GPU: NVIDIA H100)"
    assert kept_lines.cpu_seconds(more) == "   GPU"
    assert kept_lines.plus_minus([1.0, 3.0]) == "2.000 ±12.706"  # t(1) sd / sqrt 2
    assert kept_lines.plus_minus([1.0], 0.25) == "1.000 ±0.250"
    assert kept_lines.plus_minus([1.0]) == "1.000"
