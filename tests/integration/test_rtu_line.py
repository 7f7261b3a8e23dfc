"""Modbus RTU: a late answer looks like the answer to something else, and must never be taken for it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest
from pymodbus import FramerType
from pymodbus.server import ModbusSerialServer
from pymodbus.simulator import DataType, SimData, SimDevice

from collector.catalogue import load
from collector.commands import fetch
from collector.links import SerialPort, TcpPort
from collector.plan import Answer, Request
from collector.refusal import NoAnswer, NoConnection
from collector.sources.endpoint import Endpoint
from collector.sources.line import Manners
from core.time import utc_now
from tests.support.fieldbus import Gateway, Reply, crc, gateway, rtu_registers, rtu_size, serial_cable

TIMEOUT = 0.2
MANNERS = Manners(timeout=TIMEOUT)


async def attempt(endpoint: Endpoint, start: int, unit: int = 5) -> Answer | None:
    try:
        return await endpoint.read(unit, Request(3, start, 1))
    except NoAnswer:
        return None


def ask(reply: Callable[[bytes], list[Reply]], starts: list[int]) -> tuple[list[Answer | None], Gateway]:
    async def run() -> tuple[list[Answer | None], Gateway]:
        async with (
            gateway(rtu_size, reply) as line,
            Endpoint(TcpPort("127.0.0.1", line.port), MANNERS, rtu=True) as end,
        ):
            return [await attempt(end, start) for start in starts], line

    return asyncio.run(run())


def late(*delays: float) -> Callable[[bytes], list[Reply]]:
    """Answer the first requests so many timeouts late, the rest at once."""
    waits = iter(delays)
    return lambda request: [(next(waits, 0.0) * TIMEOUT, rtu_registers(request))]


def test_registers_are_read_and_the_connection_is_kept() -> None:
    answers, line = ask(late(), [1001, 1002, 1003])
    assert answers == [(1001,), (1002,), (1003,)]
    assert line.total == 1


@pytest.mark.parametrize("delays", [(1.1,), (1.6,), (2.4,), (3,), (3.4,), (6,), (1.5, 1.5), (3, 3), (2.6, 0, 2)])
def test_a_late_answer_is_never_taken_for_the_answer_to_another_question(delays: tuple[float, ...]) -> None:
    starts = list(range(1001, 1011))
    answers, line = ask(late(*delays), starts)
    assert answers[0] is None
    assert [answer for answer, start in zip(answers, starts, strict=True) if answer not in (None, (start,))] == []
    assert answers[-1] == (1010,)  # and the line is believed again once it behaves
    assert line.most == 1


def test_a_silent_unit_makes_the_others_wait_for_silence_but_not_for_proof() -> None:
    async def run() -> tuple[list[Answer | None], int]:
        def reply(request: bytes) -> list[Reply]:
            return [(0, rtu_registers(request))] if request[0] == 6 else [(1.2 * TIMEOUT, rtu_registers(request))]

        async with (
            gateway(rtu_size, reply) as line,
            Endpoint(TcpPort("127.0.0.1", line.port), MANNERS, rtu=True) as endpoint,
        ):
            asked = [(5, 1001), (6, 1001), (6, 1002), (5, 1003), (6, 1004)]
            return [await attempt(endpoint, start, unit) for unit, start in asked], line.total

    assert asyncio.run(run()) == ([None, (1001,), (1002,), None, (1004,)], 3)


def test_a_cancelled_request_is_as_open_as_one_without_an_answer() -> None:
    async def run() -> list[Answer | None]:
        async with (
            gateway(rtu_size, late(0.9)) as line,
            Endpoint(TcpPort("127.0.0.1", line.port), MANNERS, rtu=True) as endpoint,
        ):
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(TIMEOUT / 2):
                    await endpoint.read(5, Request(3, 1001, 1))
            return [await attempt(endpoint, start) for start in (1002, 1003)]

    assert asyncio.run(run()) == [(1002,), (1003,)]


def test_a_line_that_never_becomes_quiet_gives_nothing() -> None:
    noise = [(0.5 * TIMEOUT, b"\x05\x03\x02\x00\x07" + crc(b"\x05\x03\x02\x00\x07"))] * 60
    calls: list[bytes] = []

    def reply(request: bytes) -> list[Reply]:
        calls.append(request)
        return [(1.5 * TIMEOUT, rtu_registers(request)), *noise] if len(calls) == 1 else []

    answers, _ = ask(reply, [1001, 1002, 1003])
    assert answers == [None, None, None]


def test_a_frame_with_a_wrong_checksum_is_no_answer() -> None:
    answers, _ = ask(lambda request: [(0, rtu_registers(request)[:-1] + b"\x00")], [1001])
    assert answers == [None]


def test_an_answer_of_another_length_or_function_is_not_believed_and_casts_doubt_on_the_next() -> None:
    wrong = [
        lambda request: rtu_registers(request, (1, 2)),
        lambda request: rtu_registers(bytes([request[0], 4]) + request[2:]),
    ]

    def reply(request: bytes) -> list[Reply]:
        return [(0, wrong.pop()(request) if wrong else rtu_registers(request))]

    answers, line = ask(reply, [1001, 1002, 1003])
    assert answers == [
        "the reply is to function 4, asked was 3",
        "short reply: 2 registers where 1 were asked",
        (1003,),
    ]
    assert line.total == 3


PROFILE = """
schema: 1
id: test.meter
revision: 1
kind: electricity_meter
match: {vendor: Test, models: [Meter]}
maturity: document-only
provenance: [{source: "a test"}]
link: {transport: modbus-tcp, timeout: 500ms, max_registers: 2}
blocks: [{id: energy, function: 3, start: 16, count: 4}]
points:
  - {id: import, quantity: electric_energy_import, unit: kWh, class: counter, block: energy, at: 16, type: uint64}
