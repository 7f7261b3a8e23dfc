"""Database, broker, collector and publisher as processes of their own, with networks between them that can be broken.

    publisher ──► broker ◄── network ──► collector ◄── network ──► PostgreSQL

Only the networks on both sides of the collector can fail: what the publisher knows to be acknowledged is exact.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import paho.mqtt.client as paho
import psycopg
from paho.mqtt.enums import CallbackAPIVersion

from collector.service import spools
from core.communityfile import parse
from core.db import config
from core.db.connection import connect
from core.db.server import Server
from core.errors import Unavailable
from core.time import utc_now
from tests.crash.account import Account, Key, Row
from tests.crash.publisher import COMMUNITY, METERS, meter_id
from tests.support.broker import Broker, free_port
from tests.support.proxy import Proxy

ROOT = Path(__file__).parents[2]
SERVICE = """
import sys
from pathlib import Path
from collector.service import run
from core.errors import WijkError

database, broker, community, data, size, metrics = sys.argv[1:]
try:
    run(database, broker, community, metrics, Path(data), int(size))
except WijkError as error:
    sys.exit(str(error))
"""
PROBE = "probe"
"""A meter of our own, whose two readings mark the beginning and the end."""
_KEPT = re.compile(r"(?m)^(?:persistence|autosave_\w+|max_queued_\w+|max_inflight_messages|queue_qos0_messages) .*$")
_BACKENDS = (
    "FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    " AND backend_type = 'client backend'"
)
_PATIENCE = 100.0  # [s] without any progress: longer than every back-off of the collector together
_TAIL = 40


def broker_lines(folder: Path) -> str:
    """Return how the broker keeps messages in the house, from its own configuration there, in a folder of the test."""
    shipped = (ROOT / "deploy" / "broker" / "mosquitto.conf").read_text(encoding="utf-8")
    kept = "\n".join(_KEPT.findall(shipped))
    logged = "log_type error\nlog_type warning\nlog_type notice\n"
    return f"allow_anonymous true\npersistence_location {folder}/\n{kept}\n{logged}"


def community_text() -> str:
    """Return a community with the publisher's meters and our own."""
    meters = "".join(
        f"  - {{id: {name}, measures: electricity, flat: A01, unit: kWh, every: 1s}}\n"
        for name in (*map(meter_id, range(METERS)), PROBE)
    )
    return (
        f"community: {COMMUNITY}\nname: Crash\ntimezone: Europe/Amsterdam\nowner: owner\n"
        'flats: [{id: A01, floor_area_m2: "50"}]\nhouseholds: [{id: h-001, flat: A01, from: 2025-01-01}]\n'
        f"meters:\n{meters}"
        "sharing: [{from: 2025-01-01, key: proportional}]\n"
        'tariffs: [{from: 2025-01-01, solar_eur_per_kwh: "0.18", vat_percent: {electricity: "21"}}]\n'
    )


