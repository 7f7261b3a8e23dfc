"""A thousand Modbus devices in one process: polled every two seconds, decoded and handed to the writer.

The devices are a process of their own, one port each. How late a poll is counts from its due time to its delivery.
"""

from __future__ import annotations

import asyncio
import gc
import json
import resource
import struct
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterable
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path

from collector.delivery import Delivery
from collector.intake import Intake
from collector.sources.clockwork import next_poll, phases
from collector.sources.polling import PollSource
from collector.spool import Spool
from collector.writer import Writer
from core.communityfile import parse
from core.db.readings import Inserted
from core.time import utc_now

DEVICES = 1000
EVERY = timedelta(seconds=2)
WARM_SECONDS = 6
SECONDS = 20
FILES = 4096
SPOOL_BYTES = 10_000_000
HOST = "127.0.0.1"
PROFILE = """
schema: 1
id: bench.meter
revision: 1
kind: electricity_meter
match: {vendor: Bench, models: [Meter]}
maturity: document-only
provenance: [{source: "this benchmark"}]
link: {transport: modbus-tcp}
blocks: [{id: all, function: 3, start: 0, count: 20}]
points:
  - {id: import, quantity: electric_energy_import, unit: Wh, class: counter, block: all, at: 0, type: uint64}
  - {id: export, quantity: electric_energy_export, unit: Wh, class: counter, block: all, at: 4, type: uint64}
  - {id: power, quantity: active_power, unit: W, class: gauge, block: all, at: 8, type: float32}
  - {id: power-1, quantity: active_power, unit: W, class: gauge, block: all, at: 10, type: int16}
  - {id: power-2, quantity: active_power, unit: W, class: gauge, block: all, at: 11, type: int16}
  - {id: power-3, quantity: active_power, unit: W, class: gauge, block: all, at: 12, type: int16}
  - {id: temp-1, quantity: flow_temperature, unit: "°C", class: gauge, block: all, at: 13, type: int16, scale: "0.1"}
  - {id: temp-2, quantity: return_temperature, unit: "°C", class: gauge, block: all, at: 14, type: int16, scale: "0.1"}
  - {id: temp-3, quantity: outdoor_temperature, unit: "°C", class: gauge, block: all, at: 15, type: int16, scale: "0.1"}
  - {id: state, quantity: state, class: enum, block: all, at: 16, type: uint16, states: {"4": running}}
"""
HEAD = """
community: bench
name: Bench
timezone: Europe/Amsterdam
owner: owner
flats: [{id: A01, floor_area_m2: "50"}]
households: [{id: h-001, flat: A01, from: 2025-01-01}]
sharing: [{from: 2025-01-01, key: proportional}]
tariffs: [{from: 2025-01-01, solar_eur_per_kwh: "0.18", vat_percent: {electricity: "21"}}]
"""


class Device(asyncio.Protocol):
    """Answers any read with counters that count seconds."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        number, _, _, unit, function, _, count = struct.unpack(">HHHBBHH", data)
        total = int(time.time()) * 1000
        words = struct.pack(">QQfHHHHHHH", total, total // 2, 1234.5, 411, 412, 413, 601, 402, 103, 4)
        body = struct.pack(">BBB", unit, function, 2 * count) + words.ljust(2 * count, b"\0")
        self._transport.write(struct.pack(">HHH", number, 0, len(body)) + body)


async def serve() -> None:
    """Be all devices until standard input ends."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (FILES, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    loop = asyncio.get_running_loop()
    servers = [await loop.create_server(Device, HOST, 0) for _ in range(DEVICES)]
    print(json.dumps([server.sockets[0].getsockname()[1] for server in servers]), flush=True)
    await asyncio.to_thread(sys.stdin.read)


class Counting:
    """Takes the place of the database: counts what would be stored."""

    def __init__(self) -> None:
        self.readings = 0

    def write(self, deliveries: list[Delivery], seconds: float) -> Inserted:
        new = sum(len(delivery.readings) for delivery in deliveries)
        self.readings += new
        return Inserted(new, 0, 0)

    def cut(self) -> None:
        """Nothing waits here."""

    def close(self) -> None:
        """Hold nothing."""


def intakes(ports: list[int], profile: Path) -> list[Intake]:
    """Return a meter on each port."""
    meters = "".join(f"  - {{id: m-{index}, measures: grid_import, unit: kWh}}\n" for index in range(len(ports)))
    devices = "".join(
        f'  - {{id: d-{index}, profile: "{profile}", link: "modbus-tcp://{HOST}:{port}/1", every: 2s,'
        f" feeds: {{import: m-{index}}}}}\n"
        for index, port in enumerate(ports)
    )
    community = parse(f"{HEAD}meters:\n{meters}devices:\n{devices}").community
    return [Intake(device, community) for device in community.devices]


def main() -> None:
    """Start the devices, poll them, and stop them."""
    command = [sys.executable, "-m", "tests.benchmark.bench_modbus", "serve"]
    with (
        tempfile.TemporaryDirectory() as folder,
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as servers,
    ):
        assert servers.stdout is not None
        assert servers.stdin is not None
        ports = json.loads(servers.stdout.readline())
        profile = Path(folder) / "meter.yaml"
        profile.write_text(PROFILE, encoding="utf-8")
        with closing(Spool(Path(folder) / "spool", SPOOL_BYTES)) as spool:
            measure(intakes(ports, profile), spool)
        servers.stdin.close()


def measure(devices: list[Intake], spool: Spool) -> None:
    """Poll for a while and print how many polls came, how late, and what they cost."""
    heard: defaultdict[str, list[datetime]] = defaultdict(list)
    sink = Counting()
    writer = Writer(sink, sink, spool, utc_now)

    def offer(delivery: Delivery) -> bool:
        if delivery.readings:
            heard[delivery.source].append(delivery.received_at)
        return writer.offer(delivery)

    source = PollSource(devices, offer, utc_now, Path())
    gc.collect()
    gc.freeze()
    writer.start()
    source.start()
    time.sleep(WARM_SECONDS)
    begun, used = utc_now(), time.process_time()
    time.sleep(SECONDS)
    ended, used = utc_now(), time.process_time() - used
    source.stop()
    writer.stop(2)
    late: list[float] = []
    missed = 0
    for device, phase in zip(devices, phases([EVERY] * len(devices)), strict=True):
        ats = heard[device.device.id]
        dues = [next_poll(at - EVERY, EVERY, phase) for at in ats]
        late += [(at - due).total_seconds() for at, due in zip(ats, dues, strict=True) if due >= begun]
        missed += len(set(steps(begun, ended - EVERY, phase)) - set(dues))
    late.sort()
    print(f"modbus_devices {len(devices)} devices")
    print(f"modbus_polls {sum(begun <= at <= ended for found in heard.values() for at in found) / SECONDS:.0f} polls/s")
    print(f"modbus_late_p99 {1000 * late[len(late) * 99 // 100]:.0f} ms")
    print(f"modbus_missed {missed} polls")
    print(f"modbus_cpu {100 * used / SECONDS:.0f} percent")
    print(f"modbus_memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")


def steps(begun: datetime, ended: datetime, phase: timedelta) -> Iterable[datetime]:
    """Yield when a device was due."""
    due = next_poll(begun, EVERY, phase)
    while due <= ended:
        yield due
        due = next_poll(due, EVERY, phase)


if __name__ == "__main__":
    asyncio.run(serve()) if sys.argv[1:] == ["serve"] else main()
