"""Which tests reach which line, and how long they take: measured once, kept beside the checkout's other caches."""

from __future__ import annotations

import hashlib
import json
import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final

import coverage
import pytest

_NEEDS_A_SERVER: Final = {"server_url", "broker", "quick_broker"}  # their tests are of other rooms, and slow to fork


@dataclass(frozen=True)
class Reach:
    """What one run of the tests has touched.

    ``lines`` gives per file and line the tests that ran it; a line that ran only at import has none. ``seconds`` is a
    test's time under measurement, ``digests`` tells the state each file was in.
    """

    lines: Mapping[str, Mapping[int, frozenset[str]]]
    seconds: Mapping[str, float]
    digests: Mapping[str, str]

    @cached_property
    def breadth(self) -> Mapping[str, int]:
        """Lines that a test runs at all."""
        return Counter(test for found in self.lines.values() for tests in found.values() for test in tests)

    def tests(self, module: str, line: int, most: float) -> list[str]:
        """Name tests of a line until their time is used up [s].

        A third of the time goes to those that run little else, a third to those that run most of the module for their
        time, which are many small ones, and the rest to those that run most of it, which try the most of what can be.
        """
        found = self.lines.get(module, {})
        about = Counter(test for tests in found.values() for test in tests)
        reached = sorted(found.get(line) or about)
        chosen: dict[str, float] = {}
        for limit, order in (
            (most / 3, sorted(reached, key=lambda test: (self.breadth[test], self.seconds[test]))),
            (most * 2 / 3, sorted(reached, key=lambda test: self.seconds[test] / about[test])),
            (most, sorted(reached, key=lambda test: (-about[test], self.seconds[test]))),
        ):
            for test in order:
                if sum(chosen.values()) >= limit:
                    break
                chosen[test] = self.seconds[test]
        return [*chosen]


def digest(file: Path) -> str:
    """Tell one state of a file from another."""
    return hashlib.sha256(file.read_bytes()).hexdigest()


def usable(item: pytest.Item) -> bool:
    """Whether a test runs without a server."""
    return not _NEEDS_A_SERVER & set(getattr(item, "fixturenames", ()))


class _Watch:
    """Gives every test a context of its own in the measurement, takes its time, and notes which cannot be used."""

    def __init__(self, measured: coverage.Coverage) -> None:
        self.measured = measured
        self.seconds: dict[str, float] = {}
        self.left_out: set[str] = set()
        self.now = ""
        sys.addaudithook(self._hear)

    def _hear(self, event: str, _: object) -> None:
        if event == "subprocess.Popen":
            self.left_out.add(self.now)  # a process of its own knows nothing of a mutant

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        items[:] = [item for item in items if usable(item)]

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        self.now = item.nodeid
        self.measured.switch_context(item.nodeid)
        self.seconds[item.nodeid] = -time.perf_counter()

    @pytest.hookimpl(trylast=True)
    def pytest_runtest_teardown(self, item: pytest.Item) -> None:
        self.seconds[item.nodeid] += time.perf_counter()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if not report.passed:
            self.left_out.add(report.nodeid)


def measure(root: Path, packages: Sequence[str], tests: Sequence[str | Path], kept: Path) -> None:
    """Run the tests once and write what they reached into a file."""
    measured = coverage.Coverage(data_file=None, source=[*packages], config_file=False)
    watch = _Watch(measured)
    measured.start()
    # Plain asserts: pytest would complain of every library that is here before it and could not be rewritten.
    plain = ["-q", "--assert=plain", "-p", "no:randomly", "-p", "no:xdist", "-p", "no:cacheprovider"]
    pytest.main([*plain, *map(str, tests)], plugins=[watch])
    measured.stop()
    data = measured.get_data()
    lines = {
        Path(file).relative_to(root).as_posix(): {
            str(line): sorted(set(names) & watch.seconds.keys() - watch.left_out)
            for line, names in data.contexts_by_lineno(file).items()
        }
        for file in data.measured_files()
    }
    seconds = {test: spent for test, spent in watch.seconds.items() if test not in watch.left_out}
    kept.parent.mkdir(exist_ok=True)
    digests = {file: digest(root / file) for file in lines}
    kept.write_text(json.dumps({"lines": lines, "seconds": seconds, "digests": digests}), encoding="utf-8")


def load(kept: Path) -> Reach:
    """Read what `measure` wrote."""
    tree = json.loads(kept.read_text(encoding="utf-8"))
    lines = {
        file: {int(line): frozenset(tests) for line, tests in found.items()} for file, found in tree["lines"].items()
    }
    return Reach(lines, tree["seconds"], tree["digests"])
