"""The values that travel down the money path: frozen, without behaviour that could surprise.

Energy is ``int`` milliwatt-hours, other quantities millionths of their unit, money whole cents once rounded and
exact ``Fraction`` cents before. Instants are ``int`` microseconds since 1970 in UTC; an interval is labelled by its
start.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Final, Literal

from settlement.amounts import Amounts, Labels

Quality = Literal["measured", "validated", "estimated", "edited", "missing"]
WORST_FIRST: Final[tuple[Quality, ...]] = ("missing", "estimated", "edited", "validated", "measured")


@dataclass(frozen=True)
class MeterReadings:
    """What is known of one meter: register readings, or quantities per interval, sorted by time, each once.

    ``times`` [microseconds UTC] rise strictly; ``values`` are in the meter's own unit. ``by_hand`` are the times of
    values that a person read.
    """

    kind: Literal["register", "interval"]
    times: Sequence[int]
    values: Sequence[Decimal]
    by_hand: frozenset[int] = frozenset()


Readings = Mapping[str, MeterReadings]
"""By meter id; a meter without rows is absent."""


@dataclass(frozen=True)
class Finding:
    """Something a person should know; never changes a measured value.

    ``start`` and ``until`` bound what it is about [microseconds UTC], None where it is about the month.
    """

    code: str
    text: str
    meter: str | None = None
    start: int | None = None
    until: int | None = None


@dataclass(frozen=True)
class Check:
    """A conservation identity; ``difference`` is what is left over, as a decimal, zero when it holds."""

    name: str
    holds: bool
    difference: str


@dataclass(frozen=True)
class Series:
    """One meter's quantity per settlement interval [mWh or millionths]; None where it is missing.

    ``quality`` is numbered by ``WORST_FIRST``, so that the lower of two codes is the worse; ``method`` says how an
    estimate was made.
    """

    meter: str
    energy: Amounts[int | None]
    quality: Labels[Quality]
    method: Labels[str | None]

    @classmethod
    def of(
        cls, meter: str, energy: Sequence[int | None], quality: Sequence[Quality], method: Sequence[str | None]
    ) -> Series:
        """Make a series of single values."""
        return cls(meter, Amounts.of(energy), Labels.of(quality, WORST_FIRST), Labels.of(method, (None,)))

    @classmethod
    def missing(cls, meter: str, size: int) -> Series:
        """Make a series of a meter of which nothing is known."""
        return cls(meter, Amounts.missing(size), Labels.all_of("missing", size, WORST_FIRST), Labels.all_of(None, size))

    @property
    def any(self) -> bool:
        """Whether anything is known."""
        return bool(self.energy.known.any())

    def known(self, first: int = 0, end: int | None = None) -> int:
        """Sum of the intervals that are known."""
        return self.energy.total(first, end)


@dataclass(frozen=True)
class Spell:
    """The days of the month during which one party has a flat; vacancy is a spell of the owner."""

    party: str
    flat: str
    start: date
    until: date

    @property
    def days(self) -> int:
        """Number of days."""
        return (self.until - self.start).days

    @property
    def label(self) -> str:
        """Name that tells this spell from every other in the month."""
        return f"{self.party}|{self.flat}|{self.start}"


@dataclass(frozen=True)
class Line:
    """One line of a statement, rounded: ``amount`` = ``net`` + ``vat`` [cents].

    ``window`` names the hours of the week that its price holds in, None where it holds outside all of them.
    """

    code: str
    quantity: str | None
    unit: str | None
    price: Decimal | None
    net: int
    vat_percent: Decimal
    vat: int
    amount: int
    window: str | None = None


@dataclass(frozen=True)
class Evidence:
    """What is behind a posting, for programs: made by `settlement.evidence`, which names the forms.

    Attributes
    ----------
    rules
        Sections of the community file with the first day of the entry in force.
    documents
        Events, by kind and key: invoices, deliveries, counts, advances, work, and who lived where.
    meters
        The party's own meters.
    all_of
        Kinds of meter of which every one counts, because a pool or the sun is divided by them.
    start, until
        Span of the readings, RFC 3339 in UTC; ``until`` is not included.
    """

    rules: tuple[str, ...] = ()
    documents: tuple[str, ...] = ()
    meters: tuple[str, ...] = ()
    all_of: tuple[str, ...] = ()
    start: str | None = None
    until: str | None = None

    @property
    def tree(self) -> dict[str, list[str] | str]:
        """As it is stored and shown: what is empty is left out."""
        named = {
            "rules": list(self.rules),
            "documents": list(self.documents),
            "meters": list(self.meters),
            "all_of": list(self.all_of),
            "from": self.start,
            "until": self.until,
        }
        return {name: value for name, value in named.items() if value}


@dataclass(frozen=True)
class Posting:
    """One line of double entry [cents], debit positive; those of a ``transaction`` sum to zero."""

    transaction: int
    account: str
    cents: int
    what: str
    evidence: Evidence = Evidence()
