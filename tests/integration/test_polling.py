"""Polling: one line per port, one connection per line, and nobody pays for somebody else's silence."""

from __future__ import annotations

import struct
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest

from collector.delivery import Delivery
from collector.intake import Intake
from collector.sources.polling import PollSource
from collector.store import Store
from core.community import Community
from core.communityfile import parse
from core.time import utc_now
from tests.support.broker import free_port
from tests.support.fieldbus import (
    Reply,
    in_thread,
    mbus_size,
    mbus_telegram,
    rtu_registers,
    rtu_size,
    tcp_refusal,
    tcp_registers,
    tcp_size,
)

HEAD = """
community: small
name: Small
timezone: Europe/Amsterdam
owner: owner
flats: [{id: A01, floor_area_m2: "50"}]
households: [{id: h-001, flat: A01, from: 2025-01-01}]
sharing: [{from: 2025-01-01, key: proportional}]
tariffs: [{from: 2025-01-01, solar_eur_per_kwh: "0.18", vat_percent: {electricity: "21"}}]
"""
METER = """
schema: 1
id: test.meter
revision: 1
kind: electricity_meter
match: {vendor: Test, models: [Meter]}
maturity: document-only
provenance: [{source: "a test"}]
link: {transport: modbus-tcp, timeout: 300ms, LINK}
blocks:
  - {id: energy, function: 3, start: 7, count: 1, ENERGY}
  - {id: power, function: 3, start: 90, count: 1, POWER}
points:
  - {id: import, quantity: electric_energy_import, unit: kWh, class: counter, block: energy, at: 7, type: uint16}
  - {id: power, quantity: active_power, unit: W, class: gauge, block: power, at: 90, type: uint16}
"""
HEAT = """
schema: 1
id: test.heat
revision: 1
kind: heat_meter
match: {vendor: Test, models: [Heat]}
maturity: document-only
provenance: [{source: "a test"}]
link: {transport: mbus, timeout: 300ms, min_interval: BUDGET}
points: [{id: energy, quantity: thermal_energy, unit: kWh, class: counter, mbus: {record: energy_wh}}]
"""


def meter(
    folder: Path, link: str = "keep_open: true", energy: str = "on_error: skip", power: str = "on_error: skip"
) -> Path:
    file = folder / "meter.yaml"
    text = METER.replace("LINK", link).replace("ENERGY", energy).replace("POWER", power)
    file.write_text(text, encoding="utf-8")
    return file


def community(profile: Path, *links: str, every: str = "100ms", feed: str = "import") -> Community:
    """Make a community with a meter at each link: d-0 feeds m-0, and so on."""
    measures = "heat" if feed == "energy" else "grid_import"
    flat = ", flat: A01" if feed == "energy" else ""
    meters = "".join(f"  - {{id: m-{i}, measures: {measures}, unit: kWh{flat}}}\n" for i in range(len(links)))
    devices = "".join(
        f'  - {{id: d-{i}, profile: "{profile}", link: "{link}", every: {every}, feeds: {{{feed}: m-{i}}}}}\n'
        for i, link in enumerate(links)
    )
    return parse(f"{HEAD}meters:\n{meters}devices:\n{devices}").community


@dataclass
class Heard:
    """What came of the devices."""

    deliveries: list[Delivery] = field(default_factory=list)

    def offer(self, delivery: Delivery) -> bool:
        self.deliveries.append(delivery)
        return True

    def readings(self, device: str) -> int:
        return sum(len(found.readings) for found in list(self.deliveries) if found.source == device)

    def errors(self, device: str) -> list[str | None]:
        return [note.error for found in list(self.deliveries) for note in found.health if note.device == device]

    def heard(self, device: str) -> list[bool]:
        return [note.heard for found in list(self.deliveries) for note in found.health if note.device == device]