class Rig:
    """All of it, for one test.

    Parameters
    ----------
    folder
        Where the logs go.
    server, database_url
        A server that keeps what it committed, and a database on it that has the schema.
    broker
        Running.
    """

    def __init__(self, folder: Path, server: Server, database_url: str, broker: Broker) -> None:
        self.folder, self.server, self.database_url, self.broker = folder, server, database_url, broker
        self.to_database = Proxy(str(server.socket_dir / ".s.PGSQL.5432"))
        self.to_broker = Proxy((broker.host, broker.port))
        self.metrics_port = free_port()
        self.data, self.spool_bytes = folder / "data", 100_000_000
        self.collector: subprocess.Popen[bytes] | None = None
        self.restarts = 0
        """How often the collector gave up by itself and was started again, as a service manager does."""
        self.story: list[str] = []
        self._began = time.monotonic()
        self._publisher: subprocess.Popen[bytes] | None = None
        self._server_log_from = self._server_log.stat().st_size
        with connect(database_url) as connection:
            config.apply(connection, parse(community_text()), utc_now(), "tests")

    # -- the collector ---------------------------------------------------------------------------------------------

    def start_collector(self) -> None:
        """Start it, as ``wijkenergie collect`` does."""
        url = f"postgresql://postgres@{self.to_database.host}:{self.to_database.port}"
        url += f"{urlsplit(self.database_url).path}?sslmode=disable&gssencmode=disable"
        broker = f"mqtt://{self.to_broker.host}:{self.to_broker.port}"
        metrics = f"127.0.0.1:{self.metrics_port}"
        with (self.folder / "collector.log").open("ab") as log:
            arguments = [url, broker, COMMUNITY, str(self.data), str(self.spool_bytes), metrics]
            command = _tied([sys.executable, "-c", SERVICE, *arguments])
            self.collector = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log, stdin=subprocess.DEVNULL)

    def collect(self) -> None:
        """Start the collector and wait until it has its session with the broker: from then on nothing may be lost."""

        def arrived() -> bool:
            self.publish(PROBE, '{"time": "2026-01-01T00:00:00Z", "value": "1"}')
            self.wait(0.3)
            return self._probed == 1

        self.start_collector()
        self.until(arrived, "the collector collects")

    def kill_collector(self) -> bool:
        """Kill it, wherever it is; False if it was down."""
        if self.collector is None:
            return False
        self.collector.kill()
        self.collector.wait()
        self.collector = None
        return True

    def tend(self) -> None:
        """Start the collector again if it gave up by itself."""
        if self.collector is not None and self.collector.poll() is not None:
            self.restarts += 1
            self.tell(f"the collector gave up with {self.collector.returncode}; starting it again")
            self.start_collector()

    def wait(self, seconds: float) -> None:
        """Let time go by, and look after the collector meanwhile."""
        until = time.monotonic() + seconds
        while (rest := until - time.monotonic()) > 0:
            self.tend()
            time.sleep(min(rest, 0.1))

    def until(self, condition: Callable[[], object], what: str, seconds: float = 60) -> None:
        """Wait for something that must come."""
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, f"{what}: not within {seconds:.0f} s"
            self.wait(0.05)

    def metric(self, name: str, **labels: str) -> float:
        """Return one of the collector's own figures; 0 while it does not answer or has none."""
        wanted = "{" + ",".join(f'{key}="{value}"' for key, value in labels.items()) + "}" if labels else ""
        with contextlib.suppress(OSError):
            text = urllib.request.urlopen(f"http://127.0.0.1:{self.metrics_port}/metrics", timeout=2).read().decode()
            for line in text.splitlines():
                if line.startswith(f"{name}{wanted} "):
                    return float(line.split()[-1])
        return 0.0

    # -- the database ----------------------------------------------------------------------------------------------

    def kill_backend(self) -> bool:
        """Kill the server process that serves the collector; the whole server starts anew. False if there is none."""
        for (pid,) in self.query(f"SELECT pid {_BACKENDS}"):
            with contextlib.suppress(ProcessLookupError):  # it may have ended just now
                os.kill(pid, signal.SIGKILL)
                return True
        return False

    def terminate_backend(self) -> bool:
        """Let the server throw the collector out; False if it was not connected."""
        return bool(self.query(f"SELECT pg_terminate_backend(pid) {_BACKENDS}"))

    def query(self, statement: str, seconds: float = 60) -> list[Any]:
        """Ask the database directly, however often it starts anew meanwhile."""
        deadline = time.monotonic() + seconds
        while True:
            try:
                with connect(self.database_url) as connection:
                    return connection.execute(statement.encode()).fetchall()
            except (Unavailable, psycopg.OperationalError):
                if time.monotonic() > deadline:
                    raise
                self.wait(0.05)

    def rows(self) -> list[Row]:
        """Everything stored of the publisher's meters."""
        return self.query(f"SELECT meter, time, value FROM reading WHERE meter <> '{PROBE}'")

    # -- the publisher ---------------------------------------------------------------------------------------------

    @property
    def account(self) -> Account:
        """What the publisher knows."""
        return Account.read(self.folder / "account.log")

    def start_publisher(self, seed: int, rate: float) -> None:
        """Start sending, straight to the broker."""
        command = [sys.executable, "-m", "tests.crash.publisher", "--port", str(self.broker.port), "--seed", str(seed)]
        command += ["--rate", str(rate), "--log", str(self.folder / "account.log")]
        with (self.folder / "publisher.log").open("ab") as log:
            self._publisher = subprocess.Popen(
                _tied(command), cwd=ROOT, stdout=log, stderr=log, stdin=subprocess.DEVNULL
            )
        self.until((self.folder / "account.log").exists, "the publisher starts")

    def finish_publisher(self) -> None:
        """Stop sending, and wait until the broker has acknowledged all of it."""
        assert self._publisher is not None
        self._publisher.terminate()
        self.until(lambda: self._publisher and self._publisher.poll() is not None, "all is acknowledged", 150)
        assert self._publisher.returncode == 0, "the broker did not acknowledge all that was sent"

    # -- the end ---------------------------------------------------------------------------------------------------

    def mend(self) -> None:
        """Let everything run and hear again."""
        for network in (self.to_database, self.to_broker):
            network.hear()
            network.start()
        if self.collector is None:
            self.start_collector()

    def settle(self) -> None:
        """Wait until the collector has stored all that the broker held for it.

        The broker gives out the last message behind all others, so when that one is stored, what came before is stored
        or in the spool; and the spool removes its files when the database has what is in them.
        """
        self.publish(PROBE, '{"time": "2026-01-01T01:00:00Z", "value": "2"}')
        stored, since = -1, time.monotonic()
        while self._probed < 2 or self.spooled:
            count = self.query("SELECT count(*) FROM reading")[0][0]
            if count != stored:
                stored, since = count, time.monotonic()
            assert time.monotonic() - since < _PATIENCE, f"nothing was stored for {_PATIENCE:.0f} s; {stored} readings"
            self.wait(0.2)

    @property
    def spooled(self) -> list[Path]:
        """Files of readings that wait for the database."""
        return sorted((spools(self.data) / COMMUNITY).glob("*-*"))

    @property
    def _probed(self) -> int:
        return int(self.query(f"SELECT count(*) FROM reading WHERE meter = '{PROBE}'")[0][0])

    def publish(self, meter: str, *contents: str) -> None:
        """Publish on a meter's topic, straight to the broker, and wait until it has all of it."""
        client = paho.Client(CallbackAPIVersion.VERSION2, client_id=f"once-{os.urandom(4).hex()}")
        client.connect(self.broker.host, self.broker.port)
        client.loop_start()
        try:
            for info in [client.publish(f"wijkenergie/{COMMUNITY}/{meter}", content, qos=1) for content in contents]:
                info.wait_for_publish(30)
                assert info.is_published()
        finally:
            client.disconnect()
            client.loop_stop()

    def verify(self, lost: Collection[Key] = ()) -> None:
        """Assert that all acknowledged readings but the lost ones are stored once, nothing else is, nothing is dead."""
        audit = self.account.audit(self.rows())
        audit.missing = [key for key in audit.missing if key not in lost]
        assert audit.clean, str(audit)
        self.verify_quiet()

    def verify_quiet(self) -> None:
        """Assert that nothing was kept aside and the collector met no fault of its own."""
        assert self.query("SELECT source, convert_from(payload, 'UTF8'), reason FROM dead_letter LIMIT 5") == []
        assert self.query("SELECT meter, time, value FROM reading_conflict LIMIT 5") == []
        assert "Traceback" not in (self.folder / "collector.log").read_text(encoding="utf-8")

    def tell(self, text: str) -> None:
        """Add a line to the story of this test."""
        line = f"{time.monotonic() - self._began:7.2f} s  {text}"
        self.story.append(line)
        with (self.folder / "story.log").open("a", encoding="utf-8") as log:
            log.write(f"{line}\n")

    @property
    def _server_log(self) -> Path:
        return self.server.home / "server.log"

    def save_server_log(self) -> None:
        """Keep this test's part of the server's log."""
        with self._server_log.open("rb") as log:
            log.seek(self._server_log_from)
            (self.folder / "server.log").write_bytes(log.read())

    def report(self) -> list[tuple[str, str]]:
        """Return the last lines of every log, with a title each."""
        self.save_server_log()
        logs = [self.folder / f"{name}.log" for name in ("story", "collector", "publisher", "server")]
        return [(f"last lines of {path}", _tail(path)) for path in (*logs, self.broker.log)]

    def close(self) -> None:
        """Stop every process."""
        for process in (self.collector, self._publisher):
            if process is not None:
                process.kill()
                process.wait()
        self.to_database.close()
        self.to_broker.close()
        self.save_server_log()


def _tied(command: list[str]) -> list[str]:
    """Let a program end with us, even by ``kill -9`` (Linux with setpriv)."""
    setpriv = shutil.which("setpriv")
    return command if setpriv is None else [setpriv, "--pdeathsig", "KILL", *command]


def _tail(path: Path) -> str:
    if not path.exists():
        return "(no such file)"
    return "\n".join(path.read_text(encoding="utf-8", errors="replace").splitlines()[-_TAIL:])
