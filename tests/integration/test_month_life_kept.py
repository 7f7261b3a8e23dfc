"""The life of a month in a real database, by the same model as on the pure core (tests/property/test_month_life.py)."""

from __future__ import annotations

import json
from contextlib import ExitStack
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test

from core.communityfile import build
from core.db import amend
from core.db.connection import connect
from core.errors import BadInput, CheckFailed
from settlement import run
from settlement.final import issue, store
from settlement.gates import NotFinal
from settlement.replay import settle_document
from tests.support import finalhouse, finaltown
from tests.support.finalhouse import LATER, SLUG
from tests.support.finaltown import FEBRUARY
from tests.support.monthlife import Desk, Document, MonthLife, registers
from tests.support.postgres import clone

pytestmark = pytest.mark.integration

Rows = set[tuple[str, datetime, Decimal]]


class Kept(Desk):
    """Documents, readings and events in a database of its own; events are amended as a person would."""

    server: str
    template: str

    def __init__(self) -> None:
        self.stack = ExitStack()
        url = self.stack.enter_context(clone(self.server, self.template))
        self.connection = self.stack.enter_context(connect(url))
        finalhouse.fill(self.connection, {"pv": {}})
        self.rows: Rows = set()

    def write(self, late: frozenset[str], sections: Document, *, lost: bool) -> None:
        values = registers(late, lost=lost)
        rows = {(meter, at, value) for meter, one in values.items() for at, value in one.items()}
        for meter, at, _ in self.rows - rows:
            self.connection.execute("DELETE FROM reading WHERE (community, meter, time) = (%s, %s, %s)",
                                    (SLUG, meter, at))  # fmt: skip
        fresh: dict[str, dict[datetime, Decimal]] = {}
        for meter, at, value in rows - self.rows:
            fresh.setdefault(meter, {})[at] = value
        with self.connection.transaction():
            finalhouse.take_in(self.connection, fresh)
        self.rows = rows
        if "pellets" in sections:
            self.amend("delivery", "P-17", eur=sections["pellets"]["deliveries"][0]["eur"])
        if "households" in sections:
            self.amend("household", "h-b", until=sections["households"][1].get("until", ""))
        if "advances" in sections:
            self.amend("advance", "h-a@2025-01-01", eur_per_month=sections["advances"][0]["eur_per_month"])

    def amend(self, kind: str, key: str, **changes: str) -> None:
        try:
            amend.amend(self.connection, SLUG, kind, key, changes, "coordinator", "it was wrong", LATER)
        except BadInput as error:
            assert "says so already" in str(error)  # noqa: PT017 - the only refusal that may come

    def recomputed(self) -> Document:
        file, readings = run.exported(self.connection, SLUG, FEBRUARY)
        result: Document = json.loads(settle_document(build(file.tree, "the export"), FEBRUARY, readings)[1])
        return result

    def decided(self, decide: Any, today: date) -> Any:
        now = datetime(today.year, today.month, today.day, 12, tzinfo=UTC)
        try:
            issued = decide(self.connection, SLUG, FEBRUARY, now, "corporation")
        except NotFinal as refused:
            gates = [one.gate for one in refused.refusals if one.gate in ("over", "wait", "missing")]
            return list(dict.fromkeys(gates))
        except CheckFailed as refused:
            assert "final already" in str(refused)  # noqa: PT017 - the only refusal that may come
            return ["final already"]
        return issued and issued.document

    def finalise(self, today: date) -> Document | list[str]:
        result: Document | list[str] = self.decided(issue.finalise, today)
        return result

    def correct(self, today: date) -> Document | list[str] | None:
        result: Document | list[str] | None = self.decided(issue.correct, today)
        return result

    def documents(self) -> list[bytes]:
        return [one.document.encode() for one in store.of_month(self.connection, SLUG, str(FEBRUARY))]

    def tamper(self) -> str:
        with pytest.raises(psycopg.Error) as refused:
            self.connection.execute("UPDATE sealed SET document = replace(document, '1', '2')")
        return str(refused.value)

    def close(self) -> None:
        self.stack.close()


