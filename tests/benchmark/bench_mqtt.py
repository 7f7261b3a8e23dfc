"""How fast MQTT messages get from the broker into PostgreSQL, each acknowledged after its commit, and how soon.

A broker, a database, a collector and a publisher, each a process of its own on this machine, with the safety of real
use: the database forces every commit to the disk, the broker keeps its queues as the deployed one does. The publisher
is as fast as the collector, some seconds ahead: a broker that writes its queue whole must not be measured with a long
one. A rate is that from the first publish to the last commit.

    python -m tests.benchmark.bench_mqtt --seconds 120
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.communityfile import parse
from core.db import config
from core.db.connection import Connection, connect
from core.db.migrate import migrate
from core.db.server import embedded
from tests.support.broker import Broker
from tests.support.mqttload import START, Load

ROOT = Path(__file__).parents[2]
METERS = 50
MESSAGES, ARRAYS = 6000, 1200  # [1/s] what a load is sized for; it takes as long as it takes
AHEAD_SECONDS = 2.0  # [s] of messages that the publisher may be ahead
EACH = 50  # readings in an array
LATENCY_RATE = 1000  # [1/s]
PROBE_EVERY = METERS  # so that all probes are of one meter, whose newest reading says which have arrived
POLL_SECONDS = 0.002  # what a latency is measured to
LOOK_SECONDS = 0.02  # how often progress is looked at
DRAIN_SECONDS = 600
SERVICE = (
    "import sys; from pathlib import Path; from collector.service import run;"
    " run(*sys.argv[1:4], data_dir=Path(sys.argv[4]))"
)
BROKER = """
allow_anonymous true
persistence true
persistence_location {folder}/
autosave_on_changes true
autosave_interval 100
max_queued_messages 5000000
max_queued_bytes 0
max_inflight_messages 100
"""
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


@dataclass(frozen=True)
class Bench:
    """The broker and the database of one run."""

    broker: Broker
    url: str
    connection: Connection

    @contextmanager
    def collector(self) -> Iterator[subprocess.Popen[bytes]]:
        """Run the service as ``wijkenergie collect`` does, from when it has subscribed, on an empty table."""
        self.connection.execute("TRUNCATE reading, reading_conflict, dead_letter")
        self.connection.execute("CHECKPOINT")
        welcomed = self._welcomed()
        data = str(self.broker.folder / "data")
        process = subprocess.Popen([sys.executable, "-c", SERVICE, self.url, self.broker.url, "bench", data], cwd=ROOT)
        try:
            while self._welcomed() < welcomed + 2:  # a knock that asks for the version, then the connection
                assert process.poll() is None
                time.sleep(0.1)
            yield process
        finally:
            process.terminate()
            process.wait(20)

    def _welcomed(self) -> int:
        return self.broker.log.read_text(encoding="utf-8").count(" as wijkenergie-")

    @contextmanager
    def publishing(
        self, load: Load, *, probe: int = 0, ahead: int | None = None
    ) -> Iterator[tuple[subprocess.Popen[str], list[dict[str, float]]]]:
        """Publish in a process of its own; at the end what it said is in the list."""
        command = [sys.executable, "-m", "tests.support.mqttload", self.broker.host, str(self.broker.port)]
        command += [f"--messages={load.messages}", f"--meters={load.meters}", f"--each={load.each}"]
        command += [f"--probe={probe}"]
        command += [] if load.rate is None else [f"--rate={load.rate}"]
        command += [] if ahead is None else [f"--ahead={ahead}"]
        said: list[dict[str, float]] = []
        with tempfile.TemporaryFile("w+") as out:  # a file: a full pipe would hold the publisher up
            process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=out, text=True, cwd=ROOT)
            try:
                yield process, said
                with suppress(BrokenPipeError):
                    process.stdin.close()  # type: ignore[union-attr]  # a pipe
                if process.wait() != 0:
                    raise SystemExit("the publisher failed")
            finally:
                process.kill()
                process.wait()
            out.seek(0)
            said += [json.loads(line) for line in out]

    def newest(self, meter: int) -> int:
        """Return the newest stored second of a meter, counted as `time_text` does; -1 if there is none."""
        newest = self.value("SELECT max(time) FROM reading WHERE (community, meter) = ('bench', %s)", f"m-{meter:02d}")
        return -1 if newest is None else int((newest - START).total_seconds())

    def value(self, query: str, *parameters: object) -> Any:
        """Return the one value a query gives."""
        row = self.connection.execute(query, parameters).fetchone()
        return None if row is None else row[0]


def used(process: subprocess.Popen[Any]) -> tuple[float, float]:
    """Return processor time [s] and peak memory [MB] of a running process."""
    ticks = Path(f"/proc/{process.pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[11:13]
    (peak,) = re.findall(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{process.pid}/status").read_text(encoding="ascii"))
    return sum(map(int, ticks)) / os.sysconf("SC_CLK_TCK"), int(peak) / 1024


@dataclass(frozen=True)
class Outcome:
    """What came of one load."""

    rate: float  # [1/s] messages, from the first publish to the last commit
    lost: int
    duplicates: int
    memory: float  # [MB]
    cost: float  # [us] processor time of the collector for one message


def sized(messages: float, each: int) -> Load:
    """Return a load of about so many messages: the same number for every meter."""
    return Load(int(messages / METERS) * METERS, METERS, each)


def tell(feeder: subprocess.Popen[str], messages: int) -> None:
    """Tell the publisher how many messages are stored."""
    with suppress(BrokenPipeError):  # it has ended meanwhile
        print(messages, file=feeder.stdin, flush=True)


def measure(bench: Bench, load: Load, ahead: int) -> Outcome:
    """Publish, never too far ahead, wait until the last message is stored, and count."""
    steps = load.messages // load.meters
    reached = told = 0
    with bench.collector() as process:
        before, _ = used(process)
        with bench.publishing(load, ahead=ahead) as (feeder, said):
            deadline = time.monotonic() + DRAIN_SECONDS
            while reached < steps and time.monotonic() < deadline:
                time.sleep(LOOK_SECONDS)
                reached = (bench.newest(load.meters - 1) + 1) // load.each
                if reached > told:
                    told = reached
                    tell(feeder, reached * load.meters)
        ended = time.monotonic()
        time.sleep(1)
        spent, memory = used(process)
    (result,) = said
    rows = bench.value("SELECT count(*) FROM reading")
    aside = bench.value("SELECT (SELECT count(*) FROM reading_conflict) + (SELECT count(*) FROM dead_letter)")
    expected = int(result["acknowledged"]) * load.each
    return Outcome(
        rate=result["acknowledged"] / (ended - result["begun"]),
        lost=max(0, expected - rows),
        duplicates=max(0, rows - expected) + aside,
        memory=memory,
        cost=1e6 * (spent - before) / result["acknowledged"],
    )


def latencies(bench: Bench, seconds: float) -> list[float]:
    """Return how long after its publish each probed message was visible to a query [s], sorted."""
    load = Load(int(seconds * LATENCY_RATE), METERS, rate=LATENCY_RATE)
    visible: dict[int, float] = {}
    with bench.collector(), bench.publishing(load, probe=PROBE_EVERY) as (_, said):
        next_step, steps = 0, load.messages // METERS
        deadline = time.monotonic() + seconds + DRAIN_SECONDS
        while next_step < steps and time.monotonic() < deadline:
            reached = bench.newest(0)
            now = time.monotonic()
            for step in range(next_step, reached + 1):
                visible[step] = now
            next_step = max(next_step, reached + 1)
            time.sleep(POLL_SECONDS)
    probes = {int(line["index"]) // METERS: line["at"] for line in said if "at" in line}
    return sorted(visible[step] - at for step, at in probes.items())


def main() -> None:
    """Measure on a fresh server and a fresh broker."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=20.0, help="what each load is sized for [s]")
    chosen = parser.parse_args()
    seconds: float = chosen.seconds
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o711)  # the server's own account passes through; its folder inside stays closed
        broker = Broker(folder, BROKER.format(folder=folder))
        broker.start()
        try:
            with embedded(folder) as server, connect(server.url) as connection:
                migrate(server.url)
                config.apply(connection, parse(COMMUNITY), START, "benchmark")
                bench = Bench(broker, server.url, connection)
                single = measure(bench, sized(seconds * MESSAGES, 1), int(AHEAD_SECONDS * MESSAGES))
                print(f"mqtt_messages {single.rate:.0f} msg/s")
                print(f"mqtt_message_cost {single.cost:.1f} us", flush=True)
                arrays = measure(bench, sized(seconds * ARRAYS, EACH), int(AHEAD_SECONDS * ARRAYS))
                print(f"mqtt_array_readings {arrays.rate * EACH:.0f} readings/s", flush=True)
                found = latencies(bench, seconds)
                print(f"mqtt_latency_median {1000 * found[len(found) // 2]:.0f} ms")
                print(f"mqtt_latency_p99 {1000 * found[int(0.99 * len(found))]:.0f} ms")
                print(f"mqtt_lost {single.lost + arrays.lost} rows")
                print(f"mqtt_duplicates {single.duplicates + arrays.duplicates} rows")
                print(f"collector_memory {max(single.memory, arrays.memory):.0f} MB")
        finally:
            broker.stop()


if __name__ == "__main__":
    main()
