"""Ways to read a device: the profile as written and each change of it, with what speaks for and against."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from typing import Any, Final, Literal

from collector.evidence import Building, Reason, alone, amount_text, around, pairs, phases, together
from collector.profile import Point, Profile
from collector.variants import AS_WRITTEN, Heard, Option, Order, family, written
from core.wire import QUANTITY_UNITS

Verdict = Literal["fits", "does not fit", "cannot tell"]

_UNITS: Final = {
    ("kWh", Decimal("0.001")): "Wh", ("Wh", Decimal(1000)): "kWh", ("MWh", Decimal("0.001")): "kWh",
    ("kWh", Decimal(1000)): "MWh", ("kW", Decimal("0.001")): "W", ("W", Decimal(1000)): "kW",
    ("kg", Decimal("0.001")): "g", ("kg", Decimal(1000)): "t", ("m3", Decimal("0.001")): "l",
}  # fmt: skip
"""Units that are mistaken for each other."""


@dataclass(frozen=True)
class Candidate:
    """A way to read the device, and what speaks for and against it.

    ``options`` holds what is changed, per family of quantities; nothing for the profile as written.
    """

    profile: Profile
    order: Order
    options: Mapping[str, Option]
    heard: Heard
    reasons: tuple[Reason, ...]

    @cached_property
    def verdict(self) -> Verdict:
        """The answer."""
        weights = {reason.weight for reason in self.reasons}
        if "against" in weights:
            return "does not fit"
        return "fits" if weights & {"possible", "agrees"} else "cannot tell"

    @cached_property
    def strength(self) -> int:
        """How many numbers agree with something that another scale or order would not agree with."""
        return sum(reason.weight == "agrees" for reason in self.reasons)

    @cached_property
    def changes(self) -> int:
        """How many mistakes there would have to be in the profile; one of units may touch energy and power alike."""
        factors = {option.factor for option in self.options.values()} - {AS_WRITTEN.factor}
        flips = sum(option.flipped for option in self.options.values())
        return self.order.changes_from(written(self.profile)) + len(factors) + flips

    def beats(self, other: Candidate) -> bool:
        """Whether it explains what was seen at least as well with fewer changes, or better with no more."""
        part = self.order == other.order and self.options.items() < other.options.items()
        if part or self.changes < other.changes:
            return self.strength >= other.strength
        return self.changes == other.changes and self.strength > other.strength

    @property
    def rescaled(self) -> bool:
        """Whether it changes a scale."""
        return any(option.factor != AS_WRITTEN.factor for option in self.options.values())

    def what(self) -> str:
        """Say in words what is changed."""
        own, parts = written(self.profile), []
        if self.order.word != own.word:
            parts.append(f"word order {self.order.word}")
        if self.order.byte != own.byte:
            parts.append(f"byte order {self.order.byte}")
        for name, option in self.options.items():
            thing = name.replace("_", " ")
            if option.flipped:
                signed = any(str(point.type).startswith("int") for point in self._points_of(name))
                parts.append(f"{thing} read as {'unsigned' if signed else 'signed'} numbers")
            if option.factor != AS_WRITTEN.factor:
                parts.append(f"{thing} x {option.factor}{self._hint(name, option)}")
        return " and ".join(parts) or "as written"

    def lines(self) -> Iterator[tuple[str, str, str]]:
        """Yield point, value and reasons of everything it reads; what speaks against comes first and alone."""
        for point in self.profile.points:
            if point.internal or point.kind == "enum":
                continue
            amount = self.heard[point.id].amount
            said = [reason for reason in self.reasons if reason.point == point.id]
            against = [reason.text for reason in said if reason.weight == "against"]
            better = [reason.text for reason in said if reason.text != "possible"] or [reason.text for reason in said]
            value = "no value" if amount is None else amount_text(amount, QUANTITY_UNITS[point.quantity])
            yield point.id, value, "; ".join(against or better)

    def values(self) -> str:
        """Return what it reads in one line."""
        return ", ".join(value for _, value, _ in self.lines())

    def tree(self) -> dict[str, Any]:
        """Return it for machines: what to change, and what is read then."""
        scales = {
            point.id: format(point.scale * self.options[family(point)].factor, "f")
            for point in self.profile.points
            if family(point) in self.options and point.kind != "enum" and not (point.sum or point.difference)
        }
        return {
            "change": self.what(),
            "word_order": self.order.word,
            "byte_order": self.order.byte,
            "scale": scales,
            "verdict": self.verdict,
            "points": [{"point": name, "says": value, "because": why} for name, value, why in self.lines()],
        }

    def _points_of(self, name: str) -> list[Point]:
        return [point for point in self.profile.points if family(point) == name and point.kind != "enum"]

    def _hint(self, name: str, option: Option) -> str:
        units = {point.unit for point in self._points_of(name)}
        sent = {_UNITS.get((unit, option.factor)) for unit in units} - {None}
        return f" ({sent.pop()} taken for {units.pop()}?)" if len(units) == len(sent) == 1 else ""


def candidates(
    profile: Profile, order: Order, heard: Mapping[Option, Heard], building: Building, whole: tuple[Reason, ...]
) -> Iterator[Candidate]:
    """Yield every candidate of an order, the one without other changes first."""
    points: defaultdict[str, list[str]] = defaultdict(list)
    for point in profile.points:
        if point.kind != "enum":
            points[family(point)].append(point.id)
    judged = {
        (name, option): tuple(_judge(profile, heard[option], names, building))
        for name, names in points.items()
        for option in heard
    }
    free = [name for name in points if name in ("energy", "power")]
    mended = {name: _mend(name, heard, judged) for name in points if name not in free}
    fixed = [dict.fromkeys(mended, AS_WRITTEN)]
    if mended != fixed[0]:
        fixed.append(mended)
    for others, chosen in itertools.product(fixed, itertools.product(heard, repeat=len(free))):
        options = dict(zip(free, chosen, strict=True)) | others
        merged = {
            name: heard[options[family(profile.point(name))]][name] for group in points.values() for name in group
        }
        reasons = [reason for name, option in options.items() for reason in judged[name, option]]
        against = {reason.point for reason in reasons if reason.weight == "against"}
        for counters, power in pairs(profile):
            if against.isdisjoint(counters):
                reasons += together([merged[name] for name in counters], merged[power])
        reasons += [*phases(profile, merged), *whole]
        changed = {name: option for name, option in options.items() if option != AS_WRITTEN}
        yield Candidate(profile, order, changed, merged, tuple(reasons))


def _judge(profile: Profile, heard: Heard, names: Sequence[str], building: Building) -> Iterator[Reason]:
    """Judge points one by one."""
    solar = {power for counters, power in pairs(profile) if profile.point(counters[0]).quantity == "pv_energy"}
    if any(fed.measures == "solar_generation" for fed in building.fed):
        solar |= {power for _, power in pairs(profile)}
    for name in names:
        if not profile.point(name).internal:
            yield from alone(heard[name])
            yield from around(heard[name], building, solar=name in solar)


def _mend(name: str, heard: Mapping[Option, Heard], judged: Mapping[tuple[str, Option], Sequence[Reason]]) -> Option:
    """Return the first option nothing speaks against; as written where there is none."""
    return next(
        (option for option in heard if all(reason.weight != "against" for reason in judged[name, option])), AS_WRITTEN
    )
