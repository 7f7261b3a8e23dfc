"""A month whose books do not close is not settled, and what is sealed tells nothing of who edited readings."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from core.errors import CheckFailed
from settlement import month, selection
from settlement.ledger import Ledger, book_month
from settlement.seal import figures
from tests.support import finaltown
from tests.support.finaltown import FEBRUARY


def test_a_ledger_that_is_a_cent_off_ends_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    def a_cent_off(*given: Any) -> Ledger:
        first, *rest = book_month(*given).postings
        return Ledger([replace(first, cents=first.cents + 1), *rest])

    monkeypatch.setattr(month, "book_month", a_cent_off)
    with pytest.raises(CheckFailed, match=r"^Month 2026-02 was not settled: 'ledger: .*' is off by -?0\.01\."):
        finaltown.settled(finaltown.town(), finaltown.registers())


def test_who_edited_readings_and_why_stays_out_of_a_seal() -> None:
    read = {"meter": "el-A", "at": "2026-02-10T09:00:00+01:00", "value": "161.7"}
    edit = read | {"by": "a volunteer", "why": "the display was dark", "photo": "p-1.jpg"}
    community = finaltown.town(edits=[edit])
    selected = selection.used(community, FEBRUARY, finaltown.readings(finaltown.registers()))
    (told,) = figures.rules(month.settle(community, FEBRUARY, selected), selected)["edits"]
    assert {name: value for name, value in told.items() if value not in (None, False)} == {
        "meter": "el-A", "at": "2026-02-10T08:00:00Z", "value": "161.7",
    }  # fmt: skip
