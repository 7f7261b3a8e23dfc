"""First contact: whether a profile fits what a device says, and if not, which change of it would.

Nothing is changed here and nothing is guessed into the readings. The profile as written is judged first; then every
word order, byte order, decimal scale and sign is judged by the same evidence, and a person decides.
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from typing import Any, Final, Literal

from collector.evidence import Building, Reason, alone, amount_text, around, pairs, phases, together
from collector.profile import Profile
from collector.raw import Raw
from collector.variants import AS_WRITTEN, OPTIONS, Heard, Option, Order, differ, family, hear, orders, written
from core.wire import QUANTITY_UNITS

Verdict = Literal["fits", "does not fit", "cannot tell"]

_EVERYTHING: Final = Building()
_LEAST_WORDS: Final = 4  # fewer equal registers can be chance
_MOST_SHOWN: Final = 4
_UNLIKELY_CHANGES: Final = 3
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
                parts.append(f"{thing} read with the other sign rule")
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

    def _hint(self, name: str, option: Option) -> str:
        units = {point.unit for point in self.profile.points if family(point) == name}
        hints = {_UNITS.get((unit, option.factor)) for unit in units}
        return f" (in {hints.pop()} and not {units.pop()}?)" if len(units) == 1 and hints != {None} else ""


@dataclass(frozen=True)
class Check:
    """The answer for a profile and a device."""

    written: Candidate
    others: tuple[Candidate, ...]
    looks: int
    whole: tuple[Reason, ...]

    @property
    def verdict(self) -> Verdict:
        """Whether the profile as written fits."""
        return self.written.verdict

    @cached_property
    def fitting(self) -> tuple[Candidate, ...]:
        """Every change that fits, the smallest first and the best proven first among equals."""
        found = [other for other in self.others if other.verdict == "fits"]
        return tuple(sorted(found, key=lambda other: (other.changes, -other.strength)))

    @cached_property
    def suggested(self) -> tuple[Candidate, ...]:
        """Changes a person should look at: those that no other beats.

        Beside a profile that fits as written, only another order or sign counts; the scale is told by `scale_proven`.
        """
        if self.verdict == "fits":
            rivals = [other for other in self.fitting if not other.rescaled and other.strength >= self.written.strength]
            return tuple(rivals[:_MOST_SHOWN])
        best = [one for one in self.fitting if not any(other.beats(one) for other in self.fitting)]
        return tuple(best[:_MOST_SHOWN])

    @cached_property
    def scale_proven(self) -> bool:
        """Whether no other scale fits what was seen as well as the profile's own."""
        return not any(other.rescaled and other.strength >= self.written.strength for other in self.fitting)

    @property
    def only_the_rise_is_against(self) -> bool:
        """Whether a longer look could still turn a no into a yes: some counters move in jumps."""
        against = {reason.text.split(" ")[0] for reason in self.written.reasons if reason.weight == "against"}
        return against == {"rose"}

    def headline(self) -> str:
        """Return the answer in a sentence."""
        if self.verdict == "fits":
            return "The profile as written fits."
        if self.verdict == "cannot tell":
            return (
                "Whether the profile as written fits cannot be told: the device shows nothing that could be compared."
            )
        if self.whole:
            return f"The profile does not fit: {self.whole[0].text}."
        if self.suggested:
            return "The profile as written does not fit."
        return "Nothing fits, in no word order and on no scale: wrong profile, wrong model or wrong unit?"

    def advice(self) -> Iterator[str]:
        """Yield what a person can do now, one sentence each."""
        if self.verdict == "fits" and not self.scale_proven:
            yield (
                "Another scale would fit these numbers as well. Compare with the display of the device: "
                f"{self.written.values()}."
            )
        if self.verdict == "does not fit" and self.suggested:
            if len(self.suggested) > 1:
                yield "Several changes would fit; the display of the device tells which is right."
            if self.suggested[0].changes >= _UNLIKELY_CHANGES:
                yield "So many changes at once are rather a sign of another model; look for its own profile first."
            yield "Nothing was changed. Compare with the display of the device, then change a copy of the profile."
        if self.looks < 2:  # noqa: PLR2004 - a rise needs two looks
            yield "There was but one look, so it is not known whether the counters rise as they should."

    def tree(self) -> dict[str, Any]:
        """Return the answer for machines."""
        return {
            "verdict": self.verdict,
            "says": self.headline(),
            "written": self.written.tree(),
            "would_fit": [one.tree() for one in self.suggested],
            "scale_proven": self.verdict == "fits" and self.scale_proven,
            "advice": list(self.advice()),
        }


def check(profile: Profile, looks: Sequence[Raw], building: Building = _EVERYTHING) -> Check:
    """Judge a profile by what a device said.

    Parameters
    ----------
    profile
        As written.
    looks
        One sample, or better two with some seconds between them.
    building
        What is known about the place; nothing by default.
    """
    tried: list[tuple[Order, dict[Option, Heard]]] = []
    for order in orders(profile):
        plain = hear(profile, looks, order, AS_WRITTEN)
        if all(differ(plain, known[AS_WRITTEN]) for _, known in tried):
            options = {option: hear(profile, looks, order, option) for option in OPTIONS[1:]}
            told = {option: heard for option, heard in options.items() if differ(heard, plain)}
            tried.append((order, {AS_WRITTEN: plain, **told}))
    whole = tuple(_whole(profile, looks, tried[0][1][AS_WRITTEN]))
    found = [one for order, heard in tried for one in _candidates(profile, order, heard, building, whole)]
    return Check(found[0], tuple(found[1:]), sum(1 for _ in looks), whole)


def _whole(profile: Profile, looks: Sequence[Raw], heard: Heard) -> Iterator[Reason]:
    """Judge the answer as a whole: a device can be connected and still say nothing."""
    shown = [heard[point.id] for point in profile.points if not point.internal and point.kind != "enum"]
    amounts = [said.amount for said in shown if said.amount is not None]
    words = [word for look in looks for run in look.registers for word in run.values]
    if len(words) >= _LEAST_WORDS and len(set(words)) == 1:
        text = "zero" if not words[0] else f"the same (0x{words[0]:04X})"
        yield Reason("", "against", f"the device answers, but every register it gives is {text}")
    elif words and len(amounts) > 1 and not any(amounts):
        yield Reason("", "against", "the device answers, but every value is zero; switch something on and read again")
    elif shown and not amounts and not words and not any(look.messages or look.documents for look in looks):
        yield Reason("", "against", "the device answers, but gives nothing that was asked for")


def _candidates(
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
