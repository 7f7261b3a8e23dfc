"""How each device is doing, in one word, by what the collector wrote of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal

from core.community import Community, Device
from settlement.watch.sunlight import is_day

State = Literal["ok", "silent", "error", "never"]
_LOOK_BACK: Final = timedelta(hours=2)
"""By day a solar device is judged once the sun has been up so long at the most, also where it may be silent longer."""


@dataclass(frozen=True)
class Health:
    """What the collector knows of a device; ``silent_after`` is None until one has started that introduces it.

    ``serial`` is the newest serial number it gave.
    """

    device: str
    kind: str | None
    last_seen: datetime | None
    last_try: datetime | None
    last_error: str | None
    errors: int
    readings: int
    silent_after: timedelta | None
    feeds_settlement: bool
    watched_since: datetime | None
    serial: str | None


def state(health: Health | None, now: datetime) -> State:
    """Say how a device is doing: never heard, silent for longer than it may be, heard with an error, or well."""
    if health is None or health.last_seen is None:
        return "never"
    if health.silent_after is not None and now - health.last_seen > health.silent_after:
        return "silent"
    return "error" if health.last_error is not None else "ok"


def overdue(health: Health, now: datetime, since: datetime | None = None) -> bool:
    """Whether a device that is watched has been silent for too long, reckoned from ``since`` at the earliest."""
    return health.silent_after is not None and quiet(health, now, since) > health.silent_after


def quiet(health: Health, now: datetime, since: datetime | None = None) -> timedelta:
    """How long nothing was heard of a device since it is watched, reckoned from ``since`` at the earliest."""
    moments = [moment for moment in (health.last_seen, health.watched_since, since) if moment is not None]
    return now - max(moments, default=now)


def asleep(community: Community, device: Device, health: Health, now: datetime) -> bool:
    """Whether a device may rightly be silent now: one that feeds solar meters only sleeps while the sun is low.

    It counts as awake when it is day now and was day all the time it may be silent (two hours of it are enough).
    """
    solar = {meter.id for meter in community.meters_of("solar_generation")}
    if not device.feeds or not set(device.feeds.values()) <= solar:
        return False
    back = min(health.silent_after or _LOOK_BACK, _LOOK_BACK)
    return not (is_day(community, now) and is_day(community, now - back))


def awake(community: Community, known: Mapping[str, Health], now: datetime) -> list[Health]:
    """Return the devices that could be heard now, as the community file lists them and a collector knows them."""
    return [
        known[device.id]
        for device in community.devices
        if device.id in known
        and known[device.id].silent_after is not None
        and not asleep(community, device, known[device.id], now)
    ]
