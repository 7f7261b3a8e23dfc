"""Modbus: when to ask, what to ask, and which answers not to believe."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from collector.catalogue import FOLDER, load
from collector.links import TcpPort
from collector.plan import Answer, Request, model_map, requests
from collector.profile import Transport
from collector.raw import Registers
from collector.raw import load as load_raw
from collector.refusal import NoAnswer, NoValue
from collector.registers import Memory
from collector.sources.endpoint import Endpoint
from collector.sources.line import Manners


def answers(memory: Memory) -> Callable[[Request], Answer]:
    """Answer like a device that has exactly these registers."""

    def answer(request: Request) -> Answer:
        try:
            return memory.words(request.function, request.start, request.count)
        except NoValue:
            return "illegal data address (exception 2)"

    return answer


def hold(
    profile_name: str,
    answer: Callable[[Request], Answer],
    known: tuple[Registers, ...] = (),
    resting: Collection[str] = (),
):
    conversation = requests(load(profile_name), known, resting)
    asked = []
    try:
        request = next(conversation)
        while True:
            asked.append(request)
            request = conversation.send(answer(request))
    except StopIteration as end:
        return asked, end.value


def fixture(name: str) -> Path:
    return FOLDER / "fixtures" / f"{name}.json"


def test_only_declared_registers_are_asked_for() -> None:
    asked, found = hold("kwb.boiler", answers(Memory(load_raw(fixture("kwb.boiler")).registers)))
    declared = [(block.function, block.start, block.count) for block in load("kwb.boiler").blocks]
    assert [(request.function, request.start, request.count) for request in asked] == declared
    assert all(run.error is None for run in found)


def test_a_refused_block_costs_only_itself() -> None:
    whole = answers(Memory(load_raw(fixture("kwb.boiler")).registers))
    _, found = hold("kwb.boiler", lambda request: "busy" if request.start == 9661 else whole(request))
    assert [run.start for run in found if run.error is not None] == [9661]


@pytest.mark.parametrize("name", ["sunspec.inverter", "sunspec.inverter.float", "sunspec.inverter.der"])
def test_models_are_found_and_read_whole_in_parts_of_125_at_most(name: str) -> None:
    memory = Memory(load_raw(fixture(name)).registers)
    asked, found = hold("sunspec.inverter", answers(memory))
    assert max(request.count for request in asked) <= 125
    known = model_map(found)
    again, _ = hold("sunspec.inverter", answers(memory), known)
    assert len(again) < len(asked)  # the second poll does not walk the models again
    assert [request for request in again if request not in asked] == []


def test_a_map_that_was_cut_short_is_looked_up_again() -> None:
    memory = Memory(load_raw(fixture("sunspec.inverter")).registers)
    calls = iter(range(100))

    def busy_at_the_third(request: Request) -> Answer:
        return "device busy (exception 6)" if next(calls) in (3, 4) else answers(memory)(request)

    _, found = hold("sunspec.inverter", busy_at_the_third)
    assert model_map(found) == ()


def test_blocks_at_rest_are_not_asked_for() -> None:
    memory = Memory(load_raw(fixture("kwb.boiler")).registers)
    blocks = load("kwb.boiler").blocks
    asked, _ = hold("kwb.boiler", answers(memory), resting={blocks[0].id})
    assert [request.start for request in asked] == [block.start for block in blocks[1:]]


def test_an_end_block_without_a_length_ends_the_walk() -> None:
    words = [0x5375, 0x6E53, 103, 50, *([0] * 50), 0xFFFF]
    asked, found = hold("sunspec.inverter", answers(Memory([Registers(3, 0, tuple(words))])))
    assert asked[-2:] == [Request(3, 54, 1), Request(3, 2, 52)]
    assert found[-1].values[:2] == (103, 50)


def test_a_chain_of_models_that_never_ends_is_given_up() -> None:
    def answer(request: Request) -> Answer:
        return (0x5375, 0x6E53) if request.start == 40000 else (9, 0)[: request.count]

    asked, _ = hold("sunspec.inverter", answer)
    assert len(asked) < 80


@asynccontextmanager
async def device(reply: Callable[[int, int, int, int], bytes | None]) -> AsyncIterator[Endpoint]:
    """Serve raw Modbus TCP: what comes back for unit, function, start and count is up to the test; None is silence."""

    ended: list[asyncio.Event] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        ended.append(asyncio.Event())
        mine = ended[-1]
        try:
            while True:
                head = await reader.readexactly(12)
                number, _, _, unit, function, start, count = struct.unpack(">HHHBBHH", head)
                body = reply(unit, function, start, count)
                if body is None:
                    continue
                writer.write(struct.pack(">HHHB", number, 0, len(body) + 1, unit) + body)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()
            mine.set()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    try:
        async with Endpoint(TcpPort("127.0.0.1", port), Manners(timeout=0.3)) as endpoint:
            yield endpoint
    finally:
        server.close()
        await server.wait_closed()
        for event in ended:
            await event.wait()


def words(function: int, *values: int) -> bytes:
    return struct.pack(f">BB{len(values)}H", function, 2 * len(values), *values)


def ask(reply: Callable[[int, int, int, int], bytes | None], request: Request, times: int = 1) -> list[Answer | str]:
    async def run() -> list[Answer | str]:
        found: list[Answer | str] = []
        async with device(reply) as endpoint:
            for _ in range(times):
                try:
                    found.append(await endpoint.read(7, request))
                except NoAnswer as error:
                    found.append(f"no answer: {error}")
        return found

    return asyncio.run(run())


def test_who_shares_a_line_gets_the_manners_of_the_most_delicate() -> None:
    quick = Transport(transport="modbus-tcp", timeout="1s")
    slow = Transport(transport="modbus-tcp", timeout="10s", connect_delay="1500ms", idle_close="30s")
    shy = Transport(transport="modbus-tcp", request_gap="50ms", keep_open="false", idle_close="2min")
    assert Manners.strictest([quick]) == Manners(timeout=1)
    assert Manners.strictest([quick, slow, shy]) == Manners(10, 1.5, 0.05, keep_open=False, idle_close=30)


def test_registers_are_read() -> None:
    assert ask(lambda unit, function, start, count: words(function, unit, start), Request(4, 300, 2)) == [(7, 300)]


def test_a_short_reply_is_not_believed() -> None:
    (found,) = ask(lambda *_: words(3, 1), Request(3, 0, 4))
    assert found == "short reply: 1 registers where 4 were asked"


def test_a_reply_to_another_function_is_not_believed() -> None:
    (found,) = ask(lambda *_: words(4, 1, 2), Request(3, 0, 2))
    assert found == "the reply is to function 4, asked was 3"


def test_a_refusal_is_told_in_words() -> None:
    (found,) = ask(lambda *_: bytes([0x83, 6]), Request(3, 0, 2))
    assert found == "device busy (exception 6)"


@pytest.mark.parametrize("code", [10, 11])
def test_what_a_gateway_says_of_a_device_that_is_away_is_no_answer_of_the_device(code: int) -> None:
    (found,) = ask(lambda *_: bytes([0x83, code]), Request(3, 0, 2))
    assert str(found).startswith("no answer: no answer from 127.0.0.1:")


def test_a_refusal_of_another_function_is_not_taken_for_one_of_ours() -> None:
    (found,) = ask(lambda *_: bytes([0x84, 2]), Request(3, 0, 2))
    assert found == "the reply is to function 4, asked was 3"


def test_silence_drops_the_connection_and_the_next_request_makes_a_new_one() -> None:
    calls = []

    def reply(_unit: int, function: int, start: int, _count: int) -> bytes | None:
        calls.append(start)
        return None if len(calls) == 1 else words(function, 5)

    silent, answered = ask(reply, Request(3, 9, 1), times=2)
    assert isinstance(silent, str)
    assert silent.startswith("no answer: no answer from 127.0.0.1:")
    assert answered == (5,)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\x03",
        b"\x03\xff",
        b"\x03\x04\x00",
        b"\x03\x03\x00\x01\x02",
        b"\x83",
        b"\x83\x63",
        b"\x07\x01",
        b"\xff" * 200,
    ],
)
def test_garbage_is_no_answer_or_a_refusal_and_never_registers(body: bytes) -> None:
    (found,) = ask(lambda *_: body, Request(3, 0, 2))
    assert isinstance(found, str)


def test_nobody_listening_is_no_answer() -> None:
    async def run() -> None:
        async with Endpoint(TcpPort("127.0.0.1", 9), Manners(timeout=0.3)) as endpoint:
            await endpoint.read(1, Request(3, 0, 1))

    with pytest.raises(NoAnswer, match=r"no connection to 127\.0\.0\.1:9"):
        asyncio.run(run())
