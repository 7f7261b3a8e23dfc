"""The shell of years: one snapshot in, the year made from its sealed documents out; nothing is written."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from core.db import config
from core.db.connection import Connection
from core.errors import BadInput
from core.time import Month
from settlement import store as readings_store
from settlement.final import store
from settlement.yearly.document import Source, document
from settlement.yearly.months import month_totals
from settlement.yearly.year import year

_YEAR = re.compile(r"\d{4}")


@dataclass(frozen=True)
class Made:
    """A year as a document, and what its reader should know that is no part of it.

    Attributes
    ----------
    document
        As ``year.json`` says it.
    name, language
        Of the community, as its file says today.
    waiting
        Months of the year for which a correction waits to be issued; it does not count.
    """

    document: dict[str, Any]
    name: str
    language: str
    waiting: tuple[str, ...]


def make(connection: Connection, slug: str, text: str, until: Month | None = None) -> Made:
    """Make a calendar year from what is final, corrections included.

    Parameters
    ----------
    connection
        Outside any transaction.
    text
        The year, YYYY.
    until
        Its last month, where the community ended within the year.

    Raises
    ------
    BadInput
        If the text is no year, a month of it is not final, or it does not end with that month.
    CheckFailed
        If the year's cents are not those of its months.
    """
    first, last = _bounds(text, until)
    with readings_store.snapshot(connection):
        community = config.load(connection, slug).community
        final = store.final_months(connection, slug)
        months = wanted(first, last, final, store.settled_after(connection, slug, str(last)) if until else [])
        sealed = {month: store.of_month(connection, slug, str(month)) for month in months}
        waiting = store.candidates(connection, slug)
    totals = [
        month_totals(found[0].tree, [one.tree for one in found[1:]], found[-1].inputs["configuration"])
        for found in sealed.values()
    ]
    sources = [
        Source(one.month, one.number, one.revision, one.seal_sha256) for found in sealed.values() for one in found
    ]
    names = tuple(str(month) for month in months if str(month) in waiting)
    return Made(document(year(totals), sources), community.name, community.language, names)


def wanted(first: Month, last: Month, final: Sequence[Month], later: Sequence[str]) -> list[Month]:
    """Tell which months a year is made of: from January, or from the first month that ever became final, to its end.

    Months become final in order, so none can be missing before the first one that is: the community began with it.

    Parameters
    ----------
    first, last
        January, and December or the month with which the community ended.
    final
        All months that are final, oldest first.
    later
        Months of that year after ``last`` that were settled, whether final or not.

    Raises
    ------
    BadInput
        If one is not final, or the community did not end with ``last``.
    """
    if final and final[0] > last:
        raise BadInput(
            f"The year {first.year} cannot be settled: no month before {final[0]} became final;"
            f" 'wijkenergie year {final[0].year}' makes the first year."
        )
    if later:
        raise BadInput(
            f"The year {first.year} does not end with {last}: {later[0]} was settled. Leave out --until, and make every"
            " month final."
        )
    begin = max(first, final[0]) if final else first
    months = [begin.shift(number) for number in range((last.year - begin.year) * 12 + last.month - begin.month + 1)]
    missing = [month for month in months if month not in final]
    if missing:
        raise BadInput(_refusal(first.year, missing, begin))
    return months


def _refusal(number: int, missing: Sequence[Month], begin: Month) -> str:
    names = [str(month) for month in missing]
    which = names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
    one = len(names) == 1
    remedy = f"Make {'it' if one else 'them'} final with 'wijkenergie settle {names[0]} --final'"
    remedy += "" if one else ", and so on in this order"
    ended = "" if missing[0] == begin else f"; if the building ended before that, add --until {missing[0].shift(-1)}"
    return (
        f"The year {number} cannot be settled yet: {which} {'is' if one else 'are'} not final; nothing was written."
        f" {remedy}{ended}."
    )


def _bounds(text: str, until: Month | None) -> tuple[Month, Month]:
    if not _YEAR.fullmatch(text):
        raise BadInput(f"'{text}' is not a year; write it as YYYY, for instance 2026.")
    first = Month.parse(f"{text}-01")
    if until is not None and until.year != first.year:
        raise BadInput(f"{until} is not a month of {first.year}; --until names the last month of the year.")
    return first, until or first.shift(11)
