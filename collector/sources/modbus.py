"""Modbus: a line is one connection or serial port, whatever the number of units behind it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from collector.links import ModbusLink, Port
from collector.plan import Conversation, model_map, requests
from collector.profile import Profile
from collector.raw import Raw, Registers
from collector.refusal import NoAnswer
from collector.sources.clockwork import next_poll
from collector.sources.endpoint import Endpoint
from collector.sources.line import Answer, Manners


class ModbusLine:
    """All units behind one port.

    Parameters
    ----------
    port, rtu
        Where it is, and how frames look there.
    manners
        What its devices need.
    clock
        Tells the time.
    """

    def __init__(self, port: Port, manners: Manners, clock: Callable[[], datetime], *, rtu: bool) -> None:
        self.endpoint = Endpoint(port, manners, rtu=rtu)
        self.keep_open = manners.keep_open
        self.clock = clock

    def reader(self, link: ModbusLink, profile: Profile) -> ModbusReader:
        """Return a reader of one unit."""
        return ModbusReader(self, link.unit, profile)

    async def close(self) -> None:
        """Hang up."""
        self.endpoint.close()


class ModbusReader:
    """One unit: remembers its register map and which blocks are due."""

    def __init__(self, line: ModbusLine, unit: int, profile: Profile) -> None:
        self._line, self._unit, self._profile = line, unit, profile
        self._map_known: Sequence[Registers] = ()
        self._connection = 0
        self._due: dict[str, datetime] = {}

    async def read(self) -> Answer:
        """Read all blocks that are due.

        Raises
        ------
        NoAnswer
            If the device is silent, or gives no register at all.
        """
        endpoint, clock = self._line.endpoint, self._line.clock
        if self._connection != endpoint.connections:
            self.forget()
        begun = clock()
        resting = self._resting(begun)
        registers = await self._converse(requests(self._profile, self._map_known, resting))
        if all(run.error is not None for run in registers):
            raise NoAnswer(f"the device gives no register: {registers[0].error}" if registers else "nothing to ask for")
        self._map_known, self._connection = model_map(registers), endpoint.connections
        for block in self._profile.blocks:
            if block.every is not None and block.id not in resting:
                self._due[block.id] = next_poll(begun, block.every)
        if not self._line.keep_open:
            endpoint.close()
        return Answer(Raw(clock(), registers), resting)

    def forget(self) -> None:
        """Look up the models of the device anew."""
        self._map_known = ()

    def _resting(self, now: datetime) -> frozenset[str]:
        """Blocks that were read a short while ago and need not be read each time; never all."""
        resting = frozenset(name for name, due in self._due.items() if now < due)
        return resting if len(resting) < len(self._profile.blocks) else frozenset()

    async def _converse(self, conversation: Conversation) -> tuple[Registers, ...]:
        try:
            request = next(conversation)
            while True:
                request = conversation.send(await self._line.endpoint.read(self._unit, request))
        except StopIteration as end:
            found: tuple[Registers, ...] = end.value
            return found
