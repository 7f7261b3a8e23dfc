"""How it is told whether a profile fits a device: on standard error, because the readings are on standard output."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from collector.candidate import Candidate
from collector.probe import Check

_WIDE = 120


def show_check(check: Check, building: str) -> None:
    """Print the answer, what each point says and why it is believed or not, and what would fit instead.

    Parameters
    ----------
    check
        The answer.
    building
        One sentence on the building's data that was used, or why none was.
    """
    console = Console(stderr=True, highlight=False, markup=False)
    if not console.is_terminal:
        console.width = _WIDE  # a file or a pipe has no edge to break lines at
    console.print(f"\n{check.headline()}")
    console.print(_points(check.written))
    also = "This would fit as well" if check.verdict == "fits" else "This would fit"
    for one in check.suggested:
        console.print(f"{also}: {one.what()}.")
        console.print(_points(one))
    if check.verdict == "does not fit" and not (check.suggested or check.whole):
        for one in check.tried:
            console.print(f"With {one.what()}: {one.values()}.")
    for sentence in (*check.advice(), building):
        console.print(sentence)


def _points(candidate: Candidate) -> Table:
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0), pad_edge=False)
    table.add_column(no_wrap=True)
    table.add_column(justify="right", no_wrap=True)
    table.add_column()
    for name, value, why in candidate.lines():
        table.add_row(f"  {name}", value, why)
    return table
