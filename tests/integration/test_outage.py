"""The database goes away, hangs or falls silent while devices go on: nothing acknowledged is lost, nothing doubled."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from collector.collector import Collector
from collector.delivery import Delivery, Health
from collector.envelope import unpack
from collector.spool import Spool
from collector.store import Store
from core.db.connection import connect
from core.db.migrate import migrate
from core.db.server import Server, start
from core.errors import Unavailable
from core.time import rfc3339
from tests.support.broker import Broker
from tests.support.collecting import (
    KAMHEAT,
    LETTERS,
    NOW,
    READINGS,
    ROOT,
    SERVICE,
    SPOOL_BYTES,
    apply_small,
    collecting,
    native,
    publisher,
    rows,
    service,
    small,
    until,
    watching,
)
from tests.support.postgres import quick_folder
from tests.support.proxy import Proxy

TOPIC = "wijkenergie/small/el-A01"


class Database:
    """A server of the test's own that can be stopped and started again."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._server: Server | None = start(folder, durable=False)
        self.url, self.home = self._server.url, self._server.home

    def stop(self) -> None:
        if self._server is not None:
            self._server.stop()
            self._server = None

    def start(self) -> None:
        self._server = start(self._folder, durable=False)


@pytest.fixture
def database() -> Iterator[Database]:
    folder = Path(tempfile.mkdtemp(prefix="wijkenergie-", dir=quick_folder()))
    folder.chmod(0o711)  # as `temporary` does: the server's account may pass through
    server = Database(folder)
    try:
        migrate(server.url)
        apply_small(server.url)
        yield server
    finally:
        server.stop()
        shutil.rmtree(server.home)
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def network(database_url: str) -> Iterator[Proxy]:
    """Give a breakable network to the database, with its `url`."""
    with connect(database_url) as connection:
        info = connection.info
        target = f"{info.host}/.s.PGSQL.{info.port}" if info.host.startswith("/") else (info.host, info.port)
    with Proxy(target) as proxy:
        yield proxy


def through(network: Proxy, database_url: str) -> str:
    """Address of a database at the end of a breakable network."""
    parts = urlsplit(database_url)
    user = parts.netloc.rpartition("@")[0]
    return f"postgresql://{user}@{network.host}:{network.port}{parts.path}?sslmode=disable&gssencmode=disable"


def stored(*indices: int) -> list[tuple[str, object, Decimal]]:
    return [("el-A01", NOW + timedelta(minutes=index), Decimal(f"{1000 + index}.125")) for index in indices]


def spooled(broker: Broker) -> int:
    """Records in the spool of the service beside the broker, also those that are in the database already."""
    files = list((broker.folder / "data" / "spool" / "small").glob("*-*"))
    pieces = [piece for path in files for piece in unpack(path.read_bytes(), bytes.fromhex(path.name[-8:]))]
    return sum(piece.content is not None for piece in pieces)


def test_messages_are_acknowledged_from_the_disk_while_the_database_is_stopped(database, broker):
    with service(database.url, broker) as process, watching(broker) as states, publisher(broker) as publish:
        until(lambda: states[-1:] == ["online"], 30)
        publish(TOPIC, native(0))
        until(lambda: len(rows(database.url, READINGS)) == 1)
        database.stop()
        for index in range(1, 101):
            publish(TOPIC, native(index))
        until(lambda: spooled(broker) == 100)
        process.terminate()
        assert process.wait(10) == 0
    broker.kill()
    (broker.folder / "mosquitto.db").unlink()  # so that only the spool can have them
    broker.start()
    database.start()
    with service(database.url, broker):
        until(lambda: len(rows(database.url, READINGS)) == 101, 30)
        until(lambda: spooled(broker) == 0)
    assert rows(database.url, READINGS) == stored(*range(101))
    assert rows(database.url, LETTERS) == rows(database.url, "SELECT 1 FROM reading_conflict") == []


