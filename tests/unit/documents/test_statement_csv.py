"""The rows to book."""

from __future__ import annotations

import csv
import io
from decimal import Decimal
from typing import Any

from settlement.documents.csv import COLUMNS, statement_csv


def rows(statement: dict[str, Any]) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(statement_csv(statement), newline="")))


def test_there_is_a_row_for_every_line(statement: dict[str, Any]) -> None:
    found = rows(statement)
    assert [(row["party"], row["code"]) for row in found] == [
        ("h-001", "solar"),
        ("h-001", "fixed"),
        ("h-001", "heat_measured"),
        ("h-001", "heat_fixed"),
        ("h-002", "solar"),
        ("h-002", "feed_in"),
        ("owner", "feed_in"),
    ]
    assert tuple(found[0]) == COLUMNS
    assert found[0]["month"] == "2026-01"
    assert found[0]["quantity"] == "50.125000"
    assert found[2]["price_eur"] == ""
    assert found[6]["flat"] == ""


def test_the_amounts_add_up_to_the_statements(statement: dict[str, Any]) -> None:
    booked = sum(Decimal(row["amount_eur"]) for row in rows(statement))
    assert booked == sum(Decimal(entry["total_eur"]) for entry in statement["statements"])


def test_lines_end_as_the_standard_says(statement: dict[str, Any]) -> None:
    text = statement_csv(statement)
    assert text.count("\r\n") == text.count("\n") == 8


def test_no_cell_is_a_formula(statement: dict[str, Any]) -> None:
    statement["statements"][0]["party"] = '=HYPERLINK("http://x","y")'
    statement["statements"][0]["lines"][0]["code"] = "@SUM(1)"
    statement["statements"][1]["party"] = "-2+3"
    found = rows(statement)
    assert found[0]["party"] == '\'=HYPERLINK("http://x","y")'
    assert found[0]["code"] == "'@SUM(1)"
    assert found[4]["party"] == "'-2+3"


def test_a_negative_amount_stays_a_number(statement: dict[str, Any]) -> None:
    assert rows(statement)[5]["amount_eur"] == "-3.20"
