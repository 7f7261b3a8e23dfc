"""Every device as operators see it: how it is doing, what it feeds, and what is doubted about it and its meters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from core.community import Community, Device
from core.db.connection import Connection
from settlement.watch import sentences, store
from settlement.watch.health import Health, State, asleep, state
from settlement.watch.store import Finding


@dataclass(frozen=True)
class DeviceView:
    """A device of the community file; ``health`` is None as long as no collector has known it.

    ``asleep`` when it is silent because the sun is low. ``findings`` are the open ones.
    """

    device: Device
    health: Health | None
    state: State
    asleep: bool
    age: timedelta | None
    findings: Sequence[Finding]


def overview(connection: Connection, community: Community, now: datetime) -> list[DeviceView]:
    """Return all devices in the community file's order."""
    known = {health.device: health for health in store.health(connection, community.community)}
    found = store.findings(connection, community.community)
    views = []
    for device in community.devices:
        health = known.get(device.id)
        seen = health.last_seen if health is not None else None
        about = [one for one in found if one.device == device.id or one.meter in device.feeds.values()]
        state_now = state(health, now)
        sleeps = health is not None and state_now == "silent" and asleep(community, device, health, now)
        views.append(DeviceView(device, health, state_now, sleeps, now - seen if seen else None, about))
    return views


def said(finding: Finding, zone: ZoneInfo) -> str:
    """Say a finding in a sentence."""
    subject = finding.meter or finding.device or ""
    return sentences.sentence(finding.code, subject, finding.since, finding.until, finding.facts, zone)
