"""The small changes that measure the tests: each is found, each compiles, and what is for readers is left alone."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from tests.mutation.__main__ import ROOT, known
from tests.mutation.mutants import Mutant, mutants
from tests.mutation.reach import Reach, load
from tests.mutation.trial import Subject
from tests.pure import pure

SOURCE = '''"""A rule."""
LIMIT = 3


def owed(amounts: "list[int]", least: int = 1) -> int:
    """Add up."""
    found = sorted((n for n in amounts if n > 0), reverse=True)
    if not found:
        raise ValueError(f"nothing above {0}")
    total = -1 if len(found) < LIMIT else max(found) + 2
    total += least
    return total


class Rule:
    """Has one."""

    size: int = 4

    @property
    def half(self) -> int:
        return self.size // 2
'''


def listed(source: str) -> list[tuple[int, str, str]]:
    return [(one.line, one.before, one.after) for one in mutants(source)]


def test_every_kind_of_slip_is_found_and_only_where_a_rule_hangs_on_it() -> None:
    assert sorted(listed(SOURCE)) == sorted(
        [
            (2, "3", "4"),
            (7, "sorted((n for n in amounts if n > 0), reverse=True)", "list((n for n in amounts if n > 0))"),
            (7, "sorted((n for n in amounts if n > 0), reverse=True)", "sorted((n for n in amounts if n > 0))"),
            (7, "for n in amounts if n > 0", "for n in amounts"),
            (7, "n > 0", "n >= 0"),
            (7, "0", "1"),
            (7, "True", "False"),
            (8, "if not found:", "if True:"),
            (8, "if not found:", "if False:"),
            (8, "not found", "found"),
            (9, "raise ValueError(f'nothing above {0}')", "pass"),
            (10, "-1 if len(found) < LIMIT else max(found) + 2", "-1 if True else max(found) + 2"),
            (10, "-1 if len(found) < LIMIT else max(found) + 2", "-1 if False else max(found) + 2"),
            (10, "-1", "1"),
            (10, "1", "2"),
            (10, "len(found) < LIMIT", "len(found) <= LIMIT"),
            (10, "max(found) + 2", "max(found) - 2"),
            (10, "max(found)", "min(found)"),
            (10, "2", "3"),
            (11, "total += least", "total -= least"),
            (11, "total += least", "pass"),
            (22, "self.size // 2", "self.size * 2"),
            (22, "2", "3"),
        ]
    )  # fmt: skip


def test_every_mutant_of_the_settlement_compiles_and_differs() -> None:
    source = (ROOT / "settlement" / "remainders.py").read_text(encoding="utf-8")
    plain = compile(source, "x", "exec")
    found = list(mutants(source))
    assert len(found) > 50
    assert not [one.change for one in found if compile(one.tree, "x", "exec") == plain]


def test_what_is_known_not_to_matter_is_still_a_change_of_the_code() -> None:
    listed = pure()
    assert known().keys() <= set(listed)
    assert all((ROOT / module).is_file() for module in listed)
    for module, entries in known().items():
        found = {one.change for one in mutants((ROOT / module).read_text(encoding="utf-8"))}
        assert not entries.keys() - found, module


@pytest.fixture
def rule(tmp_path: Path) -> Iterator[ModuleType]:
    path = tmp_path / "tests_rule_of_this_test.py"
    path.write_text(SOURCE, encoding="utf-8")
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules[path.stem]


def mutant(before: str, after: str) -> Mutant:
    return next(one for one in mutants(SOURCE) if (one.before, one.after) == (before, after))


def test_the_code_is_exchanged_under_every_name_it_goes_by(rule: ModuleType) -> None:
    owed, kept = rule.owed, rule.Rule()
    assert (owed([5, 1, 9]), kept.half) == (12, 2)
    assert rule.__file__ is not None
    subject = Subject.of(f"{rule.__name__}.py", Path(rule.__file__))
    subject.exchange(mutant("max(found)", "min(found)"))
    assert owed([5, 1, 9]) == 4
    subject.exchange(mutant("self.size // 2", "self.size * 2"))
    assert kept.half == 8
    subject.exchange(mutant("3", "4"))
    assert owed([5, 1, 9]) == 0


def test_a_changed_constant_reaches_who_uses_it_whether_loaded_before_the_module_or_after(
    rule: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert rule.__file__ is not None
    rule.LIMIT = 10**9  # a number that is no other's
    path = Path(rule.__file__)
    path.write_text(SOURCE.replace("LIMIT = 3", "LIMIT = 1000000000"))
    users = [ModuleType(f"tests.a_user_{when}") for when in ("before", "after")]
    for user in users:
        vars(user)["LIMIT"] = rule.LIMIT
    monkeypatch.delitem(sys.modules, rule.__name__)
    for module in (users[0], rule, users[1]):
        monkeypatch.setitem(sys.modules, module.__name__, module)
    (changed,) = (one for one in mutants(path.read_text()) if one.before == "1000000000")
    Subject.of(f"{rule.__name__}.py", path).exchange(changed)
    assert [vars(module)["LIMIT"] for module in (*users, rule)] == [10**9 + 1] * 3


def test_a_change_that_nothing_alive_has_is_not_called_tried(rule: ModuleType) -> None:
    assert rule.__file__ is not None
    del rule.owed
    subject = Subject.of(f"{rule.__name__}.py", Path(rule.__file__))
    with pytest.raises(LookupError, match="owed"):
        subject.exchange(mutant("max(found)", "min(found)"))


def test_what_tests_reach_is_measured_though_their_libraries_are_loaded_before_them(tmp_path: Path) -> None:
    test, kept = tmp_path / "test_rounding.py", tmp_path / "kept" / "reach.json"
    test.write_text(
        "from core.money import half_up\n\n\ndef test_a_half_goes_up() -> None:\n    assert half_up(1) == 1\n"
    )
    code = (
        "import sys, pathlib, tests.mutation.__main__ as run, tests.mutation.reach as reach\n"
        "reach.measure(run.ROOT, ['core'], sys.argv[1:2], pathlib.Path(sys.argv[2]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, test, kept], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    found = load(kept)
    (name,) = found.seconds
    assert name.endswith("test_a_half_goes_up")
    assert found.seconds[name] > 0
    assert {name} in found.lines["core/money.py"].values()


def test_the_most_direct_tests_come_first_then_small_ones_then_the_widest_and_their_time_is_limited() -> None:
    seconds = {"direct": 1.1, "small": 1.0, "wide": 9.0, "wider": 11.0, "elsewhere": 0.1}
    some = frozenset({"small", "wide", "wider"})
    lines = {
        "rule.py": {
            1: frozenset[str](), 7: some | {"direct"}, 8: some, 9: some, 10: some, 11: frozenset({"wide", "wider"}),
            12: frozenset({"wider"}),
        },
        "other.py": {1: frozenset({"small", "elsewhere"})},
    }  # fmt: skip
    reach = Reach(lines, seconds, {})
    assert reach.tests("rule.py", 7, most=100) == ["direct", "small", "wide", "wider"]
    assert reach.tests("rule.py", 7, most=3) == ["direct", "small", "wider"]
    assert reach.tests("rule.py", 8, most=1.5) == ["small", "wider"]
    assert reach.tests("rule.py", 1, most=3) == ["direct", "small", "wider"]
