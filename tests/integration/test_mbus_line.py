"""M-Bus: whole telegrams of the meter that was asked, and no way to hang."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from collector.catalogue import load
from collector.commands import fetch
from collector.links import TcpPort
from collector.refusal import NoAnswer, NoConnection
from collector.sources import telegram
from collector.sources.line import Manners
from collector.sources.mbus import MOST_TELEGRAMS, MbusLine
from core.errors import Unavailable
from core.time import utc_now
from tests.support.broker import free_port
from tests.support.fieldbus import Gateway, Reply, gateway, in_thread, mbus_size, mbus_telegram, meter_at, serial_cable

ACK = b"\xe5"
ENERGY = bytes.fromhex("0C0678563412")  # 12345678 kWh as digits
LAST, MORE = ENERGY + b"\x0f\x01\x02", ENERGY + b"\x1f"
NOTHING: list[Reply] = []
MANNERS = Manners(timeout=0.3)


class Meter:
    """A meter that resets, can be selected, and sends its telegrams one by one, repeating one when asked the same."""

    def __init__(self, *records: bytes, address: int = 5, number: int = 12345678) -> None:
        self.records, self.address, self.number = records, address, number
        self.selected, self.at, self.count_bit = False, 0, 0

    def __call__(self, request: bytes) -> list[Reply]:
        if request[0] == telegram.LONG:
            mask = request[7:11][::-1].hex()
            wanted = f"{self.number:08d}"
            self.selected = all(digit in ("f", true) for digit, true in zip(mask, wanted, strict=True))
            self.at = self.count_bit = 0
            return [(0, ACK)] if self.selected else NOTHING
        control, address = request[1], request[2]
        if address != self.address and not (address == telegram.SELECTED and self.selected):
            return NOTHING
        if control == telegram.RESET:
            self.at = self.count_bit = 0
            return [(0, ACK)]
        if self.count_bit and control != self.count_bit:
            self.at = (self.at + 1) % len(self.records)
        self.count_bit = control
        return [(0, mbus_telegram(self.address, self.records[self.at], self.number))]


def read(
    reply: Callable[[bytes], list[Reply]], address: int | str = 5, times: int = 1
) -> tuple[list[tuple[bytes, ...] | str], Gateway]:
    """Read a meter behind a gateway some times on one line; a refusal is told as its sentence."""

    async def run() -> tuple[list[tuple[bytes, ...] | str], Gateway]:
        async with gateway(mbus_size, reply) as served:
            line = MbusLine(TcpPort("127.0.0.1", served.port), MANNERS, utc_now)
            found: list[tuple[bytes, ...] | str] = []
            for _ in range(times):
                try:
                    found.append(await line.read(address))
                except NoAnswer as error:
                    found.append(str(error))
            await line.close()
            return found, served

    return asyncio.run(run())


def test_a_meter_is_reset_asked_and_its_telegram_handed_on_whole() -> None:
    (frames,), served = read(Meter(LAST))
    assert frames == (mbus_telegram(5, LAST),)
    assert served.asked == [bytes.fromhex("1040054516"), bytes.fromhex("107B058016")]


def test_all_telegrams_are_read_with_the_count_bit_turning() -> None:
    second, third = b"\x04\x13\x01\x00\x00\x00" + MORE, b"\x02\x5a\x10\x02"
    (frames,), served = read(Meter(MORE, second, third))
    assert frames == tuple(mbus_telegram(5, records) for records in (MORE, second, third))
    assert [request[1] for request in served.asked] == [0x40, 0x7B, 0x5B, 0x7B]


def test_a_meter_is_selected_by_its_number() -> None:
    (frames,), served = read(Meter(LAST, address=9), "12345678FFFFFFFF")
    assert frames == (mbus_telegram(9, LAST),)
    assert served.asked[1] == bytes.fromhex("680B0B6853FD5278563412FFFFFFFFB216")


def test_a_meter_that_is_not_selected_is_silent() -> None:
    (said,), _ = read(Meter(LAST), "87654321FFFFFFFF")
    assert said.startswith("no answer from 127.0.0.1:")
    assert said.endswith(" meter 87654321FFFFFFFF")


def test_a_meter_without_a_word_for_a_reset_is_read_all_the_same() -> None:
    meter = Meter(LAST)
    (frames,), _ = read(lambda request: NOTHING if request[1] == telegram.RESET else meter(request))
    assert frames == (mbus_telegram(5, LAST),)


def test_an_echo_of_what_was_sent_is_no_answer() -> None:
    meter = Meter(LAST, address=9)
    (frames,), _ = read(lambda request: [(0, request), *meter(request)], "12345678FFFFFFFF")
    assert frames == (mbus_telegram(9, LAST),)


def test_another_meter_s_answer_is_not_taken() -> None:
    for address in (5, "12345678FFFFFFFF"):
        (said,), _ = read(
            lambda request: [(0, ACK if request[1] != 0x7B else mbus_telegram(6, LAST, number=99))], address
        )
        assert said.startswith(f"another meter than {address} answered")


def test_a_meter_that_does_not_count_requests_is_read_once() -> None:
    (frames,), _ = read(lambda request: [(0, ACK if request[1] == telegram.RESET else mbus_telegram(5, MORE))])
    assert frames == (mbus_telegram(5, MORE),)


def test_a_meter_that_always_has_more_to_say_is_left_in_the_end() -> None:
    counter = iter(range(1000))

    def endless(request: bytes) -> list[Reply]:
        if request[1] == telegram.RESET:
            return [(0, ACK)]
        return [(0, mbus_telegram(5, bytes([0x01, 0x13, next(counter) % 256]) + MORE))]

    (frames,), _ = read(endless)
    assert len(frames) == MOST_TELEGRAMS


GOOD = mbus_telegram(5, LAST)
FREEZES: dict[str, Callable[[bytes], list[Reply]]] = {
    "says nothing": lambda _: NOTHING,
    "stops in the middle": lambda _: [(0, GOOD[:10])],
    "begins and stops": lambda _: [(0, b"\x68")],
    "sends a byte now and then": lambda _: [(0.02, b"\x68\x20\x20\x68")] + [(0.02, b"\x01")] * 20,
    "acknowledges for ever": lambda _: [(0.02, ACK)] * 40,
    "sends noise for ever": lambda _: [(0.02, b"\x00\xff\x33")] * 40,
    "has a wrong checksum": lambda _: [(0, GOOD[:-2] + b"\x00\x16")],
    "has two lengths": lambda _: [(0, b"\x68\x20\x21\x68" + GOOD[4:])],
    "has no room for an address": lambda _: [(0, b"\x68\x02\x02\x68\x08\x05\x0d\x16")],
}


@pytest.mark.parametrize("kind", FREEZES)
def test_a_driver_never_freezes_until_it_is_restarted(kind: str) -> None:
    """The meter comes back without anybody doing anything."""
    meter, bad = Meter(LAST), FREEZES[kind]
    left = [2]  # a reset and a request

    def reply(request: bytes) -> list[Reply]:
        left[0] -= 1
        return bad(request) if left[0] >= 0 else meter(request)

    found, served = read(reply, times=4)
    assert isinstance(found[0], str)
    assert found[-1] == (GOOD,)
    assert served.most == 1


def test_a_gateway_that_hangs_up_is_called_again() -> None:
    async def run() -> list[object]:
        meter = Meter(LAST)
        async with gateway(mbus_size, meter) as served:
            line = MbusLine(TcpPort("127.0.0.1", served.port), MANNERS, utc_now)
            found: list[object] = [await line.read(5)]
            served.hang_up()
            await asyncio.sleep(0.1)
            with pytest.raises(NoAnswer, match="hung up while meter 5 was asked"):
                await line.read(5)
            found.append(await line.read(5))
            await line.close()
            return found

    assert asyncio.run(run()) == [(GOOD,), (GOOD,)]


def test_a_gateway_that_is_away_is_one_clause() -> None:
    async def run() -> None:
        await MbusLine(TcpPort("127.0.0.1", free_port()), MANNERS, utc_now).read(5)

    with pytest.raises(NoConnection, match=r"^no connection to 127\.0\.0\.1:\d+$"):
        asyncio.run(run())


PROFILE = """
schema: 1
id: test.heat
revision: 1
kind: heat_meter
match: {vendor: Test, models: [Heat]}
maturity: document-only
provenance: [{source: "a test"}]
link: {transport: mbus, timeout: 200ms}
points: [{id: energy, quantity: thermal_energy, unit: kWh, class: counter, mbus: {record: energy_wh}}]
"""


def test_a_meter_is_fetched_over_a_gateway_and_over_a_serial_port(tmp_path: Path) -> None:
    file = tmp_path / "heat.yaml"
    file.write_text(PROFILE, encoding="utf-8")
    profile = load(str(file))
    with in_thread(mbus_size, Meter(LAST)) as served:
        assert fetch(profile, f"mbus-tcp://127.0.0.1:{served.port}/5", utc_now).frames == (GOOD,)
        with pytest.raises(Unavailable, match="could not be read: no answer from 127"):
            fetch(profile, f"mbus-tcp://127.0.0.1:{served.port}/6", utc_now)
    with serial_cable() as (near, far), meter_at(far, Meter(LAST)):
        # A pseudo-terminal has no parity bit, so the even parity of the standard cannot be set on it.
        assert fetch(profile, f"mbus-serial:{near}?parity=N#5", utc_now).frames == (GOOD,)
        with pytest.raises(Unavailable, match=r"cannot be used with these settings|no answer"):
            fetch(profile, f"mbus-serial:{near}#6", utc_now)
