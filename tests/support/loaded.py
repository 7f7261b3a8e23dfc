"""A collector under load: a community of a few meters, what was published for it, and what was stored."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from collector.collector import Collector, Share
from collector.sources.broker import Broker as Address
from collector.spool import Spool
from core.communityfile import parse
from core.db.connection import connect
from tests.support import mqttload
from tests.support.broker import Broker
from tests.support.collecting import SPOOL_BYTES
from tests.support.mqttload import Load

METERS = 5
COMMUNITY = f"""
community: bench
name: Bench
timezone: Europe/Amsterdam
owner: owner
flats: [{{id: A01, floor_area_m2: "50"}}]
households: [{{id: h-001, flat: A01, from: 2015-01-01}}]
meters:
{chr(10).join(f"  - {{id: m-{meter:02d}, measures: electricity, flat: A01, unit: kWh}}" for meter in range(METERS))}
sharing: [{{from: 2015-01-01, key: proportional}}]
tariffs: [{{from: 2015-01-01, solar_eur_per_kwh: "0.18", vat_percent: {{electricity: "21"}}}}]
"""


@contextmanager
def collecting(database_url: str, broker: Broker | Address, share: str | None = None) -> Iterator[Collector]:
    address = broker.url if isinstance(broker, Broker) else broker
    member = None if share is None else Share(share)
    with TemporaryDirectory() as folder, closing(Spool(Path(folder), SPOOL_BYTES)) as spool:
        collector = Collector(parse(COMMUNITY).community, database_url, address, spool, share=member)
        collector.start()
        try:
            assert collector.wait_connected(10)
            yield collector
        finally:
            collector.stop()


def stored(database_url: str) -> list[tuple[str, str, str]]:
    with connect(database_url) as connection:
        rows = connection.execute("SELECT meter, time, value FROM reading").fetchall()
    return sorted((meter, time.astimezone(UTC).isoformat(), f"{value:f}") for meter, time, value in rows)


def expected(load: Load) -> list[tuple[str, str, str]]:
    found = []
    for index in range(load.messages):
        second = index // load.meters
        at = datetime.fromisoformat(mqttload.time_text(second)).isoformat()
        found.append((load.topic(index).rpartition("/")[2], at, f"{1000 + second}.125"))
    return sorted(found)


def until(condition: Callable[[], object], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)


def publish(load: Load, broker: Broker) -> None:
    assert mqttload.publish(load, broker.host, broker.port)["acknowledged"] == load.messages
