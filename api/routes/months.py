"""The corporation's months: totals per flat, never a load curve."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Response

from api import balance, final, store
from api.access import Corporation, Keeper
from api.context import AtHouse, Database, House, Now, TheCommunity
from api.documents import csv_answer, pdf_answer, stock_answer
from api.errors import not_found
from api.statements import month_statement
from core.db.connection import Connection
from core.time import Month, rfc3339
from core.units import decimal_text
from settlement.run import stock_rows
from settlement.store import newest_postings, newest_statement

router = APIRouter(prefix="/api/v1/months", tags=["months"])


@router.get("")
def months(_person: Corporation, house: AtHouse, connection: Database) -> list[dict[str, Any]]:
    """Every settled month, newest first."""
    sealed = final.by_month(connection, house.slug)
    return [
        {
            **sealed.get(row.month, final.NOT_YET),
            "month": row.month,
            "status": row.status,
            "revision": row.revision,
            "settled_at": rfc3339(row.settled_at),
            "energy": row.summary["energy"],
            "total_eur": row.summary["total_eur"],
            "findings": row.summary["findings"],
        }
        for row in store.months(connection, house.slug)
    ]


@router.get("/{month}")
def month_summary(
    month: str, _person: Corporation, house: AtHouse, community: TheCommunity, connection: Database
) -> dict[str, Any]:
    """One settled month: the building's balance, the total of every party, checks and findings."""
    settled = _settled(connection, house, month)
    entries = [{name: value for name, value in entry.items() if name != "lines"} for entry in settled["statements"]]
    whole = balance.answer(connection, community, settled)
    return {**settled, "statements": entries, "balance": whole, **final.of_month(connection, house.slug, month)}


@router.get("/{month}/balance")
def month_balance(
    month: str, _person: Keeper, house: AtHouse, community: TheCommunity, connection: Database
) -> dict[str, Any]:
    """Where the energy of one settled month went: totals of the building, with what nobody can explain."""
    return balance.answer(connection, community, _settled(connection, house, month))


@router.get("/{month}/postings")
def month_postings(month: str, _person: Keeper, house: AtHouse, connection: Database) -> list[dict[str, Any]]:
    """One settled month as it was booked, double entry; a posting names the rules, documents and meters behind it."""
    return [
        {
            "transaction": posting["transaction"],
            "line": posting["line"],
            "account": posting["account"],
            "what": posting["what"],
            "eur": decimal_text(posting["cents"], 2),
            "evidence": posting["evidence"],
        }
        for posting in _postings(connection, house, month)
    ]


@router.get("/{month}/statement.json", response_class=Response)
def statement_json(month: str, person: Corporation, house: AtHouse, connection: Database, now: Now) -> Response:
    """One settled month with every line, byte for byte as it was settled."""
    text = newest_statement(connection, house.slug, month)
    if text is None:
        raise not_found()
    final.mark(connection, house.slug, month, person.id, now, "json")
    return Response(text, media_type="application/json")


@router.get("/{month}/statement.pdf", response_class=Response)
def statement_pdf(
    month: str, person: Corporation, house: AtHouse, community: TheCommunity, connection: Database, now: Now
) -> Response:
    """One settled month as a document."""
    settled = _settled(connection, house, month)
    final.mark(connection, house.slug, month, person.id, now, "pdf")
    whole = balance.of_month(connection, community, settled)
    return pdf_answer(settled, None, community, person.language, whole)


@router.get("/{month}/statement.csv", response_class=Response)
def statement_csv(month: str, person: Corporation, house: AtHouse, connection: Database, now: Now) -> Response:
    """One settled month for the books, a row per line of each party."""
    settled = _settled(connection, house, month)
    final.mark(connection, house.slug, month, person.id, now, "csv")
    return csv_answer(settled)


@router.get("/{month}/pellets.csv", response_class=Response)
def pellets_csv(
    month: str, _person: Corporation, house: AtHouse, community: TheCommunity, connection: Database
) -> Response:
    """Pellet stock of one settled month as the books stand now, a row per movement."""
    _settled(connection, house, month)
    rows = stock_rows(connection, community, Month.parse(month))
    if rows is None:
        raise not_found()
    return stock_answer(house.slug, Month.parse(month), rows)


def _postings(connection: Connection, house: House, month: str) -> list[dict[str, Any]]:
    _settled(connection, house, month)
    return newest_postings(connection, house.slug, month)


def _settled(connection: Connection, house: House, month: str) -> dict[str, Any]:
    found = month_statement(connection, house.slug, month)
    if found is None:
        raise not_found()
    return found
