"""A stream of bytes to a gateway or a serial port."""

from __future__ import annotations

import asyncio
import termios
from collections.abc import Callable
from typing import Final

import serial

from collector.links import Port, SerialPort, TcpPort
from collector.refusal import NoConnection

_MOST: Final = 4096
_WRITE_SECONDS: Final = 1.0


class Wire:
    """An open stream; use `open_wire`."""

    def __init__(
        self, reader: asyncio.StreamReader, send: Callable[[bytes], object], close: Callable[[], None]
    ) -> None:
        self.reader, self.send, self.close = reader, send, close

    async def discard(self, seconds: float) -> None:
        """Throw away what comes within a time.

        Raises
        ------
        EOFError
            If the other side hung up.
        """
        try:
            async with asyncio.timeout(seconds):
                while await self.reader.read(_MOST):
                    pass
        except TimeoutError:
            return
        raise EOFError


async def open_wire(port: Port, seconds: float) -> Wire:
    """Connect within a time.

    Raises
    ------
    NoConnection
        If that is not possible.
    """
    try:
        if isinstance(port, SerialPort):
            return _open_serial(port)
        async with asyncio.timeout(seconds):
            return await _open_tcp(port)
    except termios.error as error:
        raise NoConnection(f"{port} cannot be used with these settings: {error.args[-1]}") from None
    except (OSError, TimeoutError):
        raise NoConnection(f"no connection to {port}") from None


async def _open_tcp(port: TcpPort) -> Wire:
    reader, writer = await asyncio.open_connection(port.host, port.port)
    return Wire(reader, writer.write, writer.close)


def _open_serial(port: SerialPort) -> Wire:
    device = serial.Serial(
        port.path,
        port.baud,
        parity=port.parity,
        stopbits=port.stop,
        timeout=0,
        write_timeout=_WRITE_SECONDS,
        exclusive=True,
    )
    loop, reader = asyncio.get_running_loop(), asyncio.StreamReader()

    def readable() -> None:
        try:
            content = device.read(_MOST)
        except serial.SerialException:  # unplugged
            content = b""
        if content:
            reader.feed_data(content)
        else:
            loop.remove_reader(device.fileno())
            reader.feed_eof()

    def close() -> None:
        loop.remove_reader(device.fileno())
        device.close()

    loop.add_reader(device.fileno(), readable)
    return Wire(reader, device.write, close)