@contextmanager
def polling(described: Community, folder: Path, before: dict[str, datetime] | None = None) -> Iterator[Heard]:
    heard = Heard()
    intakes = [Intake(device, described) for device in described.devices]
    source = PollSource(intakes, heard.offer, utc_now, folder)
    source.asked_before(before or {})
    source.start()
    try:
        yield heard
    finally:
        source.stop()


def until(condition: Callable[[], object], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


def at_once(request: bytes) -> list[Reply]:
    return [(0, tcp_registers(request))]


def test_all_units_of_a_single_socket_inverter_share_the_one_connection_it_has(tmp_path: Path) -> None:
    """Zev-billing met an inverter with one socket: a second connection would have shut out the first."""
    silent_unit = 2

    def reply(request: bytes) -> list[Reply]:
        return [] if request[6] == silent_unit else at_once(request)

    with in_thread(tcp_size, reply) as served:
        links = [f"modbus-tcp://127.0.0.1:{served.port}/{unit}" for unit in (1, 2, 3)]
        described = community(meter(tmp_path, "exclusive: true, keep_open: false"), *links)
        with polling(described, tmp_path) as heard:
            until(lambda: heard.readings("d-0") > 8 and heard.readings("d-2") > 8 and len(heard.errors("d-1")) > 1)
    assert served.most == 1
    assert served.total > 16  # each poll had the socket for itself and gave it back
    assert heard.readings("d-1") == 0


def test_a_dead_unit_is_asked_less_and_less_while_the_others_go_on(tmp_path: Path) -> None:
    def reply(request: bytes) -> list[Reply]:
        return [] if request[0] == 2 else [(0, rtu_registers(request))]

    with in_thread(rtu_size, reply) as served:
        links = [f"rtu-over-tcp://127.0.0.1:{served.port}/{unit}" for unit in (1, 2, 3)]
        with polling(community(meter(tmp_path), *links), tmp_path) as heard:
            until(lambda: len(heard.errors("d-1")) == 2)
            between = heard.readings("d-0")
            until(lambda: heard.readings("d-0") > between + 5)
            asked = [request[0] for request in served.asked]
    assert asked.count(2) == 2  # one request for each of its two turns, not one for each block
    assert asked.count(1) > 20
    assert heard.errors("d-1")[0] == f"no answer from 127.0.0.1:{served.port} unit 2"
    assert set(heard.errors("d-0")) == {None}


@pytest.mark.parametrize(("code", "words"), [(10, "gateway path unavailable"), (11, "gateway target did not respond")])
def test_a_gateway_that_answers_for_a_dead_unit_keeps_its_connection(tmp_path: Path, code: int, words: str) -> None:
    def reply(request: bytes) -> list[Reply]:
        return [(0, tcp_refusal(request, code))] if request[6] == 2 else at_once(request)

    with in_thread(tcp_size, reply) as served:
        links = [f"modbus-tcp://127.0.0.1:{served.port}/{unit}" for unit in (1, 2)]
        with polling(community(meter(tmp_path), *links), tmp_path) as heard:
            until(lambda: heard.readings("d-0") > 5 and heard.errors("d-1"))
    assert served.total == 1
    assert heard.errors("d-1") == [f"no answer from 127.0.0.1:{served.port} unit 2: {words} (exception {code})"]


@pytest.mark.parametrize(("code", "words"), [(2, "illegal data address"), (4, "device failure"), (6, "device busy")])
def test_a_device_that_refuses_everything_is_not_called_heard(tmp_path: Path, code: int, words: str) -> None:
    """Zev-billing reported a connection while no read succeeded."""
    with in_thread(tcp_size, lambda request: [(0, tcp_refusal(request, code))]) as served:
        described = community(meter(tmp_path), f"modbus-tcp://127.0.0.1:{served.port}/1")
        with polling(described, tmp_path) as heard:
            until(lambda: heard.errors("d-0"))
    assert heard.heard("d-0") == [False]
    assert heard.errors("d-0") == [f"the device gives no register: {words} (exception {code})"]


def test_a_busy_device_is_asked_again_and_its_value_is_then_taken(tmp_path: Path) -> None:
    busy = [2]

    def reply(request: bytes) -> list[Reply]:
        busy[0] -= 1
        return [(0, tcp_refusal(request, 6))] if busy[0] >= 0 else at_once(request)

    with in_thread(tcp_size, reply) as served:
        described = community(meter(tmp_path), f"modbus-tcp://127.0.0.1:{served.port}/1")
        with polling(described, tmp_path) as heard:
            until(lambda: heard.readings("d-0"))
    assert [letter for found in heard.deliveries for letter in found.dead_letters] == []


@pytest.mark.parametrize(("rule", "expected"), [("skip", True), ("fail", False)])
def test_a_refused_block_costs_the_others_only_where_the_profile_says_so(
    tmp_path: Path, rule: str, expected: bool
) -> None:
    def reply(request: bytes) -> list[Reply]:
        power = struct.unpack(">H", request[8:10])[0] == 90
        return [(0, tcp_refusal(request, 2))] if power else at_once(request)

    with in_thread(tcp_size, reply) as served:
        profile = meter(tmp_path, power=f"on_error: {rule}")
        with polling(community(profile, f"modbus-tcp://127.0.0.1:{served.port}/1"), tmp_path) as heard:
            until(lambda: heard.heard("d-0"))
    assert heard.heard("d-0")[0] is expected
    assert (heard.readings("d-0") > 0) is expected
    if not expected:
        assert heard.errors("d-0")[0] == "the device did not give block 'power': illegal data address (exception 2)"


def test_a_slow_block_is_asked_less_often_and_its_absence_is_no_fault(tmp_path: Path) -> None:
    with in_thread(tcp_size, at_once) as served:
        profile = meter(tmp_path, energy="every: 1s")
        with polling(community(profile, f"modbus-tcp://127.0.0.1:{served.port}/1"), tmp_path) as heard:
            until(lambda: heard.readings("d-0") == 4)
        starts = [struct.unpack(">H", request[8:10])[0] for request in served.asked]
    assert starts.count(90) > 2 * starts.count(7)
    assert set(heard.errors("d-0")) == {None}


def test_a_stale_socket_is_dropped_and_the_device_read_on_a_new_one(tmp_path: Path) -> None:
    """The other side forgot the connection without a word, as a rebooted inverter does."""
    deaf = [False]

    def reply(request: bytes) -> list[Reply]:
        return [] if deaf[0] else at_once(request)

    with in_thread(tcp_size, reply) as served:
        described = community(meter(tmp_path), f"modbus-tcp://127.0.0.1:{served.port}/1")
        with polling(described, tmp_path) as heard:
            until(lambda: heard.readings("d-0") > 2)
            deaf[0] = True
            until(lambda: heard.errors("d-0")[-1] is not None)
            deaf[0] = False
            before = heard.readings("d-0")
            until(lambda: heard.readings("d-0") > before + 2)
    assert (served.most, served.total) == (1, 2)


def test_a_connection_the_device_gives_up_when_idle_is_made_anew_in_time(tmp_path: Path) -> None:
    with in_thread(tcp_size, at_once) as served:
        profile = meter(tmp_path, "idle_close: 50ms")
        with polling(community(profile, f"modbus-tcp://127.0.0.1:{served.port}/1"), tmp_path) as heard:
            until(lambda: heard.readings("d-0") > 5)
    assert set(heard.errors("d-0")) == {None}
    assert served.total > 3
    assert served.most == 1


def test_a_gateway_that_is_away_is_named_at_each_of_its_devices_and_costs_nobody_else_anything(tmp_path: Path) -> None:
    gone = free_port()
    with in_thread(tcp_size, at_once) as served:
        links = [f"modbus-tcp://127.0.0.1:{gone}/{unit}" for unit in (1, 2, 3)]
        links.append(f"modbus-tcp://127.0.0.1:{served.port}/1")
        with polling(community(meter(tmp_path), *links), tmp_path) as heard:
            until(lambda: heard.readings("d-3") > 20 and all(heard.errors(f"d-{index}") for index in range(3)))
    for index in range(3):
        assert set(heard.errors(f"d-{index}")) == {f"no connection to 127.0.0.1:{gone}"}
        assert len(heard.errors(f"d-{index}")) <= 2


def test_a_delivery_that_cannot_be_handed_over_does_not_end_the_polling_of_all(tmp_path: Path) -> None:
    taken: list[Delivery] = []
    refused = [True]

    def offer(delivery: Delivery) -> bool:
        if refused[0]:
            raise OSError("no space left on device")
        taken.append(delivery)
        return True

    with in_thread(tcp_size, at_once) as served:
        described = community(meter(tmp_path), f"modbus-tcp://127.0.0.1:{served.port}/1")
        source = PollSource([Intake(device, described) for device in described.devices], offer, utc_now, tmp_path)
        source.start()
        try:
            until(lambda: len(served.asked) > 6)
            refused[0] = False
            until(lambda: taken)
        finally:
            source.stop()


def test_garbage_on_a_connection_costs_one_poll(tmp_path: Path) -> None:
    garbage = [b"\x00\x01\x00\x00\x00\x03\x01\x63\x00"]  # a frame of a function there is not

    def reply(request: bytes) -> list[Reply]:
        return [(0, garbage.pop())] if garbage else at_once(request)

    with in_thread(tcp_size, reply) as served:
        described = community(meter(tmp_path), f"modbus-tcp://127.0.0.1:{served.port}/1")
        with polling(described, tmp_path) as heard:
            until(lambda: heard.readings("d-0"))
    assert {reading.value for found in heard.deliveries for reading in found.readings} == {7}


def heat(folder: Path, budget: str) -> Path:
    file = folder / "heat.yaml"
    file.write_text(HEAT.replace("BUDGET", budget), encoding="utf-8")
    return file


def wake_ups(times: list[float]) -> Callable[[bytes], list[Reply]]:
    """Be a meter on a battery that notes when it was reset, which is when a read begins."""

    def reply(request: bytes) -> list[Reply]:
        if request[1] == 0x40:
            times.append(time.monotonic())
            return [(0, b"\xe5")]
        return [(0, mbus_telegram(5, b"\x0c\x06\x78\x56\x34\x12"))]

    return reply


def test_a_battery_meter_is_not_read_more_often_than_it_allows_however_often_one_would_like(tmp_path: Path) -> None:
    times: list[float] = []
    with in_thread(mbus_size, wake_ups(times)) as served:
        described = community(heat(tmp_path, "1s"), f"mbus-tcp://127.0.0.1:{served.port}/5", feed="energy")
        with polling(described, tmp_path):
            until(lambda: len(times) == 4)
    assert min(after - before for before, after in pairwise(times)) > 0.9  # the network's jitter aside


def test_a_meter_that_refuses_for_69_minutes_is_left_alone_for_69_minutes_over_a_restart(
    tmp_path: Path, database_url: str
) -> None:
    """Libmbus 204: a heat meter on a battery refuses reads more often than every 69 minutes."""
    times: list[float] = []
    store = Store(database_url, "small")
    with in_thread(mbus_size, wake_ups(times)) as served:
        described = community(heat(tmp_path, "69min"), f"mbus-tcp://127.0.0.1:{served.port}/5", feed="energy")
        with polling(described, tmp_path, store.last_tries(5)) as heard:
            until(lambda: heard.heard("d-0"))
        store.write(heard.deliveries, 5)
        with polling(described, tmp_path, store.last_tries(5)) as again:
            time.sleep(1)
        assert (len(times), again.deliveries) == (1, [])
        long_ago = {"d-0": utc_now() - timedelta(minutes=69)}
        with polling(described, tmp_path, long_ago):
            until(lambda: len(times) == 2)
    store.close()
