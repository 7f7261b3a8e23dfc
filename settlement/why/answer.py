"""Why a month's total is different from last month's and from the same month's a year ago, or why nobody can say."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, Final, Literal

from core.community import Community
from core.time import Month
from core.units import decimal_text
from settlement.why.facts import Document, Facts, entry_of, facts
from settlement.why.parts import PARTS, change
from settlement.why.samerule import Divided

Kind = Literal["last_month", "last_year"]
KINDS: Final[Mapping[Kind, int]] = {"last_month": -1, "last_year": -12}
Redivide = Callable[[Month, Facts], Divided | None]
"""Divides the later month's sun by the rules of the earlier; None where nobody can say what they would have given."""
Reason = Literal["running", "no_statement", "not_here"]
"""Why there is no comparison: the month is not over, the earlier one not settled, the household was not here then."""


def answer(
    month: Month,
    documents: Callable[[Month], Document | None],
    community: Community,
    household: str,
    running: Month,
    redivide: Redivide | None = None,
) -> dict[str, Any] | None:
    """Compare a household's month with both earlier ones; None if it has no statement of the month.

    Parameters
    ----------
    documents
        ``statement.json`` of a month, None if it was not settled.
    household
        Whose; nothing of any other is in the answer.
    running
        The month that is not over yet: it still grows and is compared with nothing.
    redivide
        Asked only where the sharing rules of the two months differ, to tell what they changed from what else did.

    Returns
    -------
    dict
        ``month``, ``total_eur`` and ``comparisons``. Each of these has ``kind``, ``with`` (the earlier month) and
        ``comparable``; then either ``total_eur`` of the earlier month, ``difference_eur``, ``weather_by``,
        ``complete`` (whether none of the household's readings is missing in either month) and ``parts`` (code and
        amount, summing to the difference, as they are worked out), or ``reason``.
    """
    now = documents(month)
    entry = None if now is None else entry_of(now, household)
    if now is None or entry is None:
        return None

    def compared(kind: Kind) -> dict[str, Any]:
        earlier = month.shift(KINDS[kind])
        head = {"kind": kind, "with": str(earlier)}
        then = None if month >= running else documents(earlier)
        was = None if then is None else entry_of(then, household)
        if then is None or was is None:
            reason: Reason = "running" if month >= running else "no_statement" if then is None else "not_here"
            return head | {"comparable": False, "reason": reason}
        before = facts(then, community, household, documents(earlier.shift(-1)))
        after = facts(now, community, household, documents(month.shift(-1)))
        new_rule = before.sharing_rule != after.sharing_rule
        found = change(before, after, redivide(earlier, after) if redivide and new_rule else None)
        return head | {
            "comparable": True,
            "total_eur": decimal_text(found.before, 2),
            "difference_eur": decimal_text(found.after - found.before, 2),
            "weather_by": found.weather_by,
            "complete": not any(Decimal(one["quality"]["missing_percent"] or 0) for one in (entry, was)),
            "parts": [
                {"code": part, "amount_eur": decimal_text(found.parts[part], 2)}
                for part in PARTS
                if part in found.parts
            ],
        }

    return {"month": str(month), "total_eur": entry["total_eur"], "comparisons": [compared(kind) for kind in KINDS]}
