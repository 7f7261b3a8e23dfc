"""What is odd about the readings of one meter: a pure look at its history, whatever way the readings came.

What a break in a register is, `settlement.registers` decides for the settlement and for people alike. Here it gets the
name people need: reset, swap, a zero that was no reading, another unit; and rises are held against what the connection
can carry. A doubt that explains itself (the register is back, or rolled over as it should) needs nobody.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from fractions import Fraction
from typing import Final, Literal

from core.community import Community, Meter
from core.units import MILLIONTHS, UNITS, decimal_text, to_core
from settlement.limits import HOUR, carried, most_per_hour
from settlement.model import MeterReadings
from settlement.registers import Break, Point, across_replacements, rising_pieces, thousandfold

MINUTE: Final = HOUR // 60
DAY: Final = 24 * HOUR
CONTEXT: Final = 2 * DAY
"""What is said of an instant depends on readings no further away than this [microseconds]."""
_SPAN: Final = 15 * MINUTE
"""A rise is held against what the connection carries over about this long."""
_SLIP_PACE: Final = (300, 3000)
"""A pace has changed by a thousand when it lies between these times the old one: use is never the same twice."""
_LONG_ENOUGH: Final = 10 * MINUTE
"""A faster pace must last this long before it can be told from a single jump."""

Code = Literal[
    "register-dipped", "register-zero", "register-spiked", "register-rolled-over", "register-reset", "register-fell",
    "register-strayed", "register-jumped", "unit-slipped", "meter-replaced",
]  # fmt: skip


@dataclass(frozen=True)
class Doubt:
    """Something odd between two instants [microseconds].

    ``before`` is the last good value and ``after`` the odd one, as the meter showed them, in its own unit.
    ``explained`` when it needs nobody, because later readings or the meter's digits say what it was.
    """

    code: Code
    since: int
    until: int
    before: str
    after: str
    explained: bool = False


@dataclass(frozen=True)
class _Step:
    """A fall or a jump, as the dial showed it.

    From the last good reading (``since``, ``before``) to the first odd one (``odd``, ``after``); ``until`` is later
    than that where more jumps follow. [microseconds, mWh or millionths]
    """

    fell: bool
    since: int
    until: int
    before: int
    after: int
    odd: int


@dataclass(frozen=True)
class _Pace:
    """What a register can count: ``most`` in an hour (None: nobody knows), ``step`` at once [mWh or millionths]."""

    most: int | None
    step: int

    def carries(self, rise: int, time: int) -> bool:
        """Whether the connection carries so much in so long [microseconds]."""
        return carried(self.most, rise - self.step, time)


def doubts(community: Community, meter: Meter, known: MeterReadings, swapped: Sequence[int] = ()) -> list[Doubt]:
    """Say what is odd about a meter's readings.

    Parameters
    ----------
    community
        For declared replacements.
    meter
        A register that counts up, or a level (``pellet_stock``), which may fall but not slip to another unit.
    known
        Its readings.
    swapped
        Instants at which a device that feeds the meter had another serial number than before [microseconds].

    Returns
    -------
    list of Doubt
        Sorted by time.
    """
    if meter.measures == "pellet_stock":
        found = list(_slips_of_level(meter, known))
    else:
        found = list(_of_register(community, meter, known, swapped))
    return sorted(found, key=lambda doubt: (doubt.since, doubt.until, doubt.code))


def _of_register(community: Community, meter: Meter, known: MeterReadings, swapped: Sequence[int]) -> Iterator[Doubt]:
    register = across_replacements(community, meter, known)
    own = [(time, value - zero) for (time, value), zero in zip(*register, strict=True)]
    pieces, breaks = rising_pieces(meter, register)
    pace = _Pace(most_per_hour(meter), _step(meter, known))
    shown = dict(zip(known.times, known.values, strict=True))
    for one in breaks:
        if one.kind in ("strayed", "slipped"):
            code: Code = "unit-slipped" if one.kind == "slipped" else "register-strayed"
            yield Doubt(code, one.start, one.until, _shown(meter, one.before), _shown(meter, one.after))
        elif one.kind != "fell":
            yield _explained(meter, own, one)
    steps = sorted([*_falls(breaks), *_jumps(pieces, dict(own), pace)], key=lambda step: step.odd)
    continued, index = dict(register.points), 0
    while index < len(steps):
        step = steps[index]
        following = steps[index + 1] if index + 1 < len(steps) else None
        texts = _shown(meter, step.before, shown.get(step.since)), _shown(meter, step.after, shown.get(step.odd))
        if following is not None and _back(step, following, continued, pace):
            code = "unit-slipped" if thousandfold(step.before, step.after) else "register-strayed"
            yield Doubt(code, step.odd, following.since, *texts)
            index += 2
        else:
            yield Doubt(_name(step, pieces, pace, swapped), step.since, step.until, *texts)
            index += 1


def _explained(meter: Meter, points: Sequence[Point], one: Break) -> Doubt:
    """Name a break that the register's own digits or its next readings explain."""
    before, after = one.before, one.after
    code: Code = "register-rolled-over"
    if one.kind == "dipped":
        code = "register-dipped" if one.after else "register-zero"
    elif one.kind == "spiked":
        code = "register-spiked"
        before, after = next(value for time, value in reversed(points) if time < one.start), one.before
    if one.kind != "rolled-over" and thousandfold(before, after):
        code = "unit-slipped"
    return Doubt(code, one.start, one.until, _shown(meter, before), _shown(meter, after), explained=True)


