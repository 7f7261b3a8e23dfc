"""The inverter on Modbus: SunSpec marker, common model 1, three-phase inverter model 103, end block.

Source: the public SunSpec models; base 40000, holding registers. Offsets and scale factors as a maker would choose
them, so that a decoder has to use them.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Final

from simulators.display import parts_at
from simulators.faults import Fault
from simulators.meters import METERS
from simulators.registers import Words, s16, string, u16, u32
from simulators.world import world_at

BASE: Final = 40000
BLOCKS: Final = {BASE: 124}
"""First register and number of registers of each run the inverter answers."""
FUNCTION: Final = 3

_NOT_16: Final = 0x8000  # int16 and scale factors that are not implemented
_NOT_U16: Final = 0xFFFF
_MAINS_TENTH_V = 2312
_SLEEPING, _TRACKING = 2, 4


def image(seed: int, instant: datetime, faults: Iterable[Fault] = ()) -> dict[int, Words] | None:
    """Return the run of `BLOCKS` by first register at an instant; None while the device is silent."""
    parts = parts_at(seed, METERS["pv"], instant, faults)
    if parts is None:
        return None
    world = world_at(seed, instant)
    watts = int(world.solar[world.index(instant)]) * 4 // 1000
    words = [
        *string("SunS", 2),
        *_common(),
        *_inverter(watts, parts[0], int(world.temperature[world.index(instant)])),
        *u16(0xFFFF),
        *u16(0),
    ]
    return {BASE: words}


def _common() -> Words:
    body = [
        *string("Sterzon", 16),
        *string("ZON-15K-3", 16),
        *string("", 8),
        *string("2.14.0", 8),
        *string("ZS15-240117-0042", 16),
        *u16(1),
        *u16(0x8000),  # pad
    ]
    return [*u16(1), *u16(len(body)), *body]


def _inverter(watts: int, watt_hours: int, tenths_outside: int) -> Words:
    """Fill model 103 with 50 registers; energy in Wh with scale factor 0, power in W with scale factor 0."""
    current = watts * 100 // (3 * 231)  # 0.01 A per phase
    direct = watts * 1000 // 962
    body = [
        *u16(3 * current), *u16(current), *u16(current), *u16(current), *s16(-2),
        *[_NOT_U16] * 3, *[_MAINS_TENTH_V] * 3, *s16(-1),
        *s16(watts), *s16(0),
        *u16(5000), *s16(-2),
        *s16(watts), *s16(0), *s16(0), *s16(0), *s16(1000 if watts else 0), *s16(-1),
        *u32(watt_hours), *s16(0),
        *u16(direct * 100 // 620), *s16(-2), *u16(6200 if watts else 0), *s16(-1), *s16(direct), *s16(0),
        *s16(max(tenths_outside, 0) + 120 + watts // 60), _NOT_16, _NOT_16, _NOT_16, *s16(-1),
        *u16(_TRACKING if watts else _SLEEPING), *u16(_NOT_U16),
        *u32(0), *u32(0), *[0xFFFF] * 8,
    ]  # fmt: skip
    return [*u16(103), *u16(len(body)), *body]
