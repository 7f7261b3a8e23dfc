"""Run the benchmarks one after another and hold their figures to the floors: ``make bench``.

``make bench ARGS="history import"`` runs these two only, and then holds only the figures they print.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
_LINE = re.compile(r"(\w+) (-?\d+(?:\.\d+)?) (\S+)")


@dataclass(frozen=True)
class Figure:
    """One measured line."""

    name: str
    value: float
    unit: str


@dataclass(frozen=True)
class Floor:
    """What a figure must reach (``at_least``) or stay below (``at_most``)."""

    name: str
    unit: str
    at_least: float = float("-inf")
    at_most: float = float("inf")

    def fault(self, figure: Figure) -> str | None:
        """Say what is wrong with a figure, if anything."""
        if figure.unit != self.unit:
            return f"{figure.name} is in {figure.unit} and its floor in {self.unit}"
        if figure.value < self.at_least:
            return f"{figure.name} is {figure.value:g} {figure.unit}, at least {self.at_least:g} is wanted"
        if figure.value > self.at_most:
            return f"{figure.name} is {figure.value:g} {figure.unit}, at most {self.at_most:g} is wanted"
        return None


def floors() -> dict[str, Floor]:
    """Read ``floors.toml``."""
    table = tomllib.loads((HERE / "floors.toml").read_text(encoding="utf-8"))
    return {name: Floor(name, **limits) for name, limits in table.items()}


def figures(text: str) -> list[Figure]:
    """Read what a benchmark printed; other lines are its own talk."""
    found = [match for line in text.splitlines() if (match := _LINE.fullmatch(line.strip()))]
    return [Figure(match[1], float(match[2]), match[3]) for match in found]


def faults(measured: list[Figure], wanted: dict[str, Floor], *, all_ran: bool) -> list[str]:
    """Say which figures miss their floor, and, when all benchmarks ran, which floors have no figure."""
    found = [fault for figure in measured if figure.name in wanted and (fault := wanted[figure.name].fault(figure))]
    missing = sorted(set(wanted) - {figure.name for figure in measured}) if all_ran else []
    return found + [f"{name} was not measured" for name in missing]


def main(chosen: list[str]) -> int:
    """Run, print every figure as it comes, and return 1 when one is not good enough."""
    names = [f"bench_{name}" for name in chosen] or sorted(path.stem for path in HERE.glob("bench_*.py"))
    measured: list[Figure] = []
    failed: list[str] = []
    for name in names:
        done = subprocess.run(
            [sys.executable, "-m", f"tests.benchmark.{name}"], stdout=subprocess.PIPE, text=True, check=False
        )
        print(done.stdout, end="", flush=True)
        measured += figures(done.stdout)
        if done.returncode != 0:
            failed.append(f"{name}.py failed with exit code {done.returncode}")
    failed += faults(measured, floors(), all_ran=not chosen)
    for fault in failed:
        print(fault, file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
