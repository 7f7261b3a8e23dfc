"""Documents of a settled month as answers, made when asked for; the same statement gives the same bytes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastapi import Response

from core.community import Community
from core.time import Month
from settlement.balance import Balance
from settlement.documents.csv import statement_csv, stock_csv
from settlement.documents.pdf import correction_pdf, statement_pdf
from settlement.stock import Row


def pdf_answer(
    month: dict[str, Any],
    entry: dict[str, Any] | None,
    community: Community,
    language: str,
    whole: Balance | None = None,
    changes: dict[str, Any] | None = None,
) -> Response:
    """Answer with one party's statement as PDF, or with the whole month's, and its balance, when ``entry`` is None.

    ``changes`` is why the party's total is different, as `settlement.why.answer` says it.
    """
    name = f"{community.community}-{month['month']}" + (f"-{entry['flat']}" if entry else "")
    document = statement_pdf(month, entry, language, community.name, whole, changes)
    return download(document, "application/pdf", f"{name}.pdf")


def correction_answer(part: dict[str, Any], community: Community, language: str) -> Response:
    """Answer with a household's part of a correction as PDF."""
    flat = part["statements"][0]["flat"]
    document = correction_pdf(part, language, community.name)
    return download(document, "application/pdf", f"{community.community}-{part['month']}-{flat}-{part['number']}.pdf")


def csv_answer(month: dict[str, Any]) -> Response:
    """Answer with the whole month's lines for the books."""
    name = f"{month['community']}-{month['month']}.csv"
    return download(statement_csv(month).encode(), "text/csv; charset=utf-8", name)


def stock_answer(slug: str, month: Month, rows: Sequence[Row]) -> Response:
    """Answer with a month's pellet stock for the books."""
    return download(stock_csv(month, rows).encode(), "text/csv; charset=utf-8", f"{slug}-{month}-pellets.csv")


def download(body: bytes, media_type: str, name: str) -> Response:
    """Answer with a file to keep."""
    return Response(body, media_type=media_type, headers={"Content-Disposition": f'attachment; filename="{name}"'})
