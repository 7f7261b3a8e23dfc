"""One Modbus TCP connection: the only place that knows pymodbus.

pymodbus does not check that an answer has the asked length or function, and reconnects by rules of its own; here an
answer is checked, and a connection that failed is closed and made anew by whoever asks next.
"""

from __future__ import annotations

import asyncio
import logging
from datetime import timedelta
from types import TracebackType
from typing import Final, Self

from pymodbus.client import AsyncModbusTcpClient
from pymodbus.exceptions import ModbusException

from collector import metrics
from collector.plan import Answer, Request

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


class NoAnswer(Exception):  # noqa: N818 - devices sleep; this is no error of ours
    """The device could not be reached or did not answer; the message is a clause."""


class Endpoint:
    """A connection to one host and port, made when first used; one request at a time.

    Parameters
    ----------
    host, port
        Of the device or gateway.
    timeout
        For connecting and for each answer.
    connect_delay, request_gap
        Silence the device needs after connecting and between requests.
    """

    def __init__(
        self,
        host: str,
        port: int,
        timeout: timedelta = timedelta(seconds=3),
        connect_delay: timedelta | None = None,
        request_gap: timedelta | None = None,
    ) -> None:
        self._host, self._port = host, port
        self._timeout = timeout.total_seconds()
        self._connect_delay = connect_delay.total_seconds() if connect_delay else 0.0
        self._request_gap = request_gap.total_seconds() if request_gap else 0.0
        self._client: AsyncModbusTcpClient | None = None
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
            If there is no connection or no answer; the connection is closed.
        """
        client = await self._connected()
        if self._request_gap:
            await asyncio.sleep(self._request_gap)
        ask = client.read_holding_registers if request.function == 3 else client.read_input_registers  # noqa: PLR2004 - the function code of holding registers
        try:
            reply = await ask(request.start, count=request.count, device_id=unit)
        except (ModbusException, OSError) as error:
            self.close()
            raise NoAnswer(f"no answer from {self._host}:{self._port} unit {unit}") from error
        if reply.isError():
            code = getattr(reply, "exception_code", 0)
            return f"{_EXCEPTIONS.get(code, 'exception')} (exception {code})"
        if reply.function_code != request.function:
            return f"the reply is to function {reply.function_code}, asked was {request.function}"
        if len(reply.registers) != request.count:
            return f"short reply: {len(reply.registers)} registers where {request.count} were asked"
        return tuple(reply.registers)

    async def _connected(self) -> AsyncModbusTcpClient:
        if self._client is not None and self._client.connected:
            return self._client
        self.close()
        client = AsyncModbusTcpClient(
            self._host, port=self._port, timeout=self._timeout, retries=0, reconnect_delay=0, reconnect_delay_max=0
        )
        if not await client.connect():
            client.close()
            raise NoAnswer(f"no connection to {self._host}:{self._port}")
        self._client = client
        self.connections += 1
        metrics.CONNECTIONS.labels("modbus").inc()
        if self._connect_delay:
            await asyncio.sleep(self._connect_delay)
        return client
