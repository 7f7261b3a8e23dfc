"""Which kind of line a link needs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path

from collector.links import HttpLink, MbusLink, ModbusLink, PolledLink
from collector.profile import Profile
from collector.sources.line import Line, Manners, Reader
from collector.sources.mbus import MbusLine
from collector.sources.modbus import ModbusLine


def open_line(
    members: Sequence[tuple[PolledLink, Profile]], secrets: Path, clock: Callable[[], datetime]
) -> tuple[Line, list[Reader]]:
    """Return the line all these links share, and a reader for each of them in their order; connects when first used.

    Parameters
    ----------
    members
        Links to one and the same port, all of one kind, with the profile of each device.
    secrets
        Folder with the devices' passwords.
    clock
        Tells the time.
    """
    manners = Manners.strictest(profile.link for _, profile in members)
    first = members[0][0]
    if isinstance(first, ModbusLink):
        modbus = ModbusLine(first.port, manners, clock, rtu=first.rtu)
        return modbus, [modbus.reader(link, profile) for link, profile in members if isinstance(link, ModbusLink)]
    if isinstance(first, MbusLink):
        mbus = MbusLine(first.port, manners, clock)
        return mbus, [mbus.reader(link, profile) for link, profile in members if isinstance(link, MbusLink)]
    from collector.sources.http import HttpLine  # noqa: PLC0415 - takes half a second to load, and few need it

    http = HttpLine(manners, secrets, clock)
    return http, [http.reader(link, profile) for link, profile in members if isinstance(link, HttpLink)]
