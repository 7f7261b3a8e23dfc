"""A profile as written and the ways it is most often written wrong: word order, byte order, scale, sign.

Every variant is an ordinary profile and goes through the ordinary decoder, so that what is tried here is exactly what
the collector would read after the change.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final, Literal, NamedTuple

from collector.decode import Refused, Value, decode
from collector.profile import WORDS, Point, Profile
from collector.quantities import reported
from collector.raw import Raw

ENERGY: Final = frozenset({"pv_energy", "electric_energy_import", "electric_energy_export", "thermal_energy"})
POWER: Final = frozenset({"active_power", "thermal_power"})

FACTORS: Final = tuple(map(Decimal, ("1", "0.1", "10", "0.01", "100", "0.001", "1000")))
_SMALLEST: Final = Decimal("1e-15")
_SIGNED: Final = {"uint16": "int16", "uint32": "int32", "uint64": "int64"}
_OTHER_SIGN: Final = _SIGNED | {signed: unsigned for unsigned, signed in _SIGNED.items()}


class Order(NamedTuple):
    """In which order a device sends the words of a number, and the bytes of a word."""

    word: Literal["big", "little"]
    byte: Literal["big", "little"]

    def changes_from(self, other: Order) -> int:
        """How many of the two differ."""
        return (self.word != other.word) + (self.byte != other.byte)


class Option(NamedTuple):
    """What is done to the numbers of one kind: a factor, or whole numbers read with the other sign rule."""

    factor: Decimal
    flipped: bool = False

    @property
    def changes(self) -> int:
        """How many changes this is."""
        return (self.factor != 1) + self.flipped


AS_WRITTEN: Final = Option(FACTORS[0])
OPTIONS: Final = (*map(Option, FACTORS), Option(FACTORS[0], flipped=True))


@dataclass(frozen=True)
class Said:
    """What a point said in one or two looks, in the unit its quantity is reported in.

    Attributes
    ----------
    amounts, times
        One per look that gave a value.
    step
        Finest step that can be told from these amounts.
    absurd
        Whether a binary float is so small that it can only be bits in the wrong order.
    refused
        Why there is no value, where there is none.
    """

    point: Point
    amounts: tuple[Decimal, ...]
    times: tuple[datetime, ...]
    step: Decimal
    absurd: bool
    refused: Refused | None

    @property
    def amount(self) -> Decimal | None:
        """The newest value."""
        return self.amounts[-1] if self.amounts else None

    @property
    def rise(self) -> Decimal | None:
        """How much it grew from the first look to the last; None if there was but one."""
        return self.amounts[-1] - self.amounts[0] if self.seconds else None

    @property
    def seconds(self) -> Decimal:
        """Time between the looks [s]; 0 if there was but one."""
        return Decimal(str((self.times[-1] - self.times[0]).total_seconds())) if self.times else Decimal(0)


Heard = Mapping[str, Said]
"""What every numeric point said, by its id."""


def family(point: Point) -> str:
    """Name what is scaled together: a unit mistake touches all energy, or all power, of a device."""
    if point.quantity in ENERGY:
        return "energy"
    return "power" if point.quantity in POWER else point.quantity


def written(profile: Profile) -> Order:
    """Return the order a profile states."""
    return Order(profile.link.word_order, profile.link.byte_order)


def orders(profile: Profile) -> list[Order]:
    """Return the orders worth trying, the profile's own first; others only where a number takes several words."""
    own = written(profile)
    if not any(WORDS.get(point.type or "", 0) > 1 for point in profile.points):
        return [own]
    known = [Order(word, byte) for byte in ("big", "little") for word in ("big", "little")]
    return sorted(known, key=own.changes_from)


def hear(profile: Profile, looks: Sequence[Raw], order: Order, option: Option) -> Heard:
    """Read the looks by a variant of the profile.

    Parameters
    ----------
    profile
        As written.
    looks
        One raw sample, or two or more with time between them; the first and the last count.
    order, option
        What to change; the option is applied to every point.
    """
    variant = _variant(profile, order, option)
    decoded = [decode(look, variant) for look in looks]
    found: dict[str, list[Value]] = {}
    refused: dict[str, Refused] = {}
    for sample in decoded:
        for value in sample.values:
            found.setdefault(value.point, []).append(value)
        refused |= {refusal.point: refusal for refusal in sample.refused}
    numeric = [point for point in profile.points if point.kind != "enum"]
    return {point.id: _said(point, found.get(point.id, []), refused.get(point.id), option) for point in numeric}


def differ(one: Heard, other: Heard) -> bool:
    """Whether two variants read something else."""
    return any(said.amounts != other[name].amounts for name, said in one.items())


def _variant(profile: Profile, order: Order, option: Option) -> Profile:
    link = profile.link.model_copy(update={"word_order": order.word, "byte_order": order.byte})
    own = written(profile)
    points = tuple(
        point.model_copy(update=dict(_changed(point, option)) | dict(_turned(point, own, order)))
        for point in profile.points
    )
    return profile.model_copy(update={"link": link, "points": points})


def _changed(point: Point, option: Option) -> Iterator[tuple[str, object]]:
    yield "internal", False
    if not point.parts:  # what is made of others follows them
        yield "scale", point.scale * option.factor
    if option.flipped and point.type in _OTHER_SIGN:
        yield "type", _OTHER_SIGN[point.type]


def _turned(point: Point, own: Order, order: Order) -> Iterator[tuple[str, object]]:
    """Turn an order that a point has of its own as far as the profile's is turned."""
    if point.word_order is not None and order.word != own.word:
        yield "word_order", "little" if point.word_order == "big" else "big"
    if point.byte_order is not None and order.byte != own.byte:
        yield "byte_order", "little" if point.byte_order == "big" else "big"


def _said(point: Point, values: list[Value], refused: Refused | None, option: Option) -> Said:
    values = [value for value in (values[:1] + values[1:][-1:]) if value.value is not None]
    amounts = [value.value for value in values if value.value is not None]
    # Digits that are zero in both looks may be no digits at all: some devices count in hundreds.
    shown = [Decimal(1).scaleb(int(amount.normalize().as_tuple().exponent)) for amount in amounts if amount]
    declared = [point.resolution * option.factor] if point.resolution else []
    floats = [value.resolution for value in values if value.resolution is not None]
    step = max([*floats, *declared, *([min(shown)] if shown else [])], default=Decimal(0))
    unit = point.unit
    return Said(
        point,
        tuple(reported(amount, unit) for amount in amounts),
        tuple(value.time for value in values),
        reported(step, unit),
        bool(floats) and any(0 < abs(amount) < _SMALLEST for amount in amounts),
        refused,
    )
