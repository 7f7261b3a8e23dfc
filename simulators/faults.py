"""Faults a meter can have, seeded and switched off unless asked for: silence, a dip, a fallen-back register.

A fault changes what is shown, never what is true.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, get_args

import numpy as np

from core.errors import BadInput
from core.time import Month, microseconds
from simulators.chance import stream
from simulators.grid import EPOCH, Flags, Integers
from simulators.meters import REGISTERS
from simulators.world import World, world_at

FaultKind = Literal["gap", "dip", "reset"]
KINDS: tuple[FaultKind, ...] = get_args(FaultKind)


@dataclass(frozen=True)
class Fault:
    """What is wrong with a meter from ``start`` to ``until``.

    ``gap``: it says nothing. ``dip``: it shows ``depth`` steps too little, then recovers, as counters do whose
    sub-device is away. ``reset``: it fell back to zero at ``start`` and counts on from there.
    """

    kind: FaultKind
    meter: str
    start: datetime
    until: datetime
    depth: int = 0


def plan(seed: int, kinds: Iterable[str], until: datetime) -> tuple[Fault, ...]:
    """Draw the faults of the building's life: of each kind about one a month, of resets one in all.

    Raises
    ------
    BadInput
        If a kind is not known.
    """
    asked = tuple(kinds)
    for kind in asked:
        if kind not in KINDS:
            raise BadInput(f"'{kind}' is not a fault the simulator knows; choose from {', '.join(KINDS)}.")
    return tuple(fault for kind in KINDS if kind in asked for fault in _draw(seed, kind, until))


def _draw(seed: int, kind: FaultKind, until: datetime) -> list[Fault]:
    faults = []
    month, last = Month.of(EPOCH.date()), Month.of(until.date())
    while month <= last:
        chance = stream(seed, "fault", kind, month)
        meter = REGISTERS[int(chance.integers(len(REGISTERS)))].id
        start = EPOCH.replace(year=month.year, month=month.month) + timedelta(minutes=int(chance.integers(40000)))
        hours = timedelta(minutes=int(chance.integers(40, 30 * 60)))
        if kind == "reset":
            faults.append(Fault(kind, meter, start, datetime.max.replace(tzinfo=start.tzinfo)))
            break
        faults.append(Fault(kind, meter, start, start + hours, int(chance.integers(1, 50))))
        month = month.shift(1)
    return faults


def shown(
    seed: int, meter: str, instants: Integers, parts: list[Integers], faults: Iterable[Fault]
) -> tuple[Flags, list[Integers]]:
    """Apply faults to what a meter shows.

    Parameters
    ----------
    seed
        Which building; a reset needs to know what the register showed when it fell back.
    meter
        The meter's name.
    instants
        When [microseconds since 1970-01-01T00:00Z].
    parts
        What each part of the register shows, in steps of its resolution.
    faults
        As `plan` drew them; those of other meters are ignored.

    Returns
    -------
    speaks
        Whether the meter says anything at each instant.
    parts
        What it shows, in steps of its resolution; never negative.
    """
    speaks = np.ones(len(instants), dtype=np.bool_)
    for fault in faults:
        if fault.meter != meter:
            continue
        during = (instants >= microseconds(fault.start)) & (instants < microseconds(fault.until))
        if fault.kind == "gap":
            speaks &= ~during
        elif fault.kind == "dip":
            parts = [*parts[:-1], np.where(during, np.maximum(parts[-1] - fault.depth, 0), parts[-1])]
        else:
            lost = _at(world_at(seed, fault.start), meter, fault.start)
            parts = [np.where(during, part - was, part) for part, was in zip(parts, lost, strict=True)]
    return speaks, parts


def _at(world: World, meter: str, instant: datetime) -> list[int]:
    moment = np.array([microseconds(instant)], dtype=np.int64)
    return [int(part[0]) for part in world.counters[meter].shown(moment)]