def test_a_collector_killed_in_an_outage_starts_without_the_database_and_goes_on_spooling(database, broker):
    with publisher(broker) as publish, watching(broker) as states:
        with service(database.url, broker) as process:
            until(lambda: states[-1:] == ["online"], 30)
            database.stop()
            for index in range(50):
                publish(TOPIC, native(index))
            until(lambda: spooled(broker) > 10)
            process.kill()
            process.wait()
        until(lambda: states[-1:] == ["offline"])
        with service(database.url, broker):
            until(lambda: states[-1:] == ["online"], 30)
            for index in range(50, 100):
                publish(TOPIC, native(index))
            until(lambda: spooled(broker) >= 100)
            database.start()
            until(lambda: len(rows(database.url, READINGS)) == 100, 30)
            until(lambda: spooled(broker) == 0)
    assert rows(database.url, READINGS) == stored(*range(100))


def test_a_database_that_goes_deaf_in_the_middle_of_a_copy_stops_no_acknowledgement(database_url, broker, network):
    many = [native(index) for index in range(3000)]
    with (
        collecting(small(), through(network, database_url), broker.url) as collector,
        publisher(broker) as publish,
    ):
        spool = collector.writer._spool
        publish(TOPIC, native(3000))
        until(lambda: len(rows(database_url, READINGS)) == 1)
        network.after(50_000, network.deaf)
        publish(TOPIC, many)
        until(lambda: spool.waiting == 1)
        publish(TOPIC, native(3001))
        until(lambda: spool.waiting == 2)
        assert not network.armed
        assert len(rows(database_url, READINGS)) == 1
        network.cut()
        network.hear()
        until(lambda: spool.waiting == 0, 60)
        publish(TOPIC, native(3002))
        until(lambda: len(rows(database_url, READINGS)) == 3003)
        assert spool.waiting == 0
    assert rows(database_url, READINGS) == stored(*range(3003))
    assert rows(database_url, LETTERS) == rows(database_url, "SELECT 1 FROM reading_conflict") == []


def test_a_commit_nobody_heard_of_is_not_stored_twice(database_url, broker, network):
    with (
        collecting(small(), through(network, database_url), broker.url) as collector,
        publisher(broker) as publish,
    ):
        publish(TOPIC, native(0))
        until(lambda: len(rows(database_url, READINGS)) == 1)
        network.mute()
        publish(TOPIC, native(1))
        until(lambda: collector.writer._spool.waiting == 1)
        network.cut()
        network.hear()
        until(lambda: collector.writer._spool.waiting == 0, 60)
    assert rows(database_url, READINGS) == stored(0, 1)


def test_a_collector_told_to_stop_while_the_database_is_deaf_is_gone_in_time_and_keeps_everything(
    database_url, broker, network, tmp_path
):
    """Deaf from the start, where the connection itself takes forever; `test_writer` has the one in the middle."""
    with closing(Spool(tmp_path / "spool", SPOOL_BYTES)) as spool, publisher(broker) as publish:
        collector = Collector(small(), through(network, database_url), broker.url, spool)
        collector.start()
        assert collector.wait_connected(10)
        network.deaf()
        publish(TOPIC, native(0))
        time.sleep(0.5)
        began = time.monotonic()
        collector.stop()
        assert time.monotonic() - began < 4
        assert spool.waiting == 1


def test_a_changed_community_takes_over_what_was_spooled_before(database_url, broker, network, tmp_path):
    url = through(network, database_url)
    with closing(Spool(tmp_path / "spool", SPOOL_BYTES)) as spool:
        with running(small(), url, broker, spool), publisher(broker) as publish:
            network.stop()
            publish(TOPIC, native(0))
            until(lambda: spool.waiting == 1)
        network.start()
        with running(small(), url, broker, spool):
            until(lambda: spool.waiting == 0)
    assert rows(database_url, READINGS) == stored(0)


def test_the_service_outlives_an_outage_and_then_takes_a_changed_community_over(database, broker):
    quick = "import collector.service; collector.service._LOOK_SECONDS = 0.1;" + SERVICE
    device = 'devices: [{id: h, profile: wmbusmeters.kamheat, link: "mqtt:w/h", feeds: {energy: heat-A01}}]'
    with service(database.url, broker, quick) as process, watching(broker) as states, publisher(broker) as publish:
        until(lambda: states[-1:] == ["online"], 30)
        database.stop()
        publish(TOPIC, native(0))
        until(lambda: spooled(broker) == 1)
        assert process.poll() is None
        database.start()
        apply_small(database.url, device)
        until(lambda: states[-2:] == ["offline", "online"], 30)
        publish("w/h", {**KAMHEAT, "timestamp": rfc3339(NOW), "total_energy_consumption_kwh": 12.5})
        until(lambda: len(rows(database.url, READINGS)) == 2)
    assert rows(database.url, READINGS) == [*stored(0), ("heat-A01", NOW, Decimal("12.5"))]


