"""The runner of the benchmarks: what it reads, and what it calls a miss."""

from __future__ import annotations

import ast
import re

import pytest

from tests.benchmark.run import HERE, Figure, Floor, faults, figures, floors

RATE = Floor("rate", "rows/s", at_least=100)
START = Floor("start", "s", at_most=2)


def test_figures_are_read_among_other_lines() -> None:
    text = "warming up\nrate 120 rows/s\nstart 1.25 s\nrate of nothing\n"
    assert figures(text) == [Figure("rate", 120, "rows/s"), Figure("start", 1.25, "s")]


@pytest.mark.parametrize(
    ("figure", "fault"),
    [
        (Figure("rate", 100, "rows/s"), None),
        (Figure("rate", 99.9, "rows/s"), "rate is 99.9 rows/s, at least 100 is wanted"),
        (Figure("rate", 1000, "rows/min"), "rate is in rows/min and its floor in rows/s"),
        (Figure("start", 2, "s"), None),
        (Figure("start", 2.1, "s"), "start is 2.1 s, at most 2 is wanted"),
    ],
)
def test_a_figure_on_the_wrong_side_of_its_floor_is_named(figure: Figure, fault: str | None) -> None:
    wanted = {"rate": RATE, "start": START}
    assert faults([figure], wanted, all_ran=False) == ([] if fault is None else [fault])


def test_a_floor_without_a_figure_is_a_fault_only_when_all_benchmarks_ran() -> None:
    assert faults([], {"rate": RATE}, all_ran=True) == ["rate was not measured"]
    assert faults([], {"rate": RATE}, all_ran=False) == []
    assert faults([Figure("new", 1, "s")], {}, all_ran=True) == []


def printed(script: str) -> list[re.Pattern[str]]:
    """What the calls of ``print`` in a program can write that begin with a word of their own.

    What stands between braces may be anything; that the sizes in a name are those of its floor, a whole run tells.
    """
    found = []
    for node in ast.walk(ast.parse(script)):
        match node:
            case ast.Call(ast.Name("print"), [ast.JoinedStr([ast.Constant(), *_] as parts), *_]):
                pieces = (re.escape(part.value) if isinstance(part, ast.Constant) else r"\S+" for part in parts)
                found.append(re.compile("".join(pieces)))
    return found


def test_a_docstring_prints_nothing() -> None:
    script = (
        '"""Measures rate 5 rows/s."""\n'
        'text = f"rate {1} rows/s"\n'
        'print(f"start_{2} {3:.1f} s", flush=True)\n'
        'print(f"{text} {1} s")\n'
    )
    (only,) = printed(script)
    assert only.fullmatch("start_10 1 s")
    assert not only.fullmatch("rate 1 rows/s")


def test_every_floor_belongs_to_a_figure_that_some_benchmark_prints() -> None:
    lines = [line for path in HERE.glob("bench_*.py") for line in printed(path.read_text(encoding="utf-8"))]
    unmeasured = [
        floor
        for floor in floors().values()
        if not any(line.fullmatch(f"{floor.name} 1 {floor.unit}") for line in lines)
    ]
    assert unmeasured == []
