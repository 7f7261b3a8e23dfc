"""The health of every device, for whoever keeps them running."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from api import store
from api.access import Operator
from api.context import Database, TheCommunity
from core.time import rfc3339

router = APIRouter(prefix="/api/v1/devices", tags=["devices"])


@router.get("")
def devices(_person: Operator, community: TheCommunity, connection: Database) -> list[dict[str, Any]]:
    """Each device of the community file: what it feeds, when it was last seen, what went wrong."""
    health = store.device_health(connection, community.community)
    answer = []
    for device in community.devices:
        known = health.get(device.id, {})
        answer.append(
            {
                "id": device.id,
                "profile": device.profile,
                "feeds": dict(device.feeds),
                "last_seen": rfc3339(known["last_seen"]) if known.get("last_seen") else None,
                "last_try": rfc3339(known["last_try"]) if known.get("last_try") else None,
                "last_error": known.get("last_error"),
                "errors": known.get("errors", 0),
                "readings": known.get("readings", 0),
            }
        )
    return answer