@contextmanager
def running(community, url: str, broker: Broker, spool: Spool) -> Iterator[Collector]:
    collector = Collector(community, url, broker.url, spool)
    collector.start()
    try:
        assert collector.wait_connected(10)
        yield collector
    finally:
        collector.stop()


def collect(folder: Path, database_url: str, broker: Broker) -> subprocess.Popen[str]:
    """Start the command line's collector without a community file."""
    environment = os.environ | {
        "WIJKENERGIE_DATABASE_URL": database_url,
        "WIJKENERGIE_MQTT_URL": broker.url,
        "WIJKENERGIE_DATA_DIR": str(folder),
        "WIJKENERGIE_METRICS_LISTEN": "127.0.0.1:0",
        "WIJKENERGIE_SPOOL_MB": "10",
    }
    command = [sys.executable, "-m", "wijkenergie", "collect"]
    return subprocess.Popen(command, cwd=ROOT, env=environment, text=True, stderr=subprocess.PIPE)


def test_the_first_start_ever_needs_the_database_and_later_ones_do_not(database_url, broker, network, tmp_path):
    apply_small(database_url)
    url = through(network, database_url)
    network.stop()
    first = collect(tmp_path, url, broker)
    _, said = first.communicate(timeout=30)
    assert first.returncode == 3
    assert said.count("\n") == 1
    assert "cannot be reached" in said
    with watching(broker) as states, publisher(broker) as publish:
        network.start()
        once = collect(tmp_path, url, broker)
        until(lambda: states[-1:] == ["online"], 30)
        once.terminate()
        _, said = once.communicate(timeout=10)
        assert once.returncode == 0, said
        network.stop()
        later = collect(tmp_path, url, broker)
        until(lambda: states[-1:] == ["online"], 30)
        publish(TOPIC, native(0))
        until(lambda: list((tmp_path / "spool" / "small").glob("*-*")))
        network.start()
        until(lambda: rows(database_url, READINGS))
        later.terminate()
        _, said = later.communicate(timeout=10)
        assert later.returncode == 0
        assert "starting without the database" in said
    assert rows(database_url, READINGS) == stored(0)


def test_the_health_of_a_device_does_not_go_back_when_old_deliveries_come_after_new_ones(database_url):
    def heard(minutes: int, *, error: str | None) -> Delivery:
        note = Health("roof", heard=error is None, error=error)
        return Delivery(NOW + timedelta(minutes=minutes), "roof", health=(note,))

    store = Store(database_url, "small")
    for deliveries in (
        [heard(10, error=None)],
        [heard(1, error=None), heard(2, error="no answer")],
        [heard(11, error="odd")],
    ):
        store.write(deliveries, 5)
    store.close()
    found = rows(database_url, "SELECT last_seen, last_try, last_error, errors FROM device_health")
    assert found == [(NOW + timedelta(minutes=10), NOW + timedelta(minutes=11), "odd", 2)]
    store.write([heard(5, error=None)], 5)
    store.close()
    assert rows(database_url, "SELECT last_error FROM device_health") == [("odd",)]


def test_a_database_that_takes_too_long_is_given_up_in_words_and_the_next_try_works(database_url):
    store = Store(database_url, "small")
    note = Delivery(NOW, "roof", health=(Health("roof", heard=True, error=None),))
    with connect(database_url, autocommit=False) as blocker:
        blocker.execute("LOCK TABLE device_health")
        with pytest.raises(Unavailable, match=r"did not store: no answer within 0\.3 s\.$"):
            store.write([note], 0.3)
    store.write([note], 5)
    store.close()
    assert len(rows(database_url, "SELECT 1 FROM device_health")) == 1
