"""The life of a month as a state machine: what happens to it, and a simple model of what must hold.

The model knows sums of cents and nothing of how a correction is made. A `Desk` is where the month really lives: in
memory, on the pure core alone, or in a database.
"""

from __future__ import annotations

import hashlib
import json
from abc import ABC, abstractmethod
from copy import deepcopy
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import cache
from typing import Any, ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tests.support import finaltown
from tests.support.finaltown import HOUR, START

Document = dict[str, Any]
Name = tuple[str, str | None, str, str | None, str]
"""Party, flat, code, price, VAT rate."""

GAPS = {"el-A": range(100, 120), "heat-B": range(300, 325)}
"""Hours of which readings come late or are taken back [hours from the start]."""
CHANGES: tuple[tuple[str, str | None], ...] = (
    *(("late readings", meter) for meter in GAPS),
    ("broken meter", None),
    *(("delivery", eur) for eur in ("310.00", "330.00", "287.15")),
    *(("household", until) for until in (None, "2026-02-10", "2026-02-20")),
    *(("advance", eur) for eur in ("85.00", "90.00")),
)
"""What can happen to a month, whenever it likes."""
LOST = range(49)
"""Hours that a broken meter has nothing of, before which there is nothing either."""


@cache
def registers(late: frozenset[str], *, lost: bool) -> dict[str, dict[datetime, Decimal]]:
    """What is known of the meters' registers; to be looked at only.

    In the gaps nothing was used, up to the last hour.

    Parameters
    ----------
    late
        Meters whose readings in their gap came.
    lost
        Whether a meter is broken.
    """
    values = finaltown.registers()
    for meter, hours in GAPS.items():
        stood = values[meter][START + HOUR * hours.start]
        for hour in hours:
            if meter in late:
                values[meter][START + HOUR * hour] = stood
            else:
                del values[meter][START + HOUR * hour]
    if lost:
        for hour in LOST:
            del values["el-B"][START + HOUR * hour]
    return values


class Desk(ABC):
    """Where a month lives."""

    @abstractmethod
    def write(self, late: frozenset[str], sections: Document, *, lost: bool) -> None:
        """Let these readings, by `registers`, and these sections of the community count."""

    @abstractmethod
    def recomputed(self) -> Document:
        """The statement as it would be settled now."""

    @abstractmethod
    def finalise(self, today: date) -> Document | list[str]:
        """The final statement, or the gates that refuse."""

    @abstractmethod
    def correct(self, today: date) -> Document | list[str] | None:
        """The correction, nothing, or the gates that refuse."""

    @abstractmethod
    def documents(self) -> list[bytes]:
        """What is kept of the month: its final statement and its corrections."""

    @abstractmethod
    def tamper(self) -> str:
        """Try to change what is kept, and tell how that was noticed."""

    def close(self) -> None:
        """Leave."""
        return


def cents(text: str) -> int:
    """Whole cents of a printed amount."""
    return int(Decimal(text) * 100)


def sums(document: Document) -> dict[Name, int]:
    """Cents by party and line of a statement, or the differences of a correction; advances are a line too."""
    found: dict[Name, int] = {}
    for entry in document["statements"]:
        who = (entry["party"], entry["flat"])
        for line in entry["lines"]:
            name = (*who, line["code"], line["price_eur"], line["vat_percent"])
            amount = line["difference"]["amount_eur"] if "difference" in line else line["amount_eur"]
            found[name] = found.get(name, 0) + cents(amount)
        advance = entry["advance_eur"]
        off = cents(advance["difference"] if isinstance(advance, dict) else advance)
        found[*who, "advance", None, ""] = found.get((*who, "advance", None, ""), 0) - off
    return {name: value for name, value in found.items() if value}


