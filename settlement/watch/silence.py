"""Call for help when a device that settlement needs has been silent for too long: once, and once more when it is back.

Silence of all devices at once is not thirty faults but one: the collector, the broker or the network. Then that is
said instead, and every device gets its time anew once anything is heard again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Final, Literal

from core.community import Community
from core.db.connection import Connection
from core.time import rfc3339
from settlement.tasks import letters, messages
from settlement.tasks.letters import Letter
from settlement.tasks.rounds import Alert
from settlement.tasks.store import reachable
from settlement.watch import store
from settlement.watch.health import Health, awake, overdue, quiet

ALL: Final = ""
"""Stands for all devices in the table of silences."""
SILENT: Final = "device-silent"
BACK: Final = "device-back"
_SURELY: Final = timedelta(hours=2)
"""When nothing at all was heard for so long, no device is waited for any more."""


def check(connection: Connection, community: Community, base_url: str, now: datetime) -> list[Alert]:
    """Tell operators of devices that fell silent and of those that are back, all in one transaction.

    Returns
    -------
    list of Alert
        At most one of each kind, ``device-silent`` and ``device-back``; its text names the devices.
    """
    slug, link = community.community, f"{base_url}/devices"
    with connection.transaction():
        known = {health.device: health for health in store.health(connection, slug)}
        told, all_heard = store.silences(connection, slug)
        able = awake(community, known, now)
        needed = [health for health in able if health.feeds_settlement]
        if ALL in told:
            if not any(_heard_since(health, told[ALL]) for health in able):
                return []
            store.end_silence(connection, slug, ALL, now)
            write = partial(letters.collector_back, community.name, link)
            return [_tell(connection, community, BACK, "", write, now)]
        nothing = _nothing_heard(able, now, all_heard)
        if nothing == "surely" and needed:
            store.tell_silence(connection, slug, ALL, now)
            last = max((health.last_seen for health in able if health.last_seen is not None), default=None)
            write = partial(letters.collector_silent, community.name, _local(last, community), link)
            return [_tell(connection, community, SILENT, "", write, now)]
        silent = [one for one in needed if one.device not in told and overdue(one, now, all_heard) and not nothing]
        back = [one for one in known.values() if one.device in told and _heard_since(one, told[one.device])]
        gone = set(told) - {device.id for device in community.devices}
        for device in [*gone, *(one.device for one in back)]:
            store.end_silence(connection, slug, device, now)
        for one in silent:
            store.tell_silence(connection, slug, one.device, now)
        alerts = []
        if silent:
            entries = [(one.device, _local(one.last_seen, community)) for one in silent]
            write = partial(letters.devices_silent, community.name, entries, link)
            alerts.append(_tell(connection, community, SILENT, _names(silent), write, now))
        if back:
            write = partial(letters.devices_back, community.name, [one.device for one in back], link)
            alerts.append(_tell(connection, community, BACK, _names(back), write, now))
        return alerts


def _nothing_heard(
    able: Sequence[Health], now: datetime, since: datetime | None
) -> Literal["perhaps", "surely"] | None:
    """Whether no device at all is heard any more: surely when all are overdue, or for two hours.

    Before that, "perhaps": as long as the next word of a device that speaks seldom can tell the one from the other.
    """
    limits = [health.silent_after for health in able if health.silent_after is not None]
    if len(limits) < 2:  # noqa: PLR2004 - where there is but one, its silence says nothing about the others
        return None
    shortest = min(quiet(health, now, since) for health in able)
    if all(overdue(health, now, since) for health in able) or shortest > _SURELY:
        return "surely"
    return "perhaps" if shortest > min(limits) else None


def _tell(
    connection: Connection, community: Community, kind: str, about: str, write: Callable[[str], Letter], now: datetime
) -> Alert:
    """Write to every operator, or to the addresses of the service where there is none."""
    slug = community.community
    key = f"{kind} {about or 'all'} {rfc3339(now)}"
    operators = reachable(connection, slug, "operator")
    for person in operators:
        letter = write(person.language)
        messages.enqueue(connection, slug, key=key, person=person.id, kind="note", letter=letter, now=now)
    letter = write(community.language)
    if not operators:
        messages.enqueue(connection, slug, key=key, person=None, kind="note", letter=letter, now=now)
    return Alert(kind, now, f"{letter.subject}: {about}" if about else letter.subject)


def _heard_since(health: Health, moment: datetime) -> bool:
    return health.last_seen is not None and health.last_seen > moment


def _names(devices: Sequence[Health]) -> str:
    return ", ".join(one.device for one in devices)


def _local(moment: datetime | None, community: Community) -> datetime | None:
    return None if moment is None else moment.astimezone(community.zone)
