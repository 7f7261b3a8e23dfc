"""Documents of a month that was really settled: every figure on them is the statement's."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pikepdf
import pytest

from core.db.connection import Connection, connect
from core.time import Month
from settlement import run
from settlement.documents.building import building_paper
from settlement.documents.csv import statement_csv
from settlement.documents.household import household_paper
from settlement.documents.pdf import statement_pdf
from settlement.documents.wording import Wording
from tests.support import boilerhouse as house
from tests.support.boilerhouse import OPENED, SLUG

NAME = "Flat De Ster"
AFTER = datetime(2026, 2, 3, tzinfo=UTC)


@pytest.fixture
def connection(database_url: str) -> Iterator[Connection]:
    with connect(database_url, autocommit=True) as opened:
        house.make(opened)
        house.register_month(opened, OPENED - timedelta(days=2), AFTER)
        yield opened


@pytest.fixture
def statement(connection: Connection) -> dict[str, Any]:
    return run.settle(connection, SLUG, Month(2026, 1), AFTER).statement


def test_the_rows_to_book_add_up_to_the_month(statement: dict[str, Any]) -> None:
    rows = list(csv.DictReader(io.StringIO(statement_csv(statement), newline="")))
    assert len(rows) == sum(len(entry["lines"]) for entry in statement["statements"])
    for entry in statement["statements"]:
        own = [
            Decimal(row["amount_eur"])
            for row in rows
            if (row["party"], row["flat"], row["from"]) == (entry["party"], entry["flat"] or "", entry["from"])
        ]
        assert sum(own) == Decimal(entry["total_eur"])
    for row in rows:
        assert Decimal(row["net_eur"]) + Decimal(row["vat_eur"]) == Decimal(row["amount_eur"])


def test_every_party_gets_a_document_that_says_its_balance(statement: dict[str, Any]) -> None:
    assert [(entry["party"], entry["flat"]) for entry in statement["statements"]] == [
        ("h-001", "A01"),
        ("h-002", "A02"),
        ("owner", "A02"),
        ("owner", None),
    ]
    for entry in statement["statements"]:
        paper = household_paper(statement, entry, Wording("en"), NAME)
        assert f"€{entry['balance_eur'].removeprefix('-')}" in paper.blocks[0]["text"]
        with pikepdf.open(io.BytesIO(statement_pdf(statement, entry, "en", NAME))) as pdf:
            assert len(pdf.pages) == 1


def test_the_corporation_sees_totals_and_no_load_curve(statement: dict[str, Any]) -> None:
    paper = building_paper(statement, Wording("nl"), NAME)
    parties = next(block for block in paper.blocks if block["kind"] == "table")
    assert len(parties["rows"]) == len(statement["statements"])
    longest = max(len(block["rows"]) for block in paper.blocks if block["kind"] == "table")
    assert longest < 40


def test_settling_again_gives_the_same_documents(connection: Connection, statement: dict[str, Any]) -> None:
    again = run.settle(connection, SLUG, Month(2026, 1), AFTER + timedelta(hours=1)).statement
    assert statement_csv(again) == statement_csv(statement)
    assert statement_pdf(again, None, "nl", NAME) == statement_pdf(statement, None, "nl", NAME)
