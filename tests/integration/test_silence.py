"""Devices that fall silent: who is told, how often, and what sleeps rightly."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest

from core.community import Community
from core.db.connection import Connection, connect
from core.settings import Settings
from settlement import jobs
from settlement.watch import silence
from tests.support import watchtown as town
from tests.support.watchtown import NOW

# The notification library imports a module of the standard library that is on its way out, on Python 3.11 and 3.12.
pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")

SLUG = "de-ster"
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
DEVICES = ("roof", "p1-A01", "p1-A02", "p1-A03", "level")


@pytest.fixture
def connection(database_url: str) -> Iterator[Connection]:
    with connect(database_url, autocommit=True) as opened:
        yield opened


@pytest.fixture
def community(connection: Connection) -> Community:
    community = town.make(connection)
    for device in DEVICES:
        connection.execute(
            "INSERT INTO device_health (community, device, kind, silent_after, feeds_settlement, watched_since)"
            " VALUES (%s, %s, 'any', '1 hour', %s, %s)",
            (SLUG, device, device != "level", NOW - 30 * HOUR),
        )
    return community


def heard(connection: Connection, at: datetime, *devices: str) -> None:
    connection.execute("UPDATE device_health SET last_seen = %s WHERE device = ANY(%s)", (at, list(devices or DEVICES)))


def check(connection: Connection, community: Community, now: datetime) -> list[tuple[str, str]]:
    return [(alert.kind, alert.text) for alert in silence.check(connection, community, "https://x", now)]


def mails(connection: Connection) -> list[tuple[str | None, str]]:
    return connection.execute("SELECT person, subject FROM message ORDER BY id").fetchall()


def test_a_silence_is_told_once_and_its_end_once(connection: Connection, community: Community) -> None:
    heard(connection, NOW)
    assert check(connection, community, NOW + HOUR) == []
    heard(connection, NOW + HOUR, "roof", "p1-A02", "p1-A03", "level")
    late = NOW + HOUR + MINUTE
    assert check(connection, community, late) == [("device-silent", "Devices have fallen silent: p1-A01")]
    assert check(connection, community, late + MINUTE) == []
    heard(connection, late + 2 * MINUTE, "p1-A01")
    assert check(connection, community, late + 3 * MINUTE) == [("device-back", "Devices are heard again: p1-A01")]
    assert check(connection, community, late + 4 * MINUTE) == []
    heard(connection, late + 2 * HOUR, "roof", "p1-A02", "p1-A03", "level")
    assert check(connection, community, late + 2 * HOUR) == [("device-silent", "Devices have fallen silent: p1-A01")]
    assert len(mails(connection)) == 3


def test_operators_are_written_to_in_their_language_and_else_the_service(
    connection: Connection, community: Community
) -> None:
    connection.execute(
        "INSERT INTO person (community, id, email, language, roles) VALUES"
        " (%(c)s, 'o1', 'o1@example.org', 'nl', '{operator}'), (%(c)s, 'r1', 'r1@example.org', 'nl', '{resident}')",
        {"c": SLUG},
    )
    heard(connection, NOW)
    heard(connection, NOW - 2 * HOUR, "p1-A01", "p1-A02")
    check(connection, community, NOW)
    assert mails(connection) == [("o1", "Apparaten zwijgen")]
    ((body,),) = connection.execute("SELECT body FROM message").fetchall()
    assert "We horen 2 apparaten niet meer" in body
    assert "p1-A01, laatst gehoord op 13 mei 12:00" in body


def test_a_device_that_decides_nothing_is_nobodys_alarm(connection: Connection, community: Community) -> None:
    heard(connection, NOW)
    heard(connection, NOW - 9 * HOUR, "level")
    assert check(connection, community, NOW) == []


def test_a_device_that_never_spoke_is_told_of_too(connection: Connection, community: Community) -> None:
    heard(connection, NOW, "roof", "p1-A01", "p1-A02", "level")
    assert check(connection, community, NOW) == [("device-silent", "Devices have fallen silent: p1-A03")]
    ((body,),) = connection.execute("SELECT body FROM message").fetchall()
    assert "p1-A03, never heard" in body


def test_an_inverter_sleeps_at_night_and_is_missed_by_day(connection: Connection, community: Community) -> None:
    evening = datetime.fromisoformat("2026-05-13T18:30:00+00:00")
    heard(connection, evening)
    told = []
    for hours in range(1, 17):
        now = evening + hours * HOUR
        heard(connection, now, "p1-A01", "p1-A02", "p1-A03", "level")
        told += [(now, text) for _, text in check(connection, community, now)]
    ((first, text),) = told
    assert text == "Devices have fallen silent: roof"
    assert 6 <= first.hour <= 8  # the sun rises at 3:46 UTC, and has to be well up for an hour


def test_all_silent_is_one_fault_and_every_device_gets_its_time_anew(
    connection: Connection, community: Community
) -> None:
    heard(connection, NOW - 2 * HOUR)
    assert check(connection, community, NOW) == [("device-silent", "No readings come in any more")]
    assert check(connection, community, NOW + MINUTE) == []
    heard(connection, NOW + 2 * MINUTE, "p1-A02")
    assert check(connection, community, NOW + 3 * MINUTE) == [("device-back", "Readings come in again")]
    assert check(connection, community, NOW + 4 * MINUTE) == []
    heard(connection, NOW + HOUR, "p1-A02", "p1-A03", "roof")
    late = NOW + HOUR + 4 * MINUTE
    assert check(connection, community, late) == [("device-silent", "Devices have fallen silent: p1-A01")]
    ((body,),) = connection.execute("SELECT body FROM message ORDER BY id LIMIT 1").fetchall()
    assert "No device has been heard since 13 May 12:00." in body


def test_all_falling_silent_is_told_once_though_some_may_be_silent_longer_than_others(
    connection: Connection, community: Community
) -> None:
    connection.execute("UPDATE device_health SET silent_after = '15 minutes' WHERE device IN ('roof', 'p1-A01')")
    connection.execute("UPDATE device_health SET silent_after = '18 hours' WHERE device = 'p1-A03'")
    heard(connection, NOW - 3 * HOUR)
    told = [check(connection, community, NOW - 3 * HOUR + 5 * minutes * MINUTE) for minutes in range(36)]
    assert [texts for texts in told if texts] == [[("device-silent", "No readings come in any more")]]
    assert told.index([("device-silent", "No readings come in any more")]) == 25  # five minutes after two hours


def test_one_device_is_told_of_in_its_own_time_while_others_are_heard(
    connection: Connection, community: Community
) -> None:
    connection.execute("UPDATE device_health SET silent_after = '15 minutes' WHERE device = 'p1-A01'")
    heard(connection, NOW)
    heard(connection, NOW + 10 * MINUTE, "p1-A02")
    assert check(connection, community, NOW + 16 * MINUTE) == [("device-silent", "Devices have fallen silent: p1-A01")]


def test_at_night_meters_alone_can_say_that_nothing_comes_in(connection: Connection, community: Community) -> None:
    night = datetime.fromisoformat("2026-05-13T23:30:00+00:00")
    heard(connection, night - 2 * HOUR)
    heard(connection, night - 5 * HOUR, "roof")
    assert check(connection, community, night) == [("device-silent", "No readings come in any more")]


def test_a_device_no_collector_has_introduced_is_not_waited_for(connection: Connection, community: Community) -> None:
    heard(connection, NOW)
    connection.execute("DELETE FROM device_health WHERE device = 'p1-A01'")
    connection.execute("UPDATE device_health SET silent_after = NULL, last_seen = NULL WHERE device = 'p1-A02'")
    assert check(connection, community, NOW) == []


def test_the_worker_tells_the_broker_what_fell_silent(
    connection: Connection, community: Community, database_url: str
) -> None:
    told: list[tuple[str, str]] = []
    heard(connection, NOW)
    heard(connection, NOW - 2 * HOUR, "p1-A01", "p1-A03")
    work = jobs.Work(database_url, Settings(), SLUG, lambda topic, text: told.append((topic, text)))
    jobs.do(work, "devices", jobs.SCHEDULE["devices"][1], NOW)
    jobs.do(work, "devices", jobs.SCHEDULE["devices"][1], NOW + MINUTE)
    ((topic, text),) = told
    assert topic == "wijkenergie/de-ster/alerts/device-silent"
    assert json.loads(text) == {
        "kind": "device-silent",
        "text": "Devices have fallen silent: p1-A01, p1-A03",
        "time": "2026-05-13T12:00:00Z",
    }
