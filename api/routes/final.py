"""Making months final and correcting them: the corporation decides, an operator may go over a gate."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any, Final

from fastapi import APIRouter, HTTPException, Path, Response

from api.access import Corporation, Keeper, Resident
from api.body import RawBody
from api.context import AtHouse, Database, House, Now, TheCommunity
from api.documents import download
from api.errors import not_found, problem
from core.db.connection import Connection
from core.errors import BadInput
from core.time import Month, rfc3339
from settlement.documents.correction import correction_csv
from settlement.final import issue, store
from settlement.gates import NotFinal
from settlement.seal.bundle import SUN, resident_bundle
from settlement.seal.figures import label_of

router = APIRouter(prefix="/api/v1", tags=["months"])

_BODY: Final[dict[str, Any]] = {
    "requestBody": {
        "content": {
            "application/json": {
                "schema": {
                    "type": "object",
                    "properties": {
                        "despite": {
                            "type": "object",
                            "additionalProperties": {"type": "string"},
                            "description": "gates to go over, each with the reason; operators only",
                        }
                    },
                }
            }
        }
    }
}


@router.get("/months/{month}/gates")
def gates(month: str, _person: Keeper, house: AtHouse, now: Now) -> list[dict[str, Any]]:
    """Everything that keeps a month from becoming final, as it is at this moment; empty where nothing does."""
    wanted = Month.parse(month)
    with _connection(house) as connection:
        return [one.tree for one in issue.blocked(connection, house.slug, wanted, now)]


@router.post("/months/{month}/final", openapi_extra=_BODY, response_model=None)
def final(month: str, person: Keeper, house: AtHouse, now: Now, body: RawBody) -> dict[str, Any] | Response:
    """Make a month final; 409 with every gate that refuses, or if it is final already."""
    wanted, despite = Month.parse(month), _despite(body, person.roles)
    try:
        with _connection(house) as connection:
            return _issued(issue.finalise(connection, house.slug, wanted, now, person.id, despite))
    except NotFinal as refused:
        return _refused(refused)


@router.post("/months/{month}/correction", openapi_extra=_BODY, response_model=None)
def correct(month: str, person: Keeper, house: AtHouse, now: Now, body: RawBody) -> dict[str, Any] | Response:
    """Issue the correction of a final month; 204 where not a cent would change."""
    wanted, despite = Month.parse(month), _despite(body, person.roles)
    try:
        with _connection(house) as connection:
            issued = issue.correct(connection, house.slug, wanted, now, person.id, despite)
    except NotFinal as refused:
        return _refused(refused)
    return Response(status_code=204) if issued is None else _issued(issued)


@router.get("/months/{month}/statement.zip", response_class=Response)
def bundle(month: str, person: Corporation, house: AtHouse, connection: Database, now: Now) -> Response:
    """Give the sealed bundle of a final month: no household's intervals are in it."""
    return _bundle(connection, house, month, 1, person.id, now)


Revision = Annotated[int, Path(ge=2)]


@router.get("/months/{month}/corrections/{revision}.json", response_class=Response)
def correction_json(
    month: str, revision: Revision, person: Corporation, house: AtHouse, connection: Database, now: Now
) -> Response:
    """One correction of a final month, byte for byte as it was issued."""
    one = _sealed(connection, house, month, revision)
    store.mark_exported(connection, house.slug, one.number, now, person.id, "json")
    return Response(one.document, media_type="application/json")


@router.get("/months/{month}/corrections/{revision}.csv", response_class=Response)
def correction_rows(
    month: str, revision: Revision, person: Corporation, house: AtHouse, connection: Database, now: Now
) -> Response:
    """One correction for the books, a row per line of each changed party."""
    one = _sealed(connection, house, month, revision)
    store.mark_exported(connection, house.slug, one.number, now, person.id, "csv")
    name = f"{house.slug}-{month}-{one.number}.csv"
    return download(correction_csv(one.tree).encode(), "text/csv; charset=utf-8", name)


@router.get("/months/{month}/corrections/{revision}.zip", response_class=Response)
def correction_bundle(
    month: str, revision: Revision, person: Corporation, house: AtHouse, connection: Database, now: Now
) -> Response:
    """Give the sealed bundle of a correction."""
    return _bundle(connection, house, month, revision, person.id, now)


@router.get("/me/statements/{month}.zip", response_class=Response)
def own_bundle(month: str, home: Resident, house: AtHouse, community: TheCommunity, connection: Database) -> Response:
    """Give the household's own bundle of a final month, with what opens its own commitment and no other."""
    sealed = _sealed(connection, house, month, 1)
    whole = store.bundle(connection, house.slug, sealed.number)
    label = next((label_of(one) for one in sealed.tree["statements"] if one["party"] == home.household), None)
    if whole is None or label is None:
        raise not_found()
    body = resident_bundle(whole, label, store.openings(connection, house.slug, sealed.number, [label, SUN]))
    return download(body, "application/zip", f"{community.community}-{month}-{home.flat}.zip")


@contextmanager
def _connection(house: House) -> Iterator[Connection]:
    """Give a connection outside the request's transaction: a seal needs a snapshot and a lock of its own."""
    with house.pool.connection() as connection:
        yield connection


def _sealed(connection: Connection, house: House, month: str, revision: int) -> store.Sealed:
    found = [one for one in store.of_month(connection, house.slug, month) if one.revision == revision]
    if not found:
        raise not_found()
    return found[0]


def _bundle(connection: Connection, house: House, month: str, revision: int, person: str, now: Now) -> Response:
    one = _sealed(connection, house, month, revision)
    body = store.bundle(connection, house.slug, one.number)
    if body is None:
        raise not_found()
    store.mark_exported(connection, house.slug, one.number, now, person, "zip")
    return download(body, "application/zip", f"{house.slug}-{month}-{one.number}.zip")


def _despite(body: bytes, roles: list[str]) -> dict[str, str]:
    try:
        given = json.loads(body) if body.strip() else {}
    except (ValueError, RecursionError):
        raise BadInput('The body is not JSON; send {} or {"despite": {"wait": "the reason"}}.') from None
    despite = given.get("despite", {}) if isinstance(given, dict) else None
    if not isinstance(despite, dict) or not all(isinstance(reason, str) for reason in despite.values()):
        raise BadInput('"despite" names gates, each with its reason, like {"despite": {"wait": "the reason"}}.')
    if despite and "operator" not in roles:
        raise HTTPException(403, "Only an operator may go over a gate; leave 'despite' out.")
    return despite


def _issued(issued: issue.Issued) -> dict[str, Any]:
    sealed = issued.sealed
    return {
        "month": sealed.month,
        "status": "final",
        "number": sealed.number,
        "revision": sealed.revision,
        "seal_sha256": sealed.seal_sha256,
        "sealed_at": rfc3339(sealed.sealed_at),
        "despite": list(sealed.despite),
    }


def _refused(refused: NotFinal) -> Response:
    return problem(409, str(refused).partition("\n")[0], gates=[one.tree for one in refused.refusals])
