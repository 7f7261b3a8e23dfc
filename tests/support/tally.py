"""What a run did: tests and seconds per kind against a budget, and, in CI, skips that must not be.

Loaded by ``tests/conftest.py``. A test's kind is the folder it is in.
"""

from __future__ import annotations

import os
from collections import defaultdict
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]

BUDGET_MINUTES = {
    "unit": 0.9, "property": 1.6, "contract": 0.6, "integration": 5.6, "crash": 1.5, "browser": 1.0, "realyear": 0.5,
    "damage": 0.3,
}  # fmt: skip
"""What each kind of ``make test`` may take on a quiet machine, the 12 minutes together; a kind over its own is said."""
_SLACK = 2.5
"""All together over so many times theirs fails CI: a machine with other work may be slower, a suite may not creep."""

ALLOWED_SKIPS = {
    "the server has no TimescaleDB": "no package index carries the extension; it is run by hand before a release",
    "the real data is not beside the checkout": "other people's measurements are not part of the repository",
    "a small disk cannot be mounted here": "a disk of its own needs a right that containers rarely have",
    "this run is not root's": "CI runs as root; the same paths as another user are tests of their own",
}
"""Beginnings of the reasons CI accepts for a skipped test, and why."""

LONGEST_FIRST = ("crash", "realyear", "browser", "damage", "integration", "property", "contract", "unit")
"""Kinds in the order in which processes that share the work take up their files, so that none ends with a long one."""

MARKED_FOLDERS = ("integration", "browser", "crash", "benchmark")
_NEEDS_SERVER = {
    "server_url",
    "template_name",
    "house_name",
    "town_name",
    "database_url",
    "empty_database_url",
    "broker",
}


def kind_of(path: Path) -> str:
    """Folder below ``tests/`` of a test file."""
    parts = path.relative_to(TESTS).parts
    return parts[0] if len(parts) > 1 else "other"


class Tally:
    """Adds up seconds and counts, and says at the end what they came to."""

    def __init__(self, *, strict: bool) -> None:
        self._strict = strict
        self._seconds: dict[str, float] = defaultdict(float)
        self._counts: dict[str, int] = defaultdict(int)
        self._wrong_skips: dict[str, int] = defaultdict(int)

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Mark tests by their folder, and by the servers they ask for, before ``-m`` selects."""
        for item in items:
            kind = kind_of(item.path)
            if kind in MARKED_FOLDERS:
                item.add_marker(kind)
            if _NEEDS_SERVER & set(getattr(item, "fixturenames", ())):
                item.add_marker("integration")

    @pytest.hookimpl(specname="pytest_collection_modifyitems", trylast=True)
    def share_out(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        """Order kinds, each within itself as shuffled, where several processes share the work (pytest-xdist)."""
        if hasattr(config, "workerinput"):
            items.sort(key=lambda item: [*LONGEST_FIRST, kind_of(item.path)].index(kind_of(item.path)))

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Count a test once, and the seconds of its set-up and its end with it."""
        kind = kind_of(_file_of(report))
        self._seconds[kind] += report.duration
        if report.when == "call" or (report.when == "setup" and not report.passed):
            self._counts[kind] += 1
        if report.skipped and not hasattr(report, "wasxfail"):
            reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
            reason = reason.removeprefix("Skipped: ")
            if not reason.startswith(tuple(ALLOWED_SKIPS)):
                self._wrong_skips[reason] += 1

    @property
    def _over_budget(self) -> list[str]:
        return [kind for kind, minutes in BUDGET_MINUTES.items() if self._seconds[kind] > 60 * minutes]

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """In CI a test that should have run, or more minutes than there are, fails the run."""
        too_slow = sum(self._seconds.values()) > 60 * sum(BUDGET_MINUTES.values()) * _SLACK
        if self._strict and session.exitstatus == pytest.ExitCode.OK and (self._wrong_skips or too_slow):
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Print the tally."""
        if not self._counts:
            return
        terminalreporter.section("tests by kind")
        for kind in sorted(self._counts):
            budget = BUDGET_MINUTES.get(kind)
            limit = "" if budget is None else f" of {60 * budget:.0f}"
            over = "  OVER BUDGET" if kind in self._over_budget else ""
            terminalreporter.line(f"{kind:12} {self._counts[kind]:5} tests {self._seconds[kind]:7.1f}{limit} s{over}")
        for reason, count in sorted(self._wrong_skips.items()):
            word = "CI fails for" if self._strict else "CI would fail for"
            terminalreporter.line(f"{word} {count} skipped: {reason}", yellow=True)


def _file_of(report: pytest.TestReport) -> Path:
    """Return the file of a reported test."""
    return TESTS.parent / report.location[0]


def pytest_configure(config: pytest.Config) -> None:
    """Start the tally of this run."""
    config.pluginmanager.register(Tally(strict=os.environ.get("CI") == "true"), "tally")