class MonthLife(RuleBasedStateMachine):
    """A month that is filled, becomes final, and is corrected."""

    desk_of: ClassVar[type[Desk]]

    def __init__(self) -> None:
        super().__init__()
        self.desk = self.desk_of()
        self.today = date(2026, 2, 27)
        self.known: set[str] = set()
        self.lost = False
        self.sections: Document = {}
        self.holds: dict[Name, int] = {}
        self.kept: list[str] = []

    @initialize(
        today=st.sampled_from([date(2026, 3, day) for day in range(4, 9)] + [date(2026, 2, 27), date(2026, 3, 2)])
    )
    def begin(self, today: date) -> None:
        self.today = today
        self.write()

    def write(self) -> None:
        self.desk.write(frozenset(self.known), self.sections, lost=self.lost)

    @rule(days=st.integers(1, 5))
    def days_pass(self, days: int) -> None:
        self.today += timedelta(days=days)

    @rule(what=st.sampled_from(CHANGES))
    def something_changes(self, what: tuple[str, str | None]) -> None:
        self.change(what)

    def change(self, what: tuple[str, str | None]) -> None:
        kind, value = what
        if kind == "late readings":
            self.known ^= {str(value)}  # they come, or are taken back
        elif kind == "broken meter":
            self.lost = not self.lost
        elif kind == "delivery":
            self.sections["pellets"] = deepcopy(finaltown.TREE["pellets"])
            self.sections["pellets"]["deliveries"][0]["eur"] = value
        elif kind == "household":
            first, second = deepcopy(finaltown.TREE["households"])
            self.sections["households"] = [first, second | ({"until": value} if value else {})]
        else:
            advance = {"household": "h-a", "from": "2025-01-01", "eur_per_month": value}
            self.sections["advances"] = [advance]
        self.write()

    @rule()
    def final(self) -> None:
        before = self.desk.documents()
        refused = self.refused(first=True)
        got = self.desk.finalise(self.today)
        if refused:
            assert got == refused
            assert self.desk.documents() == before
            return
        assert isinstance(got, dict)
        assert got["statements"] == self.desk.recomputed()["statements"]
        self.holds = sums(got)
        self.remember(got)

    @precondition(lambda self: bool(self.kept))
    @rule()
    def correct_as_it_is(self) -> None:
        self.correct()

    def correct(self) -> None:
        wanted = sums(self.desk.recomputed())
        changes = {name: wanted.get(name, 0) - self.holds.get(name, 0) for name in {*wanted, *self.holds}}
        changes = {name: off for name, off in changes.items() if off}
        got = self.desk.correct(self.today)
        if not changes:
            assert got is None
            return
        if self.refused(first=False):
            assert got == self.refused(first=False)
            return
        assert isinstance(got, dict)
        assert sums(got) == changes
        assert {(entry["party"], entry["flat"]) for entry in got["statements"]} == {name[:2] for name in changes}
        assert got["revision"] == len(self.kept) + 1
        assert got["corrects"]["revision"] == len(self.kept)
        assert got["reasons"]
        assert all(check["holds"] for check in got["checks"])
        self.holds = wanted
        self.remember(got)

    @precondition(lambda self: bool(self.kept))
    @rule(what=st.sampled_from(CHANGES))
    def correct_what_changes(self, what: tuple[str, str | None]) -> None:
        self.change(what)
        self.correct()

    @precondition(lambda self: bool(self.kept))
    @rule()
    def somebody_tampers(self) -> None:
        assert self.desk.tamper()

    @invariant()
    def what_is_final_never_changes(self) -> None:
        assert [hashlib.sha256(one).hexdigest() for one in self.desk.documents()] == self.kept

    def remember(self, document: Document) -> None:
        newest = self.desk.documents()[-1]
        assert json.loads(newest) == document
        self.kept.append(hashlib.sha256(newest).hexdigest())

    def refused(self, *, first: bool) -> list[str]:
        """What the gates must say: by the calendar, and by the meter that is broken."""
        if first and self.kept:
            return ["final already"]
        times = [("over", date(2026, 3, 1)), ("wait", date(2026, 3, 4))]
        time = [gate for gate, until in times if self.today < until][:1]
        return [*time, *(["missing"] if self.lost else [])]

    def teardown(self) -> None:
        self.desk.close()