class LifeInDatabase(MonthLife):
    desk_of = Kept


def test_a_month_lives_by_its_model_in_a_database(server_url: str, template_name: str) -> None:
    Kept.server, Kept.template = server_url, template_name
    run_state_machine_as_test(LifeInDatabase, settings=settings(max_examples=3, stateful_step_count=9, deadline=None))


def test_events_are_amended_with_who_and_why_and_the_record_stays(database_url: str) -> None:
    with connect(database_url) as connection:
        finalhouse.fill(connection, {"pv": {}})
        before = amend.amend(connection, SLUG, "delivery", "P-17", {"eur": "330.00"}, "board", "typing error", LATER)
        assert before.body["eur"] == "310.00"
        amend.amend(connection, SLUG, "delivery", "P-17", {"eur": "331.00"}, "board", "again", LATER)
        (found,) = [one for one in amend.listed(connection, SLUG) if one.kind == "delivery"]
        assert (found.body["eur"], found.amended, found.withdrawn) == ("331.00", 2, False)
        stored = connection.execute("SELECT body->>'eur', author FROM event WHERE kind = 'delivery'").fetchall()
        assert stored == [("310.00", "test")]
        for kind, key, changes, sentence in [
            ("delivery", "P-17", {"eur": "331.00"}, "says so already"),
            ("delivery", "P-17", {"invoice": "P-18"}, "'invoice' is the name of a delivery"),
            ("delivery", "P-17", {"eur": "much"}, "is not a plain number"),
            ("delivery", "P-99", {"eur": "1"}, "There is no delivery 'P-99'"),
            ("household", "h-b", {"until": "2024-01-01"}, "must be later than 'from'"),
            ("edit", "x", {"value": "1"}, "There is no edit"),
        ]:
            with pytest.raises(BadInput, match=sentence):
                amend.amend(connection, SLUG, kind, key, changes, "board", "wrong", LATER)
        amend.withdraw(connection, SLUG, "cost", "heat M-4", "board", "never meant", LATER)
        with pytest.raises(BadInput, match="The cost 'heat M-4' was withdrawn already"):
            amend.withdraw(connection, SLUG, "cost", "heat M-4", "board", "never meant", LATER)
        with pytest.raises(BadInput, match="withdrawn already"):
            amend.amend(connection, SLUG, "cost", "heat M-4", {"eur": "1.00"}, "board", "no", LATER)
        authors = connection.execute(
            "SELECT kind, author, body->>'why' FROM event WHERE kind IN ('amendment', 'withdrawal') ORDER BY key"
        ).fetchall()
        assert authors == [
            ("withdrawal", "board", "never meant"),
            ("amendment", "board", "typing error"),
            ("amendment", "board", "again"),
        ]


def test_a_delivery_put_right_corrects_the_final_month(database_url: str) -> None:
    with connect(database_url) as connection:
        finalhouse.fill(connection)
        issue.finalise(connection, SLUG, FEBRUARY, finalhouse.NOW, "corporation")
        amend.amend(connection, SLUG, "delivery", "P-17", {"eur": "330.00"}, "board", "typing error", LATER)
        amend.amend(connection, SLUG, "household", "h-b", {"until": "2026-02-15"}, "board", "moved", LATER)
        issued = issue.correct(connection, SLUG, FEBRUARY, LATER + timedelta(days=1), "corporation")
    assert issued is not None
    assert [reason["text"] for reason in issued.document["reasons"]] == [
        "households h-b changed: until none -> 2026-02-15.",
        "pellets.deliveries P-17 changed: eur 310.00 -> 330.00.",
    ]
    parties = {(entry["party"], entry["flat"]) for entry in issued.document["statements"]}
    assert parties == {("h-a", "A"), ("h-b", "B"), ("owner", "B")}
    assert finaltown.TREE["pellets"]["deliveries"][0]["eur"] == "310.00"
