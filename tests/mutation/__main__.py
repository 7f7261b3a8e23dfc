"""``make mutants``: change the pure modules of the settlement one slip at a time, and list what no test notices.

    python -m tests.mutation                              every pure module; two hours on two cores
    python -m tests.mutation settlement/heat.py           one module
    python -m tests.mutation --measure                    find out anew which tests reach which line (ten minutes)

Every mutant meets the tests that reach its line, those of one rule first, for a limited time, then as many more as ten
times that time allows: few mutants get so far. One that survives them all is listed. What has been looked at and
cannot matter stands with its reason in ``known.toml``; whatever else survives, and an entry there that is killed by
now, makes the run fail.
"""

from __future__ import annotations

import argparse
import gc
import subprocess
import sys
import time
import tomllib
from collections import Counter
from pathlib import Path
from typing import Final

import pytest
from hypothesis import Phase, settings

from tests.mutation.mutants import Mutant, mutants
from tests.mutation.reach import Reach, digest, load, measure, usable
from tests.mutation.trial import Court, Subject
from tests.pure import ROOT, pure

_KEPT: Final = ROOT / ".mutation" / "reach.json"
_KNOWN: Final = Path(__file__).with_name("known.toml")
_TESTS: Final = ("tests/unit", "tests/property", "tests/contract")
_THOROUGH: Final = 10
"""Times the usual time for what has survived that."""


class _Sitting:
    """Takes the place of pytest's own loop: the tests are collected, and then run for mutants only."""

    def __init__(self, chosen: argparse.Namespace, reach: Reach) -> None:
        self.modules: list[str] = chosen.modules
        self.lines: set[int] = set(chosen.line)
        self.also: set[str] = set(chosen.also)
        self.every: int = chosen.every
        self.most: float = chosen.seconds
        self.jobs: int = chosen.jobs
        self.reach = reach
        self.known = known()
        self.unexplained = 0

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection(self) -> None:
        # A failing example is enough (the smallest one is for people), and thousands of mutants leave time for few.
        settings.register_profile(
            "mutants", max_examples=40, deadline=None, database=None, phases=(Phase.explicit, Phase.generate)
        )
        settings.load_profile("mutants")

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        items = {item.nodeid: item for item in session.items if usable(item)}
        court = Court(items, self.reach.seconds)
        subjects = [Subject.of(module, ROOT / module) for module in self.modules]
        new = [test for test in items if test.split("::")[0] in self.also]
        cases = [
            [
                (one, [*new, *self._tests(subject.module, one)])
                for number, one in enumerate(mutants(subject.path.read_text()))
                if number % self.every == 0 and (not self.lines or one.line in self.lines)
            ]
            for subject in subjects
        ]
        gc.collect()
        gc.freeze()  # so that a copy does not touch, and by that double, the memory of what it only reads
        tests = {test for tried in cases for _, chosen in tried for test in chosen}
        if not court.passes(sorted(tests), self.jobs):
            sys.exit("A test fails here though nothing was changed, so no verdict would mean anything; run make test.")
        for subject, tried in zip(subjects, cases, strict=True):
            self._try(subject, tried, court)
        return True

    def _tests(self, module: str, mutant: Mutant) -> list[str]:
        known = mutant.change in self.known.get(module, {})  # no number of tests would change that
        rounds = [self.most] if known else [self.most, _THOROUGH * self.most]
        return list(dict.fromkeys(test for most in rounds for test in self.reach.tests(module, mutant.line, most)))

    def _try(self, subject: Subject, cases: list[tuple[Mutant, list[str]]], court: Court) -> None:
        began, module = time.monotonic(), subject.module
        counted: Counter[str] = Counter()
        noted = self.known.get(module, {})
        for mutant, verdict in court.try_all(subject, cases, self.jobs):
            known = mutant.change in noted
            counted[f"{verdict}, known" if known and verdict == "survived" else verdict] += 1
            if verdict == "for ever":  # noticed, unless the machine was only slow: worth a second look
                print(f"{module}:{mutant.line}  for ever  {mutant.change}", flush=True)
            if known != (verdict == "survived") and verdict != "not tried":
                self.unexplained += 1
                said = f"{verdict}, though listed" if known else verdict
                print(f"{module}:{mutant.line}  {said}  {mutant.change}", flush=True)
        told = ", ".join(f"{number} {verdict}" for verdict, number in sorted(counted.items()))
        print(f"== {module}: {len(cases)} mutants: {told}; {time.monotonic() - began:.0f} s", flush=True)


def known() -> dict[str, dict[str, str]]:
    """Read the changes that cannot matter, by module, each with its reason."""
    tree = tomllib.loads(_KNOWN.read_text(encoding="utf-8"))
    return {module: {entry["change"]: entry["why"] for entry in entries} for module, entries in tree.items()}


def main() -> int:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutation", description=__doc__, add_help=True)
    parser.add_argument("modules", nargs="*", default=pure(), help="paths from the top of the repository")
    parser.add_argument("--measure", action="store_true", help="only find out which tests reach which line")
    parser.add_argument("--seconds", type=float, default=3.0, help="first tests of a mutant, by measured time [s]")
    parser.add_argument("--line", nargs="*", type=int, default=[], help="only mutants of these lines")
    parser.add_argument("--every", type=int, default=1, metavar="N", help="only each Nth mutant, where time is short")
    parser.add_argument("--also", nargs="*", default=[], help="test files that are newer than the measurement")
    parser.add_argument("--jobs", type=int, default=2, help="mutants at a time")
    chosen = parser.parse_args()
    if chosen.measure:
        measure(ROOT, ["core", "settlement"], _TESTS, _KEPT)
        return 0
    if not _KEPT.exists():
        subprocess.run([sys.executable, "-m", "tests.mutation", "--measure"], cwd=ROOT, check=True)
    reach = load(_KEPT)
    for module in chosen.modules:
        if not (ROOT / module).is_file():
            sys.exit(f"{module} is not there; name a module by its path from {ROOT}.")
        if reach.digests.get(module) != digest(ROOT / module):
            sys.exit(f"{module} has changed since its tests were measured; run python -m tests.mutation --measure.")
    sitting = _Sitting(chosen, reach)
    plain = ["-q", "-s", "--assert=plain", "-p", "no:randomly", "-p", "no:xdist", "-p", "no:cacheprovider"]
    files = sorted({test.split("::")[0] for test in reach.seconds} | {*chosen.also})
    code = pytest.main([*plain, "--no-header", *files], plugins=[sitting])
    return int(code) or min(sitting.unexplained, 1)


if __name__ == "__main__":
    sys.exit(main())
