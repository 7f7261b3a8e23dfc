"""The health of every device and what is doubted, for whoever keeps them running."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from fastapi import APIRouter

from api.access import Operator
from api.context import Database, Now, TheCommunity
from api.devices import DeviceView, overview, said
from core.time import rfc3339
from settlement.watch import store
from settlement.watch.look import REMEMBERED
from settlement.watch.store import Finding

router = APIRouter(prefix="/api/v1/devices", tags=["devices"])


@router.get("")
def devices(_person: Operator, community: TheCommunity, connection: Database, now: Now) -> list[dict[str, Any]]:
    """Each device of the community file: what it feeds, when it was last heard, how it is doing, what is doubted."""
    return [_device(view, community.zone) for view in overview(connection, community, now)]


@router.get("/findings")
def findings(
    _person: Operator, community: TheCommunity, connection: Database, now: Now, *, closed: bool = False
) -> list[dict[str, Any]]:
    """List what is doubted about meters and devices, newest first; with ``closed`` also what was explained lately."""
    found = store.findings(connection, community.community, closed_since=now - REMEMBERED if closed else None)
    return [_finding(one, community.zone) for one in found]


def _device(view: DeviceView, zone: ZoneInfo) -> dict[str, Any]:
    health = view.health
    silent_after = health.silent_after if health is not None else None
    return {
        "id": view.device.id,
        "profile": view.device.profile,
        "kind": health.kind if health is not None else None,
        "serial": health.serial if health is not None else None,
        "feeds": dict(view.device.feeds),
        "feeds_settlement": health is not None and health.feeds_settlement,
        "state": view.state,
        "asleep": view.asleep,
        "last_seen": _time(health.last_seen if health is not None else None),
        "age_seconds": None if view.age is None else int(view.age.total_seconds()),
        "silent_after_seconds": None if silent_after is None else int(silent_after.total_seconds()),
        "last_try": _time(health.last_try if health is not None else None),
        "last_error": health.last_error if health is not None else None,
        "errors": health.errors if health is not None else 0,
        "readings": health.readings if health is not None else 0,
        "findings": [_finding(one, zone) for one in view.findings],
    }


def _finding(one: Finding, zone: ZoneInfo) -> dict[str, Any]:
    return {
        "code": one.code,
        "meter": one.meter,
        "device": one.device,
        "from": rfc3339(one.since),
        "until": rfc3339(one.until),
        "text": said(one, zone),
        "opened_at": rfc3339(one.opened_at),
        "closed_at": _time(one.closed_at),
    }


def _time(moment: datetime | None) -> str | None:
    return None if moment is None else rfc3339(moment)
