"""The building as a process: real Modbus TCP and real MQTT give the truth, and nothing is lost when things stop."""

from __future__ import annotations

import asyncio
import json
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion
from pymodbus.client import AsyncModbusTcpClient, ModbusTcpClient
from pymodbus.pdu import ModbusPDU

from core.communityfile import parse
from core.time import Month, parse_time, utc_now
from settlement import readingsfile
from settlement.month import settle
from settlement.selection import used
from settlement.statement import document
from simulators import kwb
from simulators.description import community_text
from simulators.faults import Fault
from simulators.grid import QUARTER
from simulators.history import history_csv
from simulators.messages import topics
from simulators.meters import METERS
from simulators.modbus import close, port_of, serve_device
from simulators.serve import Ready, main
from simulators.truth import compare, live_truth, settlement_truth
from tests.support.broker import Broker, free_port
from tests.support.simulated import simulated

SEED = 11
ROOT = Path(__file__).parents[2]


@contextmanager
def building(broker: Broker, *more: str) -> Iterator[tuple[subprocess.Popen[str], Ready]]:
    """Run the building until the block ends; it must stop by itself and cleanly when asked."""
    command = [sys.executable, "-m", "simulators.serve", "--seed", str(SEED), "--mqtt", broker.url, *more]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        try:
            if not line:
                raise AssertionError(process.communicate(timeout=10)[1])
            yield process, Ready.parse(line)
        finally:
            process.terminate()
            try:
                _, errors = process.communicate(timeout=15)
            except subprocess.TimeoutExpired:
                process.kill()
                raise
        assert process.returncode == 0, errors
        assert errors == ""


@contextmanager
def modbus(host: str, port: int) -> Iterator[ModbusTcpClient]:
    client = ModbusTcpClient(host, port=port)
    assert client.connect()  # type: ignore[no-untyped-call]  # pymodbus types its arguments only
    try:
        yield client
    finally:
        client.close()  # type: ignore[no-untyped-call]  # pymodbus types its arguments only


class Listener:
    """A subscriber that stays known to the broker while it is away, and notes everything it hears."""

    def __init__(self, broker: Broker, topic: str = "#") -> None:
        self.heard: list[tuple[str, str, datetime]] = []
        self._subscribed = threading.Event()
        self._client = mqtt.Client(
            CallbackAPIVersion.VERSION2, client_id="listener", clean_session=False, protocol=mqtt.MQTTv311
        )
        self._client.reconnect_delay_set(1, 1)
        self._client.on_connect = lambda client, *_: client.subscribe(topic, qos=1)
        self._client.on_subscribe = lambda *_: self._subscribed.set()
        self._client.on_message = lambda _client, _data, message: self.heard.append(
            (message.topic, message.payload.decode(), utc_now())
        )
        self._client.connect(broker.host, broker.port)
        self._client.loop_start()
        assert self._subscribed.wait(10)

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def wait_for(self, count: int, seconds: float = 20) -> None:
        deadline = time.monotonic() + seconds
        while len(self.heard) < count:
            assert time.monotonic() < deadline, f"heard {len(self.heard)} of {count}"
            time.sleep(0.02)

    def times(self) -> list[datetime]:
        return [parse_time(json.loads(payload)["time"]) for _, payload, _ in self.heard]


@contextmanager
def listener(broker: Broker, topic: str = "#") -> Iterator[Listener]:
    one = Listener(broker, topic)
    try:
        yield one
    finally:
        one.close()


def u32(words: Sequence[int]) -> int:
    return words[0] * 65536 + words[1]


def test_modbus_registers_are_the_truth_when_they_are_read_and_cannot_be_written(broker):
    with simulated(broker.url, SEED) as ready:
        assert ready.seed == SEED
        with modbus(ready.host, ready.boiler_port) as boiler, modbus(ready.host, ready.inverter_port) as inverter:
            heat = 0
            for _ in range(5):
                before = utc_now()
                heat = u32(boiler.read_input_registers(9661, count=2, device_id=1).registers)
                sun = u32(inverter.read_holding_registers(40094, count=2, device_id=1).registers)
                after = utc_now()
                assert live_truth(SEED, "boiler-heat", before) <= heat <= live_truth(SEED, "boiler-heat", after)
                watt_hours = Decimal(sun).scaleb(-3)
                assert live_truth(SEED, "pv", before) <= watt_hours <= live_truth(SEED, "pv", after)
            marker = inverter.read_holding_registers(40000, count=124, device_id=1).registers
            assert marker[:3] == [0x5375, 0x6E53, 1]
            assert boiler.read_holding_registers(9661, count=2, device_id=1).exception_code == 1
            assert boiler.read_input_registers(100, count=2, device_id=1).exception_code == 2
            assert boiler.write_register(9661, 7, device_id=1).isError()
            untouched = u32(boiler.read_input_registers(9661, count=2, device_id=1).registers)
            assert heat <= untouched <= heat + 1


