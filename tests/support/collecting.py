"""The collector in tests: in this process or in one of its own, somebody who publishes, and what arrived."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from collector.collector import Collector
from collector.spool import Spool
from core.community import Community
from core.communityfile import parse
from core.db import config
from core.db.connection import connect
from core.time import rfc3339, utc_now
from tests.support.broker import Broker

ROOT = Path(__file__).parents[2]
SPOOL_BYTES = 10_000_000
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
BASE = """
community: small
name: Small
timezone: Europe/Amsterdam
owner: owner
flats: [{id: A01, floor_area_m2: "50"}]
households: [{id: h-001, flat: A01, from: 2025-01-01}]
meters:
  - {id: el-A01, measures: electricity, flat: A01, unit: kWh}
  - {id: heat-A01, measures: heat, flat: A01, unit: kWh}
  - {id: pv, measures: solar_generation, unit: Wh}
  - {id: silo, measures: pellet_stock, unit: kg}
sharing: [{from: 2025-01-01, key: proportional}]
tariffs: [{from: 2025-01-01, solar_eur_per_kwh: "0.18", vat_percent: {electricity: "21"}}]
"""


def small(devices: str = "") -> Community:
    """Return a community of one flat, with some devices."""
    return parse(BASE + (f"devices:\n{devices}" if devices else "")).community


@contextmanager
def collecting(community: Community, database_url: str, broker_url: str) -> Iterator[Collector]:
    """Run the collector in this process, with a spool of its own."""
    with TemporaryDirectory() as folder, closing(Spool(Path(folder), SPOOL_BYTES)) as spool:
        collector = Collector(community, database_url, broker_url, spool)
        collector.start()
        try:
            assert collector.wait_connected(10)
            yield collector
        finally:
            collector.stop()


@contextmanager
def publisher(broker: Broker) -> Iterator[Callable[..., None]]:
    """Publish with QoS 1 and wait until the broker has it."""
    client = paho.Client(CallbackAPIVersion.VERSION2, client_id="tests")
    client.connect(broker.host, broker.port)
    client.loop_start()

    def publish(topic: str, payload: object, *, retain: bool = False) -> None:
        content = payload if isinstance(payload, (str, bytes)) else json.dumps(payload)
        info = client.publish(topic, content, qos=1, retain=retain)
        info.wait_for_publish(10)
        assert info.is_published()

    try:
        yield publish
    finally:
        client.disconnect()
        client.loop_stop()


def rows(database_url: str, query: str) -> list[tuple[Any, ...]]:
    """Return what a query finds."""
    with connect(database_url) as connection:
        return connection.execute(query).fetchall()


def until(condition: Callable[[], object], seconds: float = 15) -> None:
    """Wait until something is so."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)


def native(index: int, value: str | None = None) -> dict[str, str]:
    """Return a native reading, ``index`` minutes after noon."""
    return {"time": rfc3339(NOW + timedelta(minutes=index)), "value": value or f"{1000 + index}.125"}


KAMHEAT = {"meter": "kamheat", "media": "heat"}
"""How wmbusmeters names a Kamstrup heat meter; its profile believes no other."""
READINGS = "SELECT meter, time, value FROM reading ORDER BY 1, 2"
LETTERS = "SELECT source, payload, reason FROM dead_letter ORDER BY id"


SERVICE = (
    "import sys; from pathlib import Path; from collector.service import run;"
    f"database, broker, data = sys.argv[1:]; run(database, broker, 'small', None, Path(data), {SPOOL_BYTES})"
)


@contextmanager
def service(database_url: str, broker: Broker, program: str = SERVICE) -> Iterator[subprocess.Popen[bytes]]:
    """Run the collector as a process of its own, as ``wijkenergie collect`` does; its data is beside the broker's."""
    data = broker.folder / "data"
    process = subprocess.Popen([sys.executable, "-c", program, database_url, broker.url, data], cwd=ROOT)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def apply_small(database_url: str, devices: str = "") -> None:
    """Let the database know `small`."""
    with connect(database_url) as connection:
        config.apply(connection, parse(BASE + devices), utc_now(), "tests")


@contextmanager
def watching(broker: Broker) -> Iterator[list[str]]:
    """Follow the state the service publishes."""
    states: list[str] = []
    client = paho.Client(CallbackAPIVersion.VERSION2, client_id="watch")
    client.on_message = lambda _client, _data, message: states.append(json.loads(message.payload)["state"])
    client.connect(broker.host, broker.port)
    client.subscribe("wijkenergie/small/status", qos=1)
    client.loop_start()
    try:
        yield states
    finally:
        client.disconnect()
        client.loop_stop()
