"""The boiler on Modbus: the part of KWB's register list that an installation with one heat meter fills.

Input registers. Temperatures in 0.1 C, each with a sensor status beside it; heat meter channel 0 carries the
building's heat. Source: the public register lists in M-o-a-T/moat, heating/KWB (facts only).
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Final

from simulators.boiler import NOMINAL_W
from simulators.cellar import burnt_mg
from simulators.display import parts_at
from simulators.faults import Fault
from simulators.meters import METERS
from simulators.registers import Words, s16, s32, u16, u32
from simulators.world import world_at

FUNCTION: Final = 4
BLOCKS: Final = {8192: 64, 9517: 363}
"""First register and number of registers of each run the boiler answers."""

_SENSOR_OK = 2
_OFF, _HEATING = 0, 3
_BURNT_BEFORE_KG = 41_730
_MINUTES_BEFORE = 402_118
_SETPOINT = 720
_FLOW_RETURN_TENTHS = 180


def image(seed: int, instant: datetime, faults: Iterable[Fault] = ()) -> dict[int, Words] | None:
    """Return the runs of `BLOCKS` by first register at an instant; None while the device is silent."""
    parts = parts_at(seed, METERS["boiler-heat"], instant, faults)
    if parts is None:
        return None
    world = world_at(seed, instant)
    index = world.index(instant)
    watts = int(world.produced[index]) * 4 // 1000
    heat_tenths = int(world.counters["boiler-heat"].parts[0][index]) // 10**5
    points = {
        8192: [*u16(22), *u16(2), *u16(1)],
        8195: u32(7314),
        8197: [*s16(_SETPOINT - 8), *s16(_SENSOR_OK), *s16(_SETPOINT), *s16(1), *u16(650)],
        8202: [*s16(_SETPOINT - _FLOW_RETURN_TENTHS - 8), *s16(_SENSOR_OK), *s16(1), *s16(0)],
        8207: [*s16(round(1000 * watts / NOMINAL_W)), *s16(_HEATING if watts else _OFF)],
        8209: u32(_MINUTES_BEFORE + int(world.burnt_before[index]) // 208_000_000),  # 12.5 kg an hour at full load
        8231: [*s16(900 + watts // 80), *s16(_SENSOR_OK)],
        8233: u32(_BURNT_BEFORE_KG + burnt_mg(world, instant) // 10**6),
        8250: [*s16(int(world.temperature[index])), *s16(_SENSOR_OK)],
        8252: [*u32(17), *u32(0)],
        9517: s32(watts),
        9589: s16(_SETPOINT - 15),
        9625: s16(_SETPOINT - 15 - _FLOW_RETURN_TENTHS),
        9661: u32(parts[0]),
        9733: s32(watts * 10 * 3600 // (4186 * _FLOW_RETURN_TENTHS)),
        9805: s32(parts[0] * 47),
        9878: u32(heat_tenths),
    }
    return {start: _run(start, count, points) for start, count in BLOCKS.items()}


def _run(start: int, count: int, points: dict[int, Words]) -> Words:
    words = [0] * count
    for address, values in points.items():
        if start <= address < start + count:
            words[address - start : address - start + len(values)] = values
    return words
