"""Progress without a terminal: plain lines, few of them, and none when told so."""

import pytest

from disentangle import progress


@pytest.fixture
def clock(monkeypatch):
    """Seconds that pass only when a test says so."""
    now = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    return now


def run(clock, seconds, *, shown=True, total=100):
    with progress.Progress("train", total=total, unit="step", shown=shown) as bar:
        for _ in range(seconds):
            clock[0] += 1.0
            bar.advance()


def test_lines_come_after_5_10_20_40_and_then_every_60_seconds(clock, capsys):
    run(clock, 300, total=300)
    lines = capsys.readouterr().err.splitlines()
    done = [int(line.split("/")[0].split()[-1]) for line in lines]
    assert done == [5, 15, 35, 75, 135, 195, 255]
    assert not any("\r" in line for line in lines)


def test_a_line_says_what_is_done_how_fast_and_how_long_it_takes(clock, capsys):
    run(clock, 5)
    line = "train: 5/100 steps (5%), 1 steps/s, 0:01:35 left\n"
    assert capsys.readouterr().err == line


def test_what_is_not_to_be_shown_is_not(clock, capsys):
    run(clock, 300, shown=False)
    assert not capsys.readouterr().err


def test_a_quick_job_says_nothing(clock, capsys):
    run(clock, 4)
    assert not capsys.readouterr().err


def test_work_done_before_does_not_count_as_speed(clock, capsys):
    with progress.Progress("train", total=100, unit="step", done=50) as bar:
        clock[0] += 10.0
        bar.advance(10)
    assert "60/100 steps (60%), 1 steps/s, 0:00:40 left" in capsys.readouterr().err


def test_items_come_through_unchanged(capsys):
    assert list(progress.over([3, 1, 2], "read")) == [3, 1, 2]
    assert not capsys.readouterr().err


def test_silent_takes_bars_and_with_lines_all_that_is_said(clock, capsys):
    with progress.silent():
        run(clock, 300)
        progress.say("a stage")
    assert capsys.readouterr().err == "a stage\n"
    with progress.silent(lines=True):
        run(clock, 300)
        progress.say("a stage")
    assert not capsys.readouterr().err
    progress.say("a stage")
    assert capsys.readouterr().err == "a stage\n"


def test_work_without_units_says_how_long_it_has_taken(clock, capsys):
    with progress.Progress("draw the page") as bar:
        clock[0] += 7.0
        bar.to(0)
    assert capsys.readouterr().err == "draw the page: 0:00:07\n"
    with progress.waiting("draw the page", shown=False):
        clock[0] += 70.0
    assert not capsys.readouterr().err
