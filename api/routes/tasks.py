"""Work that volunteers do: see what waits, take it, give it back, say that it is done."""

from __future__ import annotations

import json
from typing import Any

from fastapi import APIRouter

from api.access import Volunteer
from api.body import RawBody
from api.context import AtHouse, Database, Now, TheCommunity
from core.errors import BadInput
from core.time import rfc3339
from settlement.tasks import rounds
from settlement.tasks.store import TaskRow

router = APIRouter(prefix="/api/v1/tasks", tags=["tasks"])


@router.get("")
def tasks(_person: Volunteer, house: AtHouse, connection: Database) -> list[dict[str, Any]]:
    """List the work that waits or is in somebody's hands, oldest first."""
    return [_printed(row) for row in rounds.open_tasks(connection, house.slug)]


@router.post("/{task:int}/claim")
def claim(task: int, person: Volunteer, house: AtHouse, connection: Database, now: Now) -> dict[str, Any]:
    """Take a task; the first one wins, the others get 409 and a thank-you."""
    return _printed(rounds.claim(connection, house.slug, task, person.id, now))


@router.post("/{task:int}/release")
def release(task: int, person: Volunteer, house: AtHouse, connection: Database, now: Now) -> dict[str, Any]:
    """Give a task back, or say that somebody else should do it."""
    return _printed(rounds.release(connection, house.slug, task, person.id, now))


_DONE_BODY = {
    "requestBody": {
        "content": {
            "application/json": {
                "schema": {"type": "object", "properties": {"bags": {"type": "integer", "minimum": 0, "maximum": 100}}}
            }
        }
    }
}


@router.post("/{task:int}/done", openapi_extra=_DONE_BODY)
def done(
    task: int, person: Volunteer, community: TheCommunity, connection: Database, now: Now, body: RawBody
) -> dict[str, Any]:
    """Say that a task is done; for a refill, with how many bags."""
    return _printed(rounds.done(connection, community, task, person.id, now, _bags(body)))


def _bags(body: bytes) -> int | None:
    try:
        given = json.loads(body) if body.strip() else {}
    except (ValueError, RecursionError):
        raise BadInput('The body is not JSON; send {"bags": 4}.') from None
    bags = given.get("bags") if isinstance(given, dict) else given
    if bags is not None and (not isinstance(bags, int) or isinstance(bags, bool)):
        raise BadInput('"bags" must be a whole number, like {"bags": 4}.')
    return bags


def _printed(row: TaskRow) -> dict[str, Any]:
    return {
        "id": row.id,
        "kind": row.kind,
        "state": row.state,
        "opened_at": rfc3339(row.opened_at),
        "due_at": rfc3339(row.due_at) if row.due_at else None,
        "person": row.person_name,
        "claimed_at": rfc3339(row.claimed_at) if row.claimed_at else None,
        "done_at": rfc3339(row.done_at) if row.done_at else None,
        "bags": row.bags,
    }
