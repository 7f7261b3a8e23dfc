"""One Modbus connection: the only place that knows pymodbus.

pymodbus does not check that an answer has the asked length or function, and reconnects by rules of its own; here an
answer is checked, and a connection that failed is closed and made anew by whoever asks next.

RTU frames carry no transaction number: an answer that comes late looks like the answer to whatever the unit was asked
since. So after a request that stayed open the connection is dropped, and nothing is asked on the new one until it has
been silent for longer than the slowest answer. Of the unit that stayed silent an answer is then believed only if
nothing follows it: had it been a late one, the true one would still come.
"""

from __future__ import annotations

import asyncio
import logging
import termios
from time import monotonic
from types import TracebackType
from typing import Final, Self

from pymodbus import FramerType
from pymodbus.client import AsyncModbusSerialClient, AsyncModbusTcpClient
from pymodbus.exceptions import ModbusException
from pymodbus.pdu import ModbusPDU

from collector import metrics
from collector.links import Port, SerialPort
from collector.plan import Answer, Request
from collector.refusal import NoAnswer, NoConnection
from collector.sources.line import Manners

logging.getLogger("pymodbus.logging").setLevel(logging.CRITICAL)  # what it says is said here, once and in words

_EXCEPTIONS: Final = {
    1: "illegal function",
    2: "illegal data address",
    3: "illegal data value",
    4: "device failure",
    5: "acknowledged, not done",
    6: "device busy",
    10: "gateway path unavailable",
    11: "gateway target did not respond",
}
_NOT_THERE: Final = frozenset({10, 11})
"""What a gateway says of a device that is away."""
_FUNCTION_BITS: Final = 0x7F  # the bit above marks a refusal
_INPUT_REGISTERS: Final = 4
_SILENCE: Final = 1.5
"""How long a line must be silent after an open request [timeouts]: longer than the slowest answer."""
_PROOF: Final = 4.0
"""How long nothing may follow the first answer of a unit that had stayed silent [timeouts]."""
_TRIES: Final = 3

_Client = AsyncModbusTcpClient | AsyncModbusSerialClient


class Endpoint:
    """A connection to one port, made when first used; one request at a time.

    Parameters
    ----------
    port
        Of the device or gateway, or a serial port.
    manners
        How to treat it.
    rtu
        Whether frames are RTU frames; always so on a serial port.
    """

    def __init__(self, port: Port, manners: Manners | None = None, *, rtu: bool = False) -> None:
        self._port, self._manners = port, manners or Manners()
        self._rtu = rtu or isinstance(port, SerialPort)
        self._client: _Client | None = None
        self._used = 0.0
        self._received = 0
        self._restless = False
        self._doubtful: set[int] = set()
        self.connections = 0
        """How many connections were made."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection; the next request makes a new one."""
        if self._client is not None:
            self._client.close()
            self._client = None

    async def read(self, unit: int, request: Request) -> Answer:
        """Ask for registers.

        Returns
        -------
        tuple of int, or str
            The registers; or why the device refused them, as a clause.

        Raises
        ------
        NoAnswer
            If there is no connection or no answer; the connection is closed, except where a gateway answers for a
            device that is away.
        """
        client = await self._connected()
        if self._restless:
            await self._fall_silent()
        await asyncio.sleep(max(0.0, self._used + self._manners.request_gap - monotonic()))
        reply = await self._reply(client, unit, request)
        if unit in self._doubtful:
            await self._prove(unit)
        code = getattr(reply, "exception_code", None)
        if code in _NOT_THERE:
            raise NoAnswer(f"no answer from {self._port} unit {unit}: {_EXCEPTIONS[code]} (exception {code})")
        function = reply.function_code & _FUNCTION_BITS
        if function != request.function:
            self._mistrust(unit)
            return f"the reply is to function {function}, asked was {request.function}"
        if reply.isError():
            return f"{_EXCEPTIONS.get(code or 0, 'exception')} (exception {code})"
        if len(reply.registers) != request.count:
            self._mistrust(unit)
            return f"short reply: {len(reply.registers)} registers where {request.count} were asked"
        return tuple(reply.registers)

    async def _reply(self, client: _Client, unit: int, request: Request) -> ModbusPDU:
        """Ask; a request that stays open for whatever reason, cancelling included, costs the connection."""
        ask = client.read_input_registers if request.function == _INPUT_REGISTERS else client.read_holding_registers
        reply: ModbusPDU | None = None
        try:
            reply = await ask(request.start, count=request.count, device_id=unit)
        except (ModbusException, OSError) as error:
            raise NoAnswer(f"no answer from {self._port} unit {unit}") from error
        finally:
            if reply is None:
                self.close()
                self._mistrust(unit)
        self._used = monotonic()
        return reply

    def _mistrust(self, unit: int) -> None:
        """Doubt what comes next where a late answer could be taken for another; a transaction number excludes that."""
        if self._rtu:
            self.close()
            self._restless = True
            self._doubtful.add(unit)

    async def _fall_silent(self) -> None:
        """Wait until nothing came for longer than the slowest answer; what comes meanwhile is thrown away."""
        for _ in range(_TRIES):
            if await self._quiet(_SILENCE):
                self._restless = False
                return
        self.close()
        raise NoAnswer(f"{self._port} does not become quiet after a request that stayed open")

    async def _prove(self, unit: int) -> None:
        """Believe the first answer of a unit that had stayed silent only if none follows it."""
        if not await self._quiet(_PROOF):
            self._mistrust(unit)
            raise NoAnswer(f"{self._port} unit {unit} gave more answers than there were requests; one of them was late")
        self._doubtful.discard(unit)

    async def _quiet(self, timeouts: float) -> bool:
        before = self._received
        await asyncio.sleep(timeouts * self._manners.timeout)
        return self._received == before

    def _count(self, sending: bool, packet: bytes) -> bytes:  # noqa: FBT001 - pymodbus calls it so
        self._received += not sending
        return packet

    async def _connected(self) -> _Client:
        idle = monotonic() - self._used
        if self._client is not None and self._client.connected and idle < self._manners.idle_close:
            return self._client
        self.close()
        await asyncio.sleep(0)  # the loop hangs up the old socket before a new one is asked for
        client = self._new_client()
        try:
            connected = await client.connect()
        except termios.error as error:
            client.close()
            raise NoConnection(f"{self._port} cannot be used with these settings: {error.args[-1]}") from None
        if not connected:
            client.close()
            raise NoConnection(f"no connection to {self._port}")
        self._client = client
        self._used = monotonic()
        self.connections += 1
        metrics.CONNECTIONS.labels("modbus").inc()
        await asyncio.sleep(self._manners.connect_delay)
        return client

    def _new_client(self) -> _Client:
        timeout, port = self._manners.timeout, self._port
        if isinstance(port, SerialPort):
            return AsyncModbusSerialClient(
                port.path,
                baudrate=port.baud,
                parity=port.parity,
                stopbits=port.stop,
                timeout=timeout,
                retries=0,
                reconnect_delay=0,
                reconnect_delay_max=0,
                trace_packet=self._count,
            )
        return AsyncModbusTcpClient(
            port.host,
            port=port.port,
            framer=FramerType.RTU if self._rtu else FramerType.SOCKET,
            timeout=timeout,
            retries=0,
            reconnect_delay=0,
            reconnect_delay_max=0,
            trace_packet=self._count,
        )
