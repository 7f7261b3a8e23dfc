"""M-Bus: a line is one gateway or serial port, whatever the number of meters behind it.

A read is a reset or a selection, then one request per telegram until the meter has no more. Every wait has a deadline,
and after any failure the line is opened anew and given time to become quiet, so that nothing can hang or be mixed up.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime
from time import monotonic
from typing import Final

from collector.links import MbusLink, Port, SerialPort
from collector.mbus import more_follow
from collector.profile import Profile
from collector.raw import Raw
from collector.refusal import NoAnswer
from collector.sources import telegram
from collector.sources.line import Answer, Manners
from collector.sources.wire import Wire, open_wire

MOST_TELEGRAMS: Final = 16
"""No meter has more to say than this in one read."""
_BITS_PER_FRAME: Final = 261 * 11
_USUAL_BAUD: Final = 2400
_RESET_SECONDS: Final = 0.5
"""How long a reset waits for its acknowledgement, which some meters leave out."""
_SETTLE_SECONDS: Final = 0.02


class MbusLine:
    """All meters behind one port.

    Parameters
    ----------
    port
        Where it is.
    manners
        What its meters need.
    clock
        Tells the time.
    """

    def __init__(self, port: Port, manners: Manners, clock: Callable[[], datetime]) -> None:
        self.port, self.manners, self.clock = port, manners, clock
        baud = port.baud if isinstance(port, SerialPort) else _USUAL_BAUD
        self._frame_seconds = manners.timeout + _BITS_PER_FRAME / baud
        self._wire: Wire | None = None
        self._quiet_from = 0.0

    def reader(self, link: MbusLink, profile: Profile) -> MbusReader:  # noqa: ARG002 - as the other lines have it
        """Return a reader of one meter."""
        return MbusReader(self, link.address)

    async def close(self) -> None:
        """Hang up."""
        if self._wire is not None:
            self._wire.close()
            self._wire = None

    async def read(self, address: int | str) -> tuple[bytes, ...]:
        """Read all telegrams of one meter.

        Raises
        ------
        NoAnswer
            If it does not answer as it should; the line is then opened anew.
        """
        done = False
        try:
            wire = await self._connected()
            frames = await self._telegrams(wire, address)
            done = True
        except TimeoutError:
            raise NoAnswer(f"no answer from {self.port} meter {address}") from None
        except ValueError:
            raise NoAnswer(f"the answer of {self.port} meter {address} is damaged") from None
        except (EOFError, OSError):
            raise NoAnswer(f"{self.port} hung up while meter {address} was asked") from None
        finally:
            if not done:
                await self.close()
                self._quiet_from = monotonic() + self.manners.timeout
        if not self.manners.keep_open:
            await self.close()
        return frames

    async def _connected(self) -> Wire:
        if self._wire is None:
            self._wire = await open_wire(self.port, self.manners.timeout)
            await asyncio.sleep(self.manners.connect_delay)
            await self._wire.discard(max(_SETTLE_SECONDS, self._quiet_from - monotonic()))
        return self._wire

    async def _telegrams(self, wire: Wire, address: int | str) -> tuple[bytes, ...]:
        asked = address if isinstance(address, int) else telegram.SELECTED
        await self._reset(wire, asked)
        if isinstance(address, str):
            await self._send(wire, telegram.select(address))
            await self._acknowledged(wire, self._frame_seconds)
        frames: list[bytes] = []
        control = telegram.REQUEST
        while len(frames) < MOST_TELEGRAMS:
            await self._send(wire, telegram.short(control, asked))
            frame = await self._answer(wire)
            if not telegram.is_from(frame, address):
                raise NoAnswer(f"another meter than {address} answered on {self.port}")
            if frames and telegram.content(frame) == telegram.content(frames[-1]):
                break  # it does not count requests and would say the same for ever
            frames.append(frame)
            if not more_follow(frame):
                break
            control ^= telegram.COUNT_BIT
        return tuple(frames)

    async def _send(self, wire: Wire, frame: bytes) -> None:
        await wire.discard(max(_SETTLE_SECONDS, self.manners.request_gap))
        wire.send(frame)

    async def _reset(self, wire: Wire, address: int) -> None:
        await self._send(wire, telegram.short(telegram.RESET, address))
        try:
            await self._acknowledged(wire, min(_RESET_SECONDS, self.manners.timeout))
        except TimeoutError:
            return  # the request that follows tells whether it is there

    async def _acknowledged(self, wire: Wire, seconds: float) -> None:
        async with asyncio.timeout(seconds):
            while (await self._next(wire))[0] != telegram.ACKNOWLEDGED:
                pass

    async def _answer(self, wire: Wire) -> bytes:
        async with asyncio.timeout(self._frame_seconds):
            while True:
                frame = await self._next(wire)
                if frame[0] == telegram.LONG and telegram.is_answer(frame):
                    return frame

    @staticmethod
    async def _next(wire: Wire) -> bytes:
        """Read an acknowledgement, a short or a long frame; converters that echo send us our own."""
        while True:
            first = await wire.reader.readexactly(1)
            if first[0] == telegram.ACKNOWLEDGED:
                return first
            if first[0] == telegram.SHORT:
                return first + await wire.reader.readexactly(telegram.SHORT_SIZE - 1)
            if first[0] == telegram.LONG:
                head = first + await wire.reader.readexactly(3)
                frame = head + await wire.reader.readexactly(telegram.rest_of(head))
                if not telegram.sound(frame):
                    raise ValueError
                return frame


class MbusReader:
    """One meter."""

    def __init__(self, line: MbusLine, address: int | str) -> None:
        self._line, self._address = line, address

    async def read(self) -> Answer:
        """Read all telegrams.

        Raises
        ------
        NoAnswer
            See `MbusLine.read`.
        """
        frames = await self._line.read(self._address)
        return Answer(Raw(self._line.clock(), frames=frames))

    def forget(self) -> None:
        """Remember nothing: every read begins with a reset."""
