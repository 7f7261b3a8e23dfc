"""The damages: what happens to the rows of one meter on their way, and what people say about it.

Every damage begins at the same instant of a month and changes rows in the order in which they arrive; where two rows
of one instant differ, the first that arrived counts, as it does in the database.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from core.time import from_microseconds, rfc3339
from settlement.limits import HOUR

DAY = 24 * HOUR
Row = tuple[int, Decimal]
"""Instant [microseconds] and register [kWh]."""
Rows = list[Row]


@dataclass(frozen=True)
class Damaged:
    """Rows as they arrived, and what was declared in the community."""

    rows: Rows
    events: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Damage:
    """A way to damage the rows of a meter from an instant on, given the spacing of its readings."""

    name: str
    apply: Callable[[str, Rows, int, int], Damaged]


def gap(length: int) -> Callable[[str, Rows, int, int], Damaged]:
    return lambda _meter, rows, at, _step: Damaged([row for row in rows if not at < row[0] < at + length])


def swap(start: str | None, *, declared: bool) -> Callable[[str, Rows, int, int], Damaged]:
    """A new register goes on a third of the way between two readings; at ``start``, or far above the old one."""

    def apply(meter: str, rows: Rows, at: int, step: int) -> Damaged:
        moment = at + step // 3
        values = dict(rows)
        old_end = (values[at] + (values[at + step] - values[at]) / 3).quantize(Decimal("0.001"))
        new_start = old_end + 6500 if start is None else Decimal(start)
        new = [(time, value if time <= at else value - old_end + new_start) for time, value in rows]
        entry = {
            "meter": meter,
            "at": rfc3339(from_microseconds(moment)),
            "old_end": format(old_end, "f"),
            "new_start": format(new_start, "f"),
        }
        return Damaged(new, {"replacements": [entry]} if declared else {})

    return apply


def odd(change: Callable[[Decimal], Decimal], length: int | None = None) -> Callable[[str, Rows, int, int], Damaged]:
    """Readings that say something else, for a while or (None) once."""

    def apply(_meter: str, rows: Rows, at: int, _step: int) -> Damaged:
        return Damaged(
            [(time, change(value) if at < time <= at + (length or _step) else value) for time, value in rows]
        )

    return apply


def freeze(length: int, *, set_aside: bool) -> Callable[[str, Rows, int, int], Damaged]:
    """The register is read, and hangs; a coordinator may set the readings aside."""

    def apply(meter: str, rows: Rows, at: int, step: int) -> Damaged:
        level = dict(rows)[at]
        hung = [(time, level if at < time < at + length else value) for time, value in rows]
        edit = {
            "meter": meter,
            "at": rfc3339(from_microseconds(at + step)),
            "until": rfc3339(from_microseconds(at + length - step)),
            "exclude": "true",
            "by": "coordinator",
            "why": "the meter hung",
        }
        return Damaged(hung, {"edits": [edit]} if set_aside else {})

    return apply


def clock(shift: int) -> Callable[[str, Rows, int, int], Damaged]:
    """For a day the readings carry a time that is wrong by so much."""

    def apply(_meter: str, rows: Rows, at: int, _step: int) -> Damaged:
        arrived: dict[int, Decimal] = {}
        for time, value in rows:
            arrived.setdefault(time + shift if at <= time < at + DAY else time, value)
        return Damaged(list(arrived.items()))

    return apply


def late(length: int) -> Callable[[str, Rows, int, int], Damaged]:
    """A batch of some days comes after everything else."""

    def apply(_meter: str, rows: Rows, at: int, _step: int) -> Damaged:
        on_time = [row for row in rows if not at < row[0] < at + length]
        return Damaged([*on_time, *(row for row in rows if at < row[0] < at + length)])

    return apply


def zero(_value: Decimal) -> Decimal:
    return Decimal(0)


def thousandth(value: Decimal) -> Decimal:
    return (value / 1000).quantize(Decimal("0.000001"))


DAMAGES: Sequence[Damage] = (
    Damage("gap of 3 h", gap(3 * HOUR)),
    Damage("gap of 3 days", gap(3 * DAY)),
    Damage("reset to zero", swap("0", declared=False)),
    Damage("meter swap, declared", swap("17.5", declared=True)),
    Damage("meter swap, not declared", swap("17.5", declared=False)),
    Damage("swap to a higher register, not declared", swap(None, declared=False)),
    Damage("spike of one reading", odd(lambda value: value + 500)),
    Damage("spike of 5 h", odd(lambda value: value + 500, 5 * HOUR)),
    Damage("dip of one poll", odd(zero)),
    Damage("zero for 5 h", odd(zero, 5 * HOUR)),
    Damage("freeze of 30 h", freeze(30 * HOUR, set_aside=False)),
    Damage("freeze of 30 h, set aside", freeze(30 * HOUR, set_aside=True)),
    Damage("freeze of 3 days", freeze(3 * DAY, set_aside=False)),
    Damage("clock one hour ahead for a day", clock(HOUR)),
    Damage("clock one hour behind for a day", clock(-HOUR)),
    Damage("every row three times", lambda _meter, rows, _at, _step: Damaged([*rows, *rows, *rows])),
    Damage("reversed order of arrival", lambda _meter, rows, _at, _step: Damaged(rows[::-1])),
    Damage("a thousand times for 6 h", odd(lambda value: value * 1000, 6 * HOUR)),
    Damage("a thousandth for 6 h", odd(thousandth, 6 * HOUR)),
    Damage("3 days arrive late", late(3 * DAY)),
)
