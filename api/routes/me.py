"""What a person may know of themselves and of their own flat."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Response

from api import final, store
from api.access import Anyone, Home, Resident, home_of
from api.context import AtHouse, Database, House, Now, TheCommunity
from api.documents import correction_answer, pdf_answer
from api.energy import flat_row, heat_unit
from api.errors import not_found
from api.period import Asked
from api.statements import OwnStatement, own_statement
from api.why import why
from core.db.connection import Connection
from core.time import rfc3339

router = APIRouter(prefix="/api/v1/me", tags=["me"])


@router.get("")
def me(person: Anyone, community: TheCommunity) -> dict[str, Any]:
    """Who am I, what may I do, where and since when do I live."""
    home = home_of(person, community)
    return {
        "community": community.community,
        "person": person.id,
        "name": person.name,
        "language": person.language,
        "roles": sorted(person.roles),
        "household": home and home.household,
        "flat": home and home.flat,
        "from": home and home.since.isoformat(),
        "until": home.until.isoformat() if home and home.until else None,
    }


@router.get("/energy")
def energy(home: Resident, community: TheCommunity, connection: Database, period: Asked) -> dict[str, Any]:
    """Electricity, sun and heat of the own flat, for the days of the own household only."""
    start, until = home.within(period.span, community)
    rows = store.flat_energy(
        connection, community.community, home.flat, (start, until), period.step, community.timezone
    )
    unit = heat_unit(community, home.flat)
    return {
        "flat": home.flat,
        "from": rfc3339(start),
        "until": rfc3339(until),
        "step": period.step,
        "rows": [flat_row(row, unit) for row in rows],
    }


@router.get("/statements")
def statements(home: Resident, house: AtHouse, connection: Database) -> list[dict[str, Any]]:
    """Months of which the own household has a statement, newest first."""
    return [
        {
            "month": row.month,
            "status": row.status,
            "revision": row.revision,
            "settled_at": rfc3339(row.settled_at),
            "total_eur": row.summary["total_eur"],
            "advance_eur": row.summary["advance_eur"],
            "balance_eur": row.summary["balance_eur"],
        }
        for row in store.months_of(connection, house.slug, home.household)
    ]


@router.get("/statements/{month}.json")
def statement_json(
    month: str, home: Resident, house: AtHouse, community: TheCommunity, connection: Database
) -> dict[str, Any]:
    """One month's statement of the own household with its own corrections, and the building's totals."""
    own = _own(connection, house, month, home)
    return own.shown | final.own(connection, community, month, home.household)


@router.get("/statements/{month}.pdf", response_class=Response)
def statement_pdf(
    month: str, home: Resident, house: AtHouse, community: TheCommunity, connection: Database, now: Now
) -> Response:
    """One month's statement of the own household, as a document."""
    own = _own(connection, house, month, home)
    changes = why(connection, community, month, home.household, now)
    return pdf_answer(own.month, own.entry, community, home.person.language, changes=changes)


@router.get("/statements/{month}/corrections/{revision}.pdf", response_class=Response)
def correction_pdf(
    month: str,
    revision: Annotated[int, Path(ge=2)],
    home: Resident,
    community: TheCommunity,
    connection: Database,
) -> Response:
    """Give the own household's part of a correction as a document; 404 where it is not concerned."""
    for part in final.own(connection, community, month, home.household)["corrections"]:
        if part["revision"] == revision:
            return correction_answer(part, community, home.person.language)
    raise not_found()


@router.get("/why")
def why_different(
    month: str, home: Resident, community: TheCommunity, connection: Database, now: Now
) -> dict[str, Any]:
    """Why the own household's total differs from last month's and last year's: parts that sum to the cent."""
    found = why(connection, community, month, home.household, now)
    if found is None:
        raise not_found()
    return found


def _own(connection: Connection, house: House, month: str, home: Home) -> OwnStatement:
    found = own_statement(connection, house.slug, month, home.household)
    if found is None:
        raise not_found()
    return found