"""


def over_a_cable(
    work: Callable[[str], object], *, delay_first: float = 0.0, registers: tuple[int, ...] = (0, 0, 1, 2)
) -> object:
    """Run something against a real RTU server on the other end of a serial cable."""
    waits = iter([delay_first])

    async def slow(*_: object) -> None:
        await asyncio.sleep(next(waits, 0.0))

    async def run(near: str, far: str) -> object:
        data = [SimData(16, values=list(registers), datatype=DataType.REGISTERS)]
        device = SimDevice(5, simdata=data, action=slow)
        server = ModbusSerialServer(device, framer=FramerType.RTU, port=far, baudrate=9600)
        await server.serve_forever(background=True)
        try:
            return await asyncio.to_thread(work, near)
        finally:
            await server.shutdown()

    with serial_cable() as (near, far):
        return asyncio.run(run(near, far))


def test_a_modbus_profile_is_read_over_a_serial_port_as_over_the_network(tmp_path: Path) -> None:
    file = tmp_path / "meter.yaml"
    file.write_text(PROFILE, encoding="utf-8")
    raw = over_a_cable(lambda port: fetch(load(str(file)), f"modbus-rtu:{port}?baud=9600&parity=N&stop=1#5", utc_now))
    assert [(run.start, run.values) for run in raw.registers] == [(16, (0, 0)), (18, (1, 2))]


def test_a_late_answer_on_a_serial_port_is_thrown_away_too() -> None:
    async def run(port: str) -> list[Answer | None]:
        async with Endpoint(SerialPort(port, 9600, "N", 1), Manners(timeout=0.5)) as endpoint:
            return [await attempt(endpoint, start) for start in (16, 18, 19)]

    found = over_a_cable(lambda port: asyncio.run(run(port)), delay_first=0.8)
    assert found == [None, (1,), (2,)]


def test_a_serial_port_that_is_not_there_is_one_sentence() -> None:
    async def run() -> None:
        async with Endpoint(SerialPort("/dev/there-is-none", 9600, "N", 1), MANNERS) as endpoint:
            await endpoint.read(1, Request(3, 0, 1))

    with pytest.raises(NoConnection, match="no connection to /dev/there-is-none"):
        asyncio.run(run())


def test_a_serial_port_is_not_shared_with_another_program() -> None:
    async def run(port: str) -> str:
        serial = SerialPort(port, 9600, "N", 1)
        async with Endpoint(serial, Manners(timeout=0.5)) as first, Endpoint(serial, Manners(timeout=0.5)) as second:
            await first.read(5, Request(3, 16, 1))
            with pytest.raises(NoConnection) as caught:
                await second.read(5, Request(3, 16, 1))
            return str(caught.value)

    assert "no connection to" in str(over_a_cable(lambda port: asyncio.run(run(port))))
