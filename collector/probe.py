"""First contact: whether a profile fits what a device says, and if not, which change of it would.

Nothing is changed here and nothing is guessed into the readings. The profile as written is judged first; then every
word order, byte order, decimal scale and sign is judged by the same evidence, and a person decides.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

from collector.candidate import Candidate, Verdict, candidates
from collector.evidence import Building, Reason
from collector.profile import Profile
from collector.raw import Raw
from collector.variants import AS_WRITTEN, OPTIONS, Heard, Option, Order, differ, family, hear, orders

_NOTHING_KNOWN: Final = Building()
_LEAST_WORDS: Final = 4  # fewer equal registers can be chance
_ABSENT: Final = frozenset({"missing", "unreadable"})
_MOST_SHOWN: Final = 4
_UNLIKELY_CHANGES: Final = 3


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

        Beside a profile that fits as written, only another order or sign counts; scales are told by `unproven`.
        """
        if self.verdict == "fits":
            rivals = [other for other in self.fitting if not other.rescaled and other.strength >= self.written.strength]
            return tuple(rivals[:_MOST_SHOWN])
        best = [one for one in self.fitting if not any(other.beats(one) for other in self.fitting)]
        return tuple(best[:_MOST_SHOWN])

    @cached_property
    def tried(self) -> tuple[Candidate, ...]:
        """The other orders, without any change of scale: what a person can compare with where nothing fits."""
        return tuple(other for other in self.others if not other.options)

    @cached_property
    def unproven(self) -> tuple[str, ...]:
        """Points of which another scale fits what was seen as well as the profile's own."""
        rivals = [other for other in self.fitting if other.rescaled and other.strength >= self.written.strength]
        rivals = [one for one in rivals if not any(other.beats(one) for other in rivals)]
        names = {name for other in rivals for name in other.options}
        profile = self.written.profile
        return tuple(name for name, _, _ in self.written.lines() if family(profile.point(name)) in names)

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
        return "Nothing fits, in whatever word order and on whatever scale: wrong profile or wrong unit?"

    def advice(self) -> Iterator[str]:
        """Yield what a person can do now, one sentence each."""
        if self.verdict == "fits" and self.unproven:
            shown = ", ".join(f"{name} {value}" for name, value, _ in self.written.lines() if name in self.unproven)
            yield f"This does not prove the scale. Compare with the display of the device: {shown}."
        if self.verdict == "does not fit" and self.suggested:
            if len(self.suggested) > 1:
                yield "Several changes would fit; the display of the device tells which is right."
            if self.suggested[0].changes >= _UNLIKELY_CHANGES:
                yield "So many changes at once are rather a sign of another model; look for its own profile first."
            yield "Nothing was changed. Compare with the display of the device, then write it in a copy of the profile."
        if self.looks < 2:  # noqa: PLR2004 - a rise needs two looks
            yield "There was but one look, so it is not known whether the counters rise as they should."

    def tree(self) -> dict[str, Any]:
        """Return the answer for machines."""
        return {
            "verdict": self.verdict,
            "says": self.headline(),
            "written": self.written.tree(),
            "would_fit": [one.tree() for one in self.suggested],
            "tried": [one.tree() for one in self.tried],
            "unproven": list(self.unproven),
            "advice": list(self.advice()),
        }


def check(profile: Profile, looks: Sequence[Raw], building: Building = _NOTHING_KNOWN) -> Check:
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
    found = [one for order, heard in tried for one in candidates(profile, order, heard, building, whole)]
    return Check(found[0], tuple(found[1:]), len(looks), whole)


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
    elif shown and all(said.refused is not None and said.refused.code in _ABSENT for said in shown) and not amounts:
        yield Reason("", "against", "the device answers, but gives nothing that was asked for")
