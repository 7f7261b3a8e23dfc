"""What the collector writes of its devices, for whoever watches over them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal

import pytest

from collector.delivery import Delivery, Health
from collector.intake import Intake
from collector.raw import Message
from collector.store import Store
from collector.watched import watched
from core.community import Community
from core.db.connection import Connection, connect
from core.time import rfc3339
from tests.support import watchtown as town
from tests.support.broker import Broker
from tests.support.collecting import collecting, publisher, until
from tests.support.watchtown import NOW

SLUG = "de-ster"
MINUTE = timedelta(minutes=1)
HEALTH = "SELECT device, last_seen IS NULL, silent_after, feeds_settlement, watched_since FROM device_health ORDER BY 1"
CLOCK = "SELECT clock_said, clock_wrong_since FROM device_health WHERE device = 'p1-A01'"


@pytest.fixture
def connection(database_url: str) -> Iterator[Connection]:
    with connect(database_url, autocommit=True) as opened:
        yield opened


@pytest.fixture
def community(connection: Connection) -> Community:
    return town.make(connection)


@pytest.fixture
def store(database_url: str, community: Community) -> Iterator[Store]:
    intakes = [Intake(device, community) for device in community.devices]
    made = Store(database_url, SLUG, [watched(one.device, one.profile, community) for one in intakes])
    yield made
    made.close()


def telegram(said: str) -> bytes:
    return json.dumps({"timestamp": said, "electricity_delivered_1": "1.5", "electricity_delivered_2": "2.25"}).encode()


def test_every_device_is_known_from_the_start_even_one_that_never_speaks(
    connection: Connection, community: Community, broker: Broker, database_url: str
) -> None:
    with collecting(community, database_url, broker.url), publisher(broker) as publish:
        rows = connection.execute(HEALTH).fetchall()
        assert {row[0] for row in rows} == {device.id for device in community.devices}
        assert {row[0] for row in rows if not row[3]} == {"level"}
        assert all(row[2] >= timedelta(minutes=15) and row[4] is not None for row in rows)
        publish("flats/A01/dsmr/json", telegram(rfc3339(NOW)))
        until(lambda: connection.execute("SELECT value FROM reading").fetchall() == [(Decimal("3.75"),)])
        silent = {row[0] for row in connection.execute(HEALTH).fetchall() if row[1]}
        assert "p1-A01" not in silent
        assert {"p1-A02", "level"} <= silent


def test_a_device_nobody_asked_for_long_gets_its_time_anew_and_others_do_not(
    connection: Connection, store: Store
) -> None:
    store.introduce(NOW, 5)
    connection.execute("UPDATE device_health SET last_try = %s WHERE device = 'roof'", (NOW + 300 * MINUTE,))
    seen = store.introduce(NOW + 301 * MINUTE, 5)
    began = dict(connection.execute("SELECT device, watched_since FROM device_health").fetchall())
    assert began["roof"] == NOW
    assert began["p1-A01"] == seen["p1-A01"] == NOW + 301 * MINUTE


def test_devices_are_introduced_with_the_first_thing_stored_where_that_was_not_possible_before(
    connection: Connection, store: Store
) -> None:
    store.write([Delivery(NOW, "roof", health=(Health("roof", heard=False, error="no answer"),))], 5)
    rows = {row[0]: row for row in connection.execute(HEALTH).fetchall()}
    assert len(rows) == 5
    assert rows["roof"][2] == timedelta(hours=1)


def test_a_wrong_clock_is_noted_until_it_is_right(connection: Connection, community: Community, store: Store) -> None:
    intake = Intake(community.devices[1], community)

    def say(said: str, at: int) -> None:
        message = Message("flats/A01/dsmr/json", telegram(said), NOW + at * MINUTE)
        store.write([intake.from_message(message, NOW + at * MINUTE)], 5)

    say("2036-01-01T00:00:00Z", 0)
    say("1970-01-01T00:00:07Z", 5)
    ((said, since),) = connection.execute(CLOCK).fetchall()
    assert (rfc3339(said), since) == ("1970-01-01T00:00:07Z", NOW)
    assert connection.execute("SELECT count(*) FROM dead_letter").fetchone() == (2,)
    assert connection.execute("SELECT count(*) FROM reading").fetchone() == (0,)
    say(rfc3339(NOW + 10 * MINUTE), 10)
    assert connection.execute(CLOCK).fetchall() == [(None, None)]
    say("2036-01-01T00:00:00Z", 9)  # stored late; what was heard after it counts
    assert connection.execute(CLOCK).fetchall() == [(None, None)]
