"""The life of a month on the pure core, against a model that only knows sums of cents."""

from __future__ import annotations

import json
from copy import deepcopy
from datetime import date
from decimal import Decimal
from functools import lru_cache
from typing import Any

from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test

from core.errors import CheckFailed
from settlement import corrections, gates, statement
from settlement.changes import Inputs, reasons
from settlement.corrections import Case, booked
from settlement.month import Settled
from tests.support import finaltown
from tests.support.monthlife import Desk, Document, MonthLife, registers


@lru_cache(maxsize=64)
def settled(late: frozenset[str], sections: str, *, lost: bool) -> tuple[Settled, Document, Inputs]:
    return finaltown.settled(finaltown.town(**json.loads(sections)), registers(late, lost=lost))


class Memory(Desk):
    """Documents in a list."""

    def __init__(self) -> None:
        self.now: tuple[Settled, Document, Inputs] | None = None
        self.kept: list[Document] = []
        self.booked: dict[tuple[str, str], int] = {}
        self.inputs: Inputs | None = None

    def write(self, late: frozenset[str], sections: Document, *, lost: bool) -> None:
        self.now = settled(late, json.dumps(sections), lost=lost)

    def today(self) -> tuple[Settled, Document, Inputs]:
        assert self.now is not None
        return self.now

    def recomputed(self) -> Document:
        return self.today()[1]

    def refused(self, today: date) -> list[str]:
        found = gates.refusals(self.today()[0], today)
        return list(dict.fromkeys(one.gate for one in found if one.gate in ("over", "wait", "missing")))

    def finalise(self, today: date) -> Document | list[str]:
        if self.kept:
            return ["final already"]
        if refused := self.refused(today):
            return refused
        done, document, self.inputs = self.today()
        self.kept.append(document)
        self.booked = booked(done.ledger.postings)
        return document

    def case(self, kept: list[Document]) -> Case:
        done, document, inputs = self.today()
        assert self.inputs is not None
        why = reasons(self.inputs, inputs, {})
        return Case(kept[0], kept[1:], document, self.booked, booked(done.ledger.postings), why)

    def correct(self, today: date) -> Document | list[str] | None:
        case, revision = self.case(self.kept), len(self.kept) + 1
        corrects = {"number": f"2026-{len(self.kept):04d}", "revision": len(self.kept), "seal_sha256": ""}
        made = corrections.correction(case, number=f"2026-{revision:04d}", revision=revision, corrects=corrects)
        if made is not None and (refused := self.refused(today)):
            return refused
        if made is not None:
            for posting in corrections.differences(case):
                name = (posting.what, posting.account)
                self.booked[name] = self.booked.get(name, 0) + posting.cents
            self.inputs = self.today()[2]
            self.kept.append(made)
        return made

    def documents(self) -> list[bytes]:
        return [statement.dump(one) for one in self.kept]

    def tamper(self) -> str:
        """Take a cent off a line of the final statement: the ledger no longer fits it."""
        kept: list[Any] = deepcopy(self.kept)
        line = kept[0]["statements"][0]["lines"][0]
        for name in ("net_eur", "amount_eur"):
            line[name] = str(Decimal(line[name]) - Decimal("0.01"))
        try:
            corrections.correction(self.case(kept), number="x", revision=len(kept) + 1, corrects={})
        except CheckFailed as error:
            return str(error)
        return ""


class LifeInMemory(MonthLife):
    desk_of = Memory


def test_a_month_lives_by_its_model() -> None:
    run_state_machine_as_test(LifeInMemory, settings=settings(max_examples=25, stateful_step_count=20, deadline=None))
