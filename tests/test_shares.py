"""Shares of the tests: every test is in one of them."""

from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import pytest

ITEMS = [SimpleNamespace(nodeid=f"tests/test_{i}.py::test") for i in range(500)]


@pytest.fixture
def share_of(request):
    here = Path(__file__).with_name("conftest.py")
    return request.config.pluginmanager.get_plugin(str(here)).share_of


def test_every_test_is_in_one_share_and_shares_are_alike(share_of):
    shares = [share_of(ITEMS, f"{i + 1}/7") for i in range(7)]
    found = Counter(item.nodeid for share in shares for item in share)
    assert found == Counter(item.nodeid for item in ITEMS)
    assert min(map(len, shares)) > 50
    assert share_of(ITEMS, "1/1") == ITEMS


@pytest.mark.parametrize("words", ["", "0/3", "4/3", "a/b", "1/0", "-1/3", "1/3x"])
def test_a_share_that_is_none_is_refused(share_of, words):
    with pytest.raises(pytest.UsageError, match="1/12"):
        share_of(ITEMS, words)


def test_tests_that_would_start_too_late_are_skipped(pytestconfig, monkeypatch):
    here = Path(__file__).with_name("conftest.py")
    conftest = pytestconfig.pluginmanager.get_plugin(str(here))
    item = SimpleNamespace(config=SimpleNamespace(getoption=lambda name: 2.0))
    monkeypatch.setattr(conftest, "STARTED", conftest.time.monotonic() - 119)
    conftest.pytest_runtest_setup(item)
    monkeypatch.setattr(conftest, "STARTED", conftest.time.monotonic() - 121)
    with pytest.raises(pytest.skip.Exception, match="2 minutes"):
        conftest.pytest_runtest_setup(item)
