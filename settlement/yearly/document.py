"""The year as ``year.json`` says it: what every party pays, what its months said, and the sealed documents behind it.

UTF-8, keys sorted, two-space indent, a newline at the end; euro amounts with two decimals. ``result_sha256`` is over
the same bytes without itself. Nothing in it depends on when it was made.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from core.units import decimal_text
from settlement.statement import dump
from settlement.yearly.months import Money
from settlement.yearly.year import Items, Year, YearEntry, stated, whole

Document = dict[str, Any]
_NOTHING = Money()


@dataclass(frozen=True)
class Source:
    """A sealed document of a month; revision 1 is its final statement, every later one a correction of it."""

    month: str
    number: str
    revision: int
    seal_sha256: str


def document(year: Year, sources: Sequence[Source]) -> Document:
    """Write a year.

    Parameters
    ----------
    sources
        What it was made from, by month and revision.
    """
    written: Document = {
        "kind": "year",
        "community": year.community,
        "year": f"{year.start.year:04d}",
        "from": str(year.start),
        "until": str(year.until),
        "documents": [vars(source) for source in sources],
        "statements": [_entry(entry) for entry in year.entries],
        "totals": _totals(year.entries),
        "checks": [vars(check) for check in year.checks],
    }
    written["result_sha256"] = hashlib.sha256(dump(written)).hexdigest()
    return written


def _entry(entry: YearEntry) -> Document:
    return {
        "party": entry.party,
        "flat": entry.flat or None,
        "days": [{"from": str(span.start), "until": str(span.until)} for span in entry.days],
        "corrected": [str(month) for month in entry.corrected],
        "lines": _compared(entry.months, entry.lines),
        "total_eur": _euro(entry.total),
        "advance_eur": _euro(entry.advance),
        "balance_eur": _euro(entry.balance),
        "months_balance_eur": _euro(entry.months_balance),
        "difference_eur": _euro(entry.difference),
    }


def _totals(entries: Sequence[YearEntry]) -> Document:
    """Add up all parties."""
    months, lines = (
        stated(whole(parts)) for parts in ((entry.months for entry in entries), (entry.lines for entry in entries))
    )
    return {
        "lines": _compared(months, lines),
        "total_eur": _euro(sum(entry.total for entry in entries)),
        "advance_eur": _euro(sum(entry.advance for entry in entries)),
        "balance_eur": _euro(sum(entry.balance for entry in entries)),
        "months_balance_eur": _euro(sum(entry.months_balance for entry in entries)),
        "difference_eur": _euro(sum(entry.difference for entry in entries)),
    }


def _compared(months: Items, lines: Items) -> list[Document]:
    """Set what the year comes to beside what its months came to, line by line."""
    found = []
    for item in stated({**months, **lines}):
        was, now = months.get(item, _NOTHING), lines.get(item, _NOTHING)
        found.append(
            {
                "code": item.code,
                "vat_percent": str(item.vat_percent),
                **_written(now),
                "months": _written(was),
                "difference": _written(now.minus(was)),
            }
        )
    return found


def _written(money: Money) -> dict[str, str]:
    return {f"{name}_eur": _euro(cents) for name, cents in money._asdict().items()}


def _euro(cents: int) -> str:
    return decimal_text(cents, 2)