def test_every_device_speaks_over_mqtt_and_says_the_truth_of_its_own_second(broker):
    names = {topic.name for topic in topics(SEED)}
    with listener(broker) as heard, simulated(broker.url, SEED, every=1):
        heard.wait_for(4 * len(names))
    checked = set()
    for topic, payload, arrived in heard.heard:
        document = json.loads(payload, parse_float=Decimal)
        if topic.startswith("flats/"):
            meter, instant = f"el-{topic.split('/')[1]}", parse_time(document["timestamp"])
            value = Decimal(document["electricity_delivered_1"]) + Decimal(document["electricity_delivered_2"])
        elif topic.startswith("wmbusmeters/"):
            meter, instant = topic.split("/")[1], parse_time(document["timestamp"])
            value = Decimal(document["total_energy_consumption_kwh"])
        elif topic == "wijkenergie/de-ster/el-common":
            meter, instant, value = "el-common", parse_time(document["time"]), Decimal(document["value"])
        elif topic == "building/grid/dsmr/json":
            meter, instant = "grid-in", parse_time(document["timestamp"])
            value = Decimal(document["electricity_delivered_1"]) + Decimal(document["electricity_delivered_2"])
        else:
            assert topic == "silo/sensor/pellets"
            meter, instant, value = "silo", arrived, Decimal(payload)
            if arrived.minute == 0 and arrived.second < 5:
                continue  # the level may have changed on its way
        assert value == live_truth(SEED, meter, instant), (topic, payload)
        assert abs(arrived - instant) < timedelta(seconds=5)
        assert instant.microsecond == 0 or meter == "silo"
        checked.add(topic)
    assert checked == names
    assert len(checked) == len(METERS) - 3  # sun and heat produced are on Modbus; the grid meter speaks for two


def test_messages_are_spaced_so_that_every_quarter_hour_boundary_is_said(broker):
    with listener(broker, "wijkenergie/#") as heard, simulated(broker.url, SEED, every=2):
        heard.wait_for(2)
    assert all(instant.timestamp() % 2 == 0 for instant in heard.times())
    assert QUARTER % 2 == 0


@pytest.mark.long
def test_while_the_broker_is_away_the_building_remembers_what_it_has_to_say(broker):
    with listener(broker, "wijkenergie/#") as heard, building(broker, "--every", "1"):
        heard.wait_for(2)
        broker.stop()
        time.sleep(3)
        broker.start()
        heard.wait_for(len(heard.heard) + 6)
    times = sorted(set(heard.times()))
    assert times == [times[0] + timedelta(seconds=second) for second in range(len(times))]
    assert times[-1] - times[0] >= timedelta(seconds=6)


@pytest.mark.long
def test_a_building_that_was_killed_says_again_what_was_not_acknowledged(broker, tmp_path):
    outbox = tmp_path / "outbox"
    options = ("--every", "1", "--outbox", str(outbox))
    command = [sys.executable, "-m", "simulators.serve", "--seed", str(SEED), "--mqtt", broker.url, *options]
    with listener(broker, "wijkenergie/#") as heard:
        with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL) as process:
            heard.wait_for(2)
            process.kill()
        known = len(heard.heard)
        time.sleep(2)
        with building(broker, *options):
            heard.wait_for(known + 4)
    times = sorted(set(heard.times()))
    assert times == [times[0] + timedelta(seconds=second) for second in range(len(times))]


def test_it_stops_when_its_standard_input_ends(broker):
    command = [sys.executable, "-m", "simulators.serve", "--seed", "1", "--mqtt", broker.url, "--stop-with-input"]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith(b"ready")
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(10) == 0


def test_it_stops_cleanly_when_interrupted(broker):
    with building(broker) as (process, ready):
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == 0
    with socket.socket() as probe:
        assert probe.connect_ex((ready.host, ready.boiler_port)) != 0


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        (["--mqtt", "http://127.0.0.1"], 2, "must look like mqtt://"),
        (["--every", "7"], 2, "divisor of 900"),
        (["--faults", "flood"], 2, "'flood' is not a fault"),
        (["--modbus-port-inverter", "{taken}"], 3, "in use"),
        (["--mqtt", "mqtt://127.0.0.1:{free}"], 3, "does not answer"),
    ],
)
def test_what_cannot_be_is_said_in_one_plain_sentence(broker, capsys, options, code, words):
    with ExitStack() as stack:
        taken = stack.enter_context(socket.socket())
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        filled = [option.format(taken=taken.getsockname()[1], free=free_port()) for option in options]
        assert main(["--mqtt", broker.url, *filled]) == code
    said = capsys.readouterr()
    assert words in said.err
    assert said.err.count("\n") == 1
    assert said.out == ""


async def _ask(image: Callable[[], dict[int, list[int]] | None]) -> ModbusPDU:
    server = await serve_device("127.0.0.1", 0, kwb.BLOCKS, kwb.FUNCTION, image, "boiler")
    client = AsyncModbusTcpClient("127.0.0.1", port=port_of(server))
    try:
        assert await client.connect()
        return await client.read_input_registers(9661, count=2, device_id=1)
    finally:
        client.close()
        await close(server)


def test_a_silent_device_is_busy_on_modbus():
    now = utc_now()
    gap = (Fault("gap", "boiler-heat", now - timedelta(hours=1), now + timedelta(hours=1)),)
    answer = asyncio.run(_ask(lambda: kwb.image(SEED, now, gap)))
    assert answer.exception_code == 6
    spoken = asyncio.run(_ask(lambda: kwb.image(SEED, now)))
    assert u32(spoken.registers) == live_truth(SEED, "boiler-heat", now)


@pytest.mark.parametrize("month", [Month(2026, 10), Month(2026, 3)])
def test_a_settled_month_agrees_with_the_truth_to_the_cent(month, tmp_path):
    now = datetime(2026, 11, 23, 4, 40, 17, tzinfo=UTC)
    community = parse(community_text(SEED, now, inverter_port=1, boiler_port=2)).community
    start, end = month.bounds(community.zone)
    path = tmp_path / "readings.csv"
    history_csv(path, SEED, start - timedelta(hours=3), end + timedelta(hours=3))
    known = used(community, month, readingsfile.read(path, community))
    statement = document(settle(community, month, known), "")
    figures = list(compare(settlement_truth(SEED, month, now), statement))
    assert [figure for figure in figures if not figure.agrees] == []
    assert len(figures) > 350
