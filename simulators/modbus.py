"""A Modbus TCP device whose registers are worked out anew at every request, so that they are true when read."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any

from pymodbus.constants import ExcCodes
from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

from core.errors import Unavailable
from simulators.registers import Words

Image = Callable[[], Mapping[int, Words] | None]
"""The runs of registers by first address at this moment; None while the device is silent."""

_UNIT = 1
_SAID_HERE = "Failed to start server"  # pymodbus warns of a taken port; we say it in our own words
logging.getLogger("pymodbus.logging").addFilter(lambda record: not record.getMessage().startswith(_SAID_HERE))


async def serve_device(
    host: str, port: int, blocks: Mapping[int, int], function: int, image: Image, name: str
) -> ModbusTcpServer:
    """Serve one device as unit 1 until the server is shut down.

    Parameters
    ----------
    host, port
        Where to listen; port 0 picks a free one.
    blocks
        First register and number of registers of each run the device has; any other address is refused.
    function
        The function code the device answers: 3 holding, 4 input registers. It can only be read.
    image
        Asked at every request. A silent device answers "busy", as a maker's gateway does.
    name
        What to call the device in messages.

    Raises
    ------
    Unavailable
        If the port is taken.
    """

    async def fill(  # the simulator's hook: registers may be changed in place before they are sent
        asked: int, first: int, _address: int, _count: int, registers: list[int], written: list[int] | list[bool] | None
    ) -> ExcCodes | None:
        if asked != function or written is not None:
            return ExcCodes.ILLEGAL_FUNCTION
        present = image()
        if present is None:
            return ExcCodes.DEVICE_BUSY
        for start, words in present.items():
            registers[start - first : start - first + len(words)] = words
        return None

    data = [SimData(start, values=[0] * size, datatype=DataType.REGISTERS) for start, size in blocks.items()]
    server = ModbusTcpServer(SimDevice(_UNIT, simdata=data, action=fill), address=(host, port))
    try:
        await server.serve_forever(background=True)
    except RuntimeError:
        raise Unavailable(
            f"Port {port} on {host} is in use, so the simulated {name} cannot listen there; choose another port."
        ) from None
    return server


def port_of(server: ModbusTcpServer) -> int:
    """Return the port a server listens on."""
    listener: Any = server.transport  # pymodbus calls it a transport; it is asyncio's listening server
    port: int = listener.sockets[0].getsockname()[1]
    return port


async def close(server: ModbusTcpServer) -> None:
    """Stop listening and hang up."""
    await server.shutdown()  # type: ignore[no-untyped-call]  # pymodbus types its arguments only
