"""The runner of the benchmarks: what it reads, and what it calls a miss."""

from __future__ import annotations

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


def test_every_floor_belongs_to_a_figure_that_some_benchmark_prints() -> None:
    scripts = "".join(path.read_text(encoding="utf-8") for path in HERE.glob("bench_*.py"))
    assert [name for name in floors() if f"{name} " not in scripts] == []
