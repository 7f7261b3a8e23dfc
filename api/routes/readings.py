"""Readings of devices that can only do HTTP."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Annotated, Any, Final

from fastapi import APIRouter, Header

from api import store
from api.access import Operator
from api.body import RawBody
from api.context import Database, Now, TheCommunity
from core.community import Community
from core.db.config import add_event
from core.db.readings import insert_readings
from core.errors import BadInput
from core.wire import Reading, native_readings

router = APIRouter(prefix="/api/v1/readings", tags=["readings"])

_MOST_READINGS: Final = 50_000
_AHEAD: Final = timedelta(minutes=5)
"""How far a device's clock may run ahead."""
_KEY: Final = re.compile(r"[\x21-\x7e]{1,200}")


_SCHEMA: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {
                    "type": "array",
                    "items": {
                        "type": "object",
                        "required": ["meter", "time", "value"],
                        "properties": {
                            "meter": {"type": "string"},
                            "time": {"type": "string", "format": "date-time"},
                            "value": {"type": "string", "description": "plain decimal, in the meter's unit"},
                        },
                    },
                }
            }
        },
    }
}


@router.post("", openapi_extra=_SCHEMA)
def post_readings(
    person: Operator,
    community: TheCommunity,
    connection: Database,
    now: Now,
    body: RawBody,
    key: Annotated[str, Header(alias="Idempotency-Key", description="the sender's own name for this batch")],
) -> dict[str, int]:
    """Take a batch of native readings, all or none of them.

    The same key with the same body gets the first answer again, so that a sender may retry; the same key with another
    body is refused.
    """
    if not _KEY.fullmatch(key):
        raise BadInput("Idempotency-Key must be 1 to 200 visible characters, for instance a UUID.")
    digest = hashlib.sha256(body).hexdigest()
    known = store.kept_answer(connection, community.community, key)
    if known is not None:
        if known["body_sha256"] != digest:
            raise BadInput("This Idempotency-Key was used for another batch before; use a new key for a new batch.")
        return {name: int(known[name]) for name in ("new", "duplicate", "conflicting")}
    readings = parse_batch(community, body, now)
    done = insert_readings(connection, community.community, readings, f"http {person.id}")
    answer = {"new": done.new, "duplicate": done.duplicate, "conflicting": done.conflicting}
    kept = {name: str(count) for name, count in answer.items()} | {"body_sha256": digest}
    add_event(connection, community.community, "http-batch", key, kept, now, person.id)
    return answer


def parse_batch(community: Community, body: bytes, now: datetime) -> list[Reading]:
    """Read a batch: an array of ``{"meter": ..., "time": ..., "value": ...}``.

    Raises
    ------
    BadInput
        If anything in it is not as described; the message names the entry.
    """
    try:
        document = json.loads(body, parse_float=Decimal, parse_int=Decimal)
    except (ValueError, RecursionError):
        raise BadInput("The body is not JSON; send an array of readings.") from None
    if not isinstance(document, list) or not document:
        raise BadInput('The body must be an array like [{"meter": "pv", "time": "2026-01-01T12:00:00Z", ...}].')
    if len(document) > _MOST_READINGS:
        raise BadInput(f"The batch holds {len(document)} readings; send at most {_MOST_READINGS} at once.")
    return list(_readings(community, document, now))


def _readings(community: Community, document: list[Any], now: datetime) -> Iterable[Reading]:
    known = {meter.id for meter in community.meters}
    for index, item in enumerate(document):
        meter = item.get("meter") if isinstance(item, dict) else None
        if not isinstance(meter, str) or meter not in known:
            raise BadInput(f"Entry {index}: there is no meter '{meter}'; known are those of the community file.")
        try:
            (reading,) = native_readings(meter, json.dumps(item, default=str).encode())
        except ValueError as error:
            raise BadInput(f"Entry {index}: {error}.") from None
        if reading.time > now + _AHEAD:
            raise BadInput(f"Entry {index}: the time lies in the future; check the device's clock.")
        yield reading
