"""A Modbus device on a free port whose registers a test makes up, served by pymodbus in a thread of its own."""

from __future__ import annotations

import asyncio
import struct
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from simulators.modbus import close, port_of, serve_device

Words = list[int]


def swapped(words: Words) -> Words:
    """Turn the order of the words around."""
    return words[::-1]


def f32(value: float) -> Words:
    """Return a 32-bit float, high word first."""
    return list(struct.unpack(">HH", struct.pack(">f", value)))


def whole(value: int, words: int) -> Words:
    """Return a whole number in so many registers, high word first; negative ones as two's complement."""
    return [value >> 16 * place & 0xFFFF for place in reversed(range(words))]


@contextmanager
def field_device(function: int, image: Callable[[], Mapping[int, Words]]) -> Iterator[str]:
    """Serve registers by first address, worked out anew at every request; gives the link to unit 1."""
    ready, ended = threading.Event(), asyncio.Event()
    ports: list[int] = []
    loop = asyncio.new_event_loop()

    async def serve() -> None:
        blocks = {start: len(words) for start, words in image().items()}
        server = await serve_device("127.0.0.1", 0, blocks, function, image, "test device")
        ports.append(port_of(server))
        ready.set()
        await ended.wait()
        await close(server)

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()), daemon=True)
    thread.start()
    assert ready.wait(10)
    try:
        yield f"modbus-tcp://127.0.0.1:{ports[0]}/1"
    finally:
        loop.call_soon_threadsafe(ended.set)
        thread.join(10)
        loop.close()
