"""The table of docs/gaps.md: what every damage does to real months.

Printed with ``python -m tests.damage.table FOLDER`` (the folder of real data).
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from core.units import decimal_text
from tests.damage.damages import DAMAGES
from tests.damage.subjects import subjects
from tests.damage.trial import Outcome, trials

PAGE = Path(__file__).parents[2] / "docs" / "gaps.md"
SHAPED = (
    "gap of 3 h", "gap of 3 days", "spike of 5 h", "zero for 5 h", "freeze of 30 h, set aside",
    "a thousand times for 6 h", "a thousandth for 6 h",
)  # fmt: skip
"""Damages that leave a gap longer than two hours; a shape changes nothing about the others."""
KINDS = ("homes", "heat meter", "roof")


def text(linear: Sequence[Outcome], shaped: Sequence[Outcome]) -> str:
    """Return the table: for every damage the worst of all subjects, and what is misplaced for each kind of them."""
    head = (
        "| damage | month off [kWh] | misplaced: homes, linear | shaped | heat meter, linear | shaped | roof, linear"
        " | shaped | estimated intervals | finding |"
    )
    rows = [head, "|---|" + "---:|" * 8 + "---|"]
    for damage in DAMAGES:
        of_line = [one for one in linear if one.damage == damage.name]
        of_shape = [one for one in shaped if one.damage == damage.name]
        worst = max((one.error for one in of_line), key=abs)
        cells = [damage.name, "0" if not worst else decimal_text(worst)]
        for kind in KINDS:
            line = _misplaced([one for one in of_line if one.subject.kind == kind])
            shape = _misplaced([one for one in of_shape if one.subject.kind == kind]) if of_shape else line
            cells += [line, shape]
        share = max(one.estimated / one.intervals for one in of_line)
        cells.append("none" if not share else f"{100 * share:.1f} %")
        codes = {code for one in of_line for code in one.codes}
        codes |= {f"{how}-intervals" for one in of_line for how in ("estimated", "missing") if getattr(one, how)}
        cells.append(", ".join(f"`{code}`" for code in sorted(codes)) or "none")
        rows.append(f"| {' | '.join(cells)} |")
    return "\n".join(rows) + "\n"


def _misplaced(outcomes: Sequence[Outcome]) -> str:
    touched = sum(one.touched for one in outcomes)
    if not any(one.misplaced for one in outcomes):
        return "0"
    return f"{100 * sum(one.misplaced for one in outcomes) / touched:.1f} %"


def _main(folder: Path) -> None:
    chosen = subjects(folder)
    linear = [one for subject in chosen for one in trials(subject, "linear")]
    shaped = [one for subject in chosen for one in trials(subject, "shaped", SHAPED)]
    sys.stdout.write(text(linear, shaped))


if __name__ == "__main__":
    _main(Path(sys.argv[1]))