def _falls(breaks: Sequence[Break]) -> Iterator[_Step]:
    for one in breaks:
        if one.kind == "fell":
            yield _Step(True, one.start, one.until, one.before, one.after, one.until)


def _jumps(pieces: Sequence[Sequence[Point]], raw: dict[int, int], pace: _Pace) -> Iterator[_Step]:
    """Yield rises that the connection cannot carry; those that follow each other within a quarter-hour are one."""
    for piece in pieces:
        run: _Step | None = None
        anchor = 0
        for index in range(1, len(piece)):
            time, value = piece[index]
            while piece[anchor + 1][0] <= time - _SPAN:  # at the latest this reading itself ends it
                anchor += 1
            if pace.carries(value - piece[anchor][1], time - piece[anchor][0]):
                continue
            since = piece[index - 1][0]
            if run is not None and since - run.until <= _SPAN:
                run = replace(run, until=time)
            else:
                if run is not None:
                    yield run
                run = _Step(False, since, time, raw[since], raw[time], time)
            anchor = index
        if run is not None:
            yield run


def _back(step: _Step, following: _Step, continued: Mapping[int, int], pace: _Pace) -> bool:
    """Whether a register went on from where it was before a step, as if that had never been."""
    rise, time = continued[following.odd] - continued[step.since], following.odd - step.since
    return (
        step.fell != following.fell
        and time <= CONTEXT
        and rise >= -pace.step
        and pace.most is not None
        and pace.carries(rise, time)
    )


def _name(step: _Step, pieces: Sequence[Sequence[Point]], pace: _Pace, swapped: Sequence[int]) -> Code:
    if any(abs(instant - step.odd) <= DAY for instant in swapped):
        return "meter-replaced"
    if thousandfold(step.before, step.after) or (not step.fell and _a_thousand_times_faster(step, pieces)):
        return "unit-slipped"
    if not step.fell:
        return "register-jumped"
    near_zero = 0 <= step.after <= step.before // 100 if pace.most is None else step.after >= 0
    return "register-reset" if near_zero and pace.carries(step.after, step.until - step.since) else "register-fell"


def _a_thousand_times_faster(step: _Step, pieces: Sequence[Sequence[Point]]) -> bool:
    """Whether a run of jumps goes on at about a thousand times the pace of the day before it."""
    if step.until - step.odd < _LONG_ENOUGH:
        return False
    piece = next(piece for piece in pieces if step.until <= piece[-1][0])  # the first that ends no earlier has it
    values = dict(piece)
    first = next(time for time, _ in piece if time >= step.since - DAY)
    if values[step.since] == values[first]:
        return False
    before = Fraction(values[step.since] - values[first], step.since - first)
    slow, fast = _SLIP_PACE
    return slow <= Fraction(values[step.until] - values[step.since], step.until - step.since) / before <= fast


def _slips_of_level(meter: Meter, known: MeterReadings) -> Iterator[Doubt]:
    values = [to_core(value, meter.unit) for value in known.values]
    slips = [index for index in range(1, len(values)) if thousandfold(values[index - 1], values[index])]
    while slips:
        index = slips.pop(0)
        back = bool(slips) and (values[slips[0]] > values[slips[0] - 1]) != (values[index] > values[index - 1])
        texts = (
            _shown(meter, values[index - 1], known.values[index - 1]),
            _shown(meter, values[index], known.values[index]),
        )
        if back and known.times[slips[0]] - known.times[index] <= CONTEXT:
            yield Doubt("unit-slipped", known.times[index], known.times[slips.pop(0) - 1], *texts, explained=True)
        else:
            yield Doubt("unit-slipped", known.times[index - 1], known.times[index], *texts)


def _step(meter: Meter, known: MeterReadings) -> int:
    """Smallest step of a register [mWh or millionths], by the decimals it is written with."""
    places = max((-int(value.as_tuple().exponent) for value in known.values), default=0)
    return to_core(Decimal(1).scaleb(-max(places, 0)), meter.unit)


def _shown(meter: Meter, value: int, read: Decimal | None = None) -> str:
    """Print a value as the meter shows it."""
    if read is not None:
        return format(read, "f")
    amount = Fraction(value) / UNITS[meter.unit]
    text = decimal_text(round(amount * MILLIONTHS))
    return text.rstrip("0").rstrip(".")
