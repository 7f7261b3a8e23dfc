"""Gateways, serial cables and meters for tests: real sockets and pseudo-terminals, with the manners of bad devices."""

from __future__ import annotations

import asyncio
import os
import select
import struct
import threading
import tty
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field

HOST = "127.0.0.1"
Reply = tuple[float, bytes]
"""Seconds to wait, then what to send."""


@dataclass
class Gateway:
    """A TCP server that behaves like a serial gateway: what the line says goes to whoever is connected then."""

    size: Callable[[bytes], int]
    """Length of the request a buffer begins with, 0 while it is not whole."""
    reply: Callable[[bytes], list[Reply]]
    port: int = 0
    asked: list[bytes] = field(default_factory=list)
    open: int = 0
    most: int = 0
    """Connections that were open at once, at most."""
    total: int = 0
    _writer: asyncio.StreamWriter | None = None
    _line: asyncio.Lock = field(default_factory=asyncio.Lock)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)
    _served: set[asyncio.Task[None]] = field(default_factory=set)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.open:
            await asyncio.sleep(0.05)  # what was hung up a moment ago is not open any more
        self.open, self.total = self.open + 1, self.total + 1
        self.most = max(self.most, self.open)
        self._writer = writer
        me = asyncio.current_task()
        assert me is not None
        self._served.add(me)
        me.add_done_callback(self._served.discard)
        buffer = b""
        try:
            while received := await reader.read(4096):
                buffer += received
                while size := self.size(buffer):
                    request, buffer = buffer[:size], buffer[size:]
                    self.asked.append(request)
                    self._later(self._speak(self.reply(request)))
        except ConnectionError:
            pass
        finally:
            self.open -= 1
            writer.close()

    def hang_up(self) -> None:
        if self._writer is not None:
            self._writer.close()

    def _later(self, work: asyncio.Future[None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _speak(self, replies: list[Reply]) -> None:
        async with self._line:  # one device at a time, as on a wire
            for seconds, content in replies:
                await asyncio.sleep(seconds)
                with suppress(ConnectionError):
                    if self._writer is not None:
                        self._writer.write(content)
                        await self._writer.drain()

    async def stop(self) -> None:
        for task in list(self._tasks):
            task.cancel()
        self.hang_up()
        while self._served:
            await asyncio.wait(self._served)


@asynccontextmanager
async def gateway(size: Callable[[bytes], int], reply: Callable[[bytes], list[Reply]]) -> AsyncIterator[Gateway]:
    """Serve on a free port."""
    served = Gateway(size, reply)
    server = await asyncio.start_server(served.serve, HOST, 0)
    served.port = server.sockets[0].getsockname()[1]
    try:
        yield served
    finally:
        server.close()
        await served.stop()
        await server.wait_closed()


@contextmanager
def in_thread(size: Callable[[bytes], int], reply: Callable[[bytes], list[Reply]]) -> Iterator[Gateway]:
    """Serve from a thread of its own, for callers that have a loop of theirs."""
    ready, found = threading.Event(), []

    async def run() -> None:
        done = asyncio.Event()
        async with gateway(size, reply) as served:
            found.extend([served, asyncio.get_running_loop(), done])
            ready.set()
            await done.wait()

    thread = threading.Thread(target=lambda: asyncio.run(run()))
    thread.start()
    assert ready.wait(10)
    served, loop, done = found
    try:
        yield served
    finally:
        loop.call_soon_threadsafe(done.set)
        thread.join(10)


@contextmanager
def serial_cable() -> Iterator[tuple[str, str]]:
    """Connect two pseudo-terminals like two serial ports with a cable between them; yields their paths."""
    masters, slaves = zip(*(os.openpty() for _ in range(2)), strict=True)
    for end in (*masters, *slaves):
        tty.setraw(end)
    stopped = threading.Event()

    def relay() -> None:
        while not stopped.is_set():
            for end in select.select(masters, [], [], 0.05)[0]:
                os.write(masters[1 - masters.index(end)], os.read(end, 4096))

    thread = threading.Thread(target=relay)
    thread.start()
    try:
        yield os.ttyname(slaves[0]), os.ttyname(slaves[1])
    finally:
        stopped.set()
        thread.join(5)
        for end in (*masters, *slaves):
            os.close(end)


def crc(content: bytes) -> bytes:
    """Checksum of an RTU frame, low byte first."""
    register = 0xFFFF
    for byte in content:
        register ^= byte
        for _ in range(8):
            register = (register >> 1) ^ (0xA001 if register & 1 else 0)
    return struct.pack("<H", register)


def rtu_size(buffer: bytes) -> int:
    """Length of a read request in RTU frames."""
    return 8 if len(buffer) >= 8 else 0


def tcp_size(buffer: bytes) -> int:
    """Length of a read request in Modbus TCP frames."""
    return 12 if len(buffer) >= 12 else 0


def rtu_registers(request: bytes, values: tuple[int, ...] | None = None) -> bytes:
    """Answer an RTU request; every register holds its own address unless values are given."""
    unit, function, start, count = struct.unpack(">BBHH", request[:6])
    words = values if values is not None else tuple(range(start, start + count))
    body = struct.pack(f">BBB{len(words)}H", unit, function, 2 * len(words), *words)
    return body + crc(body)


def tcp_registers(request: bytes) -> bytes:
    """Answer a Modbus TCP request; every register holds its own address."""
    number, _, _, unit, function, start, count = struct.unpack(">HHHBBHH", request)
    body = struct.pack(f">BBB{count}H", unit, function, 2 * count, *range(start, start + count))
    return struct.pack(">HHH", number, 0, len(body)) + body


def tcp_refusal(request: bytes, code: int) -> bytes:
    """Refuse a Modbus TCP request."""
    number, _, _, unit, function, _, _ = struct.unpack(">HHHBBHH", request)
    return struct.pack(">HHHBBB", number, 0, 3, unit, function | 0x80, code)


def mbus_size(buffer: bytes) -> int:
    """Length of what a master sends on an M-Bus."""
    wanted = 5 if buffer[:1] == b"\x10" else buffer[1] + 6 if len(buffer) > 1 else 1
    return wanted if buffer and len(buffer) >= wanted else 0


def mbus_telegram(address: int, records: bytes, number: int = 12345678) -> bytes:
    """Return an answer with a header (water meter of maker ABC, version 7) and these records."""
    digits = bytes.fromhex(f"{number:08d}")[::-1]
    header = digits + bytes([0x43, 0x04, 7, 4, 1, 0, 0, 0])
    body = bytes([0x08, address, 0x72]) + header + records
    return bytes([0x68, len(body), len(body), 0x68]) + body + bytes([sum(body) & 0xFF, 0x16])


@contextmanager
def meter_at(path: str, reply: Callable[[bytes], list[Reply]]) -> Iterator[None]:
    """Be a meter on a serial port."""
    end = os.open(path, os.O_RDWR | os.O_NOCTTY)
    stopped = threading.Event()

    def serve() -> None:
        buffer = b""
        while not stopped.is_set():
            if select.select([end], [], [], 0.05)[0]:
                buffer += os.read(end, 4096)
            while size := mbus_size(buffer):
                request, buffer = buffer[:size], buffer[size:]
                for seconds, content in reply(request):
                    stopped.wait(seconds)
                    os.write(end, content)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield
    finally:
        stopped.set()
        thread.join(5)
        os.close(end)
