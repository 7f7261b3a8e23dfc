"""A month or a year as rows to book: one per statement line, or one per movement of the pellet stock.

RFC 4180: comma, decimal point, CRLF, a header row, UTF-8. This is for bookkeeping programs, which can all be told to
read it so; numbers are those of the statement, digit for digit.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

from core.time import Month, rfc3339
from core.units import decimal_text
from settlement.stock import Row, kilograms

COLUMNS: Final = (
    "month",
    "party",
    "flat",
    "from",
    "until",
    "code",
    "quantity",
    "unit",
    "price_eur",
    "net_eur",
    "vat_percent",
    "vat_eur",
    "amount_eur",
    "status",
    "revision",
    "window",
)
STOCK_COLUMNS: Final = (
    "month",
    "at",
    "what",
    "document",
    "kg",
    "eur",
    "stock_kg",
    "stock_eur",
    "noted_kg",
    "difference_kg",
)
YEAR_COLUMNS: Final = (
    "year",
    "party",
    "flat",
    "from",
    "until",
    "code",
    "vat_percent",
    "months_net_eur",
    "months_vat_eur",
    "months_amount_eur",
    "net_eur",
    "vat_eur",
    "amount_eur",
    "difference_net_eur",
    "difference_vat_eur",
    "difference_eur",
)
_NUMBER = re.compile(r"-?\d+(\.\d+)?")
_AMOUNTS: Final = ("net_eur", "vat_eur", "amount_eur")
_FORMULA_STARTS: Final = ("=", "+", "-", "@", "\t", "\r", "\n")


def statement_csv(statement: dict[str, Any]) -> str:
    """Return a month's statement lines as CSV.

    Parameters
    ----------
    statement
        statement.json as the contract describes it.

    Returns
    -------
    str
        The rows in the statement's order; their ``amount_eur`` add up to the sum of all totals.
    """
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(COLUMNS)
    for entry in statement["statements"]:
        for line in entry["lines"]:
            row = {**statement, **entry, **line}
            writer.writerow([_cell(row.get(name)) for name in COLUMNS])
    return text.getvalue()


def year_csv(document: Mapping[str, Any]) -> str:
    """Return a year as CSV.

    Parameters
    ----------
    document
        ``year.json``.

    Returns
    -------
    str
        A row per party, code and rate of VAT: what the months charged, what the year comes to, and the difference,
        which is what is left to book. What was paid in advance is a row of its own with a minus, so that the rows of a
        party add up to its balances. ``from`` and ``until`` are the first day and the one after the last.
    """
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(YEAR_COLUMNS)
    for entry in document["statements"]:
        days = entry["days"]
        head = [document["year"], entry["party"], entry["flat"]]
        head += [days[0]["from"], days[-1]["until"]] if days else [None, None]
        rows = [
            [line["code"], line["vat_percent"]]
            + [amounts[name] for amounts in (line["months"], line, line["difference"]) for name in _AMOUNTS]
            for line in entry["lines"]
        ]
        if Decimal(entry["advance_eur"]):
            paid = f"-{entry['advance_eur']}"
            rows.append(["advance", None, None, None, paid, None, None, paid, None, None, "0.00"])
        for row in rows:
            writer.writerow([_cell(value) for value in [*head, *row]])
    return text.getvalue()


def stock_csv(month: Month, rows: Sequence[Row]) -> str:
    """Return a month's pellet stock as CSV.

    Parameters
    ----------
    rows
        `settlement.stock.ledger`.

    Returns
    -------
    str
        Times in UTC, kilograms with three decimals, euros with two; the last ``stock_kg`` and ``stock_eur`` are the
        closing stock.
    """
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(STOCK_COLUMNS)
    for row in rows:
        cells = (
            month,
            rfc3339(row.at),
            row.what,
            row.document,
            kilograms(row.kg),
            decimal_text(row.cents, 2),
            kilograms(row.stock_kg),
            decimal_text(row.stock_cents, 2),
            kilograms(row.noted_kg),
            kilograms(row.difference_kg),
        )
        writer.writerow([_cell(cell) for cell in cells])
    return text.getvalue()


def _cell(value: Any) -> str:
    """Print a value so that a spreadsheet takes it as a number or a text, never as a formula."""
    text = "" if value is None else str(value)
    if text.startswith(_FORMULA_STARTS) and not _NUMBER.fullmatch(text):
        return "'" + text
    return text
