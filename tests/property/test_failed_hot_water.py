"""Failed hot water meters, recomputed with fractions from floor areas and what every flat uses by the hour."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from fractions import Fraction

from hypothesis import given, settings
from hypothesis import strategies as st

from core.time import Month
from settlement.month import Settled
from tests.support import heathouse as house
from tests.support.heathouse import HOUR, Tree, amounts, settled, utc

JANUARY = Month(2026, 1)
DECEMBER, START, END = utc("2025-11-30 23:00"), utc("2025-12-31 23:00"), utc("2026-01-31 23:00")


@dataclass(frozen=True)
class Case:
    """A building: floor area, use and whether in m3 of each flat; ``first`` is the first hour that is missing."""

    homes: list[tuple[int, int, bool]]
    broken: set[int]
    first: int
    moves: bool
    units: str
    warm: str
    earlier: bool

    @property
    def areas(self) -> dict[str, Fraction]:
        return {f"F{number}": Fraction(area) for number, (area, _, _) in enumerate(self.homes)}

    @property
    def failed(self) -> set[str]:
        return {f"F{number}" for number in self.broken if number < len(self.homes)}

    @property
    def by_fixed(self) -> bool:
        area = sum((self.areas[flat] for flat in self.failed), Fraction(0))
        return self.lost and 4 * area > sum(self.areas.values())

    @property
    def lost(self) -> bool:
        """Whether more than a day is missing."""
        return 744 - self.first > 24

    def unit(self, flat: str) -> str:
        return self.units if self.units != "both" else "m3" if self.homes[int(flat[1:])][2] else "kWh"

    @property
    def mixed(self) -> bool:
        return len({self.unit(flat) for flat in self.areas}) == 2

    @property
    def per_litre(self) -> Fraction:
        """Heat [Wh]."""
        return Fraction(5, 2) * (Fraction(self.warm) - 10)

    def use(self, flat: str, hour: datetime) -> int:
        """Litres or Wh; twice as many in December."""
        return 10 * self.homes[int(flat[1:])][1] * (hour.hour + 1) * (2 if hour < START else 1)

    def read(self, flat: str, hour: datetime) -> int | None:
        missing = flat in self.failed and hour >= START + self.first * HOUR
        return None if missing else self.use(flat, hour)

    def compared(self, flat: str, hours: list[datetime]) -> Fraction:
        """In the measure that is divided: litres or Wh, and Wh where there are both."""
        used = sum(self.use(flat, hour) for hour in hours)
        return used * (self.per_litre if self.mixed and self.unit(flat) == "m3" else Fraction(1))

    def warmth(self, flat: str, amount: Fraction) -> Fraction:
        """Heat of an amount in that measure [Wh]."""
        return amount * self.per_litre if self.unit(flat) == "m3" and not self.mixed else amount

    def settle(self) -> tuple[Settled, Tree]:
        flats = {flat: str(area) for flat, area in self.areas.items()}
        rule = {"measured_percent": "60", "warm_celsius": self.warm}
        town = house.with_water(house.tree(flats, failed_meters="estimate", hot_water=rule))
        for meter in town["meters"]:
            if meter["measures"] == "hot_water":
                meter["unit"] = self.unit(meter["flat"])
        if self.moves and self.failed:
            flat = min(self.failed)
            next(one for one in town["households"] if one["flat"] == flat)["until"] = "2026-01-16"
            town["households"].append({"id": "h-new", "flat": flat, "from": "2026-01-16"})
        known = house.quantities(flats, self.read, DECEMBER if self.earlier else START, END, "hot")
        known |= house.quantities(flats, lambda flat, hour: 1000, START, END)
        return settled(town, known, JANUARY)

    def estimated(self, flat: str, missing: list[datetime]) -> tuple[Fraction, str]:
        """What the rule says a failed meter would have counted, and by which method."""
        working = [one for one in self.areas if one not in self.failed]
        december = house.hours(DECEMBER, START)
        then = sum(self.compared(one, december) for one in working)
        if self.earlier and then:
            now = sum(self.compared(one, missing) for one in working)
            return self.compared(flat, december) * now / then, "same_flat_last_month"
        own = self.areas[flat]
        alike = [one for one in working if 5 * abs(self.areas[one] - own) <= own]
        told = alike or working
        rate = sum(self.compared(one, missing) for one in told) / sum(self.areas[one] for one in told)
        return own * rate, "alike_flats" if alike else "building"


def of_entry(case: Case, entry: Tree) -> Fraction:
    """Hold an entry against the rule, and return what it is charged by where meters decide."""
    flat, told = entry["flat"], entry["heat"]["hot_water"]
    start, end = (datetime.fromisoformat(entry[name]).replace(tzinfo=UTC) - HOUR for name in ("from", "until"))
    hours = house.hours(start, end)
    own = [hour for hour in hours if case.read(flat, hour) is not None]
    missing = hours[len(own) :]
    measured = case.compared(flat, own)
    assert abs(Fraction(told["measured_kwh"]) * 1000 - case.warmth(flat, measured)) < Fraction(1, 1000)
    if not case.lost or not missing or case.by_fixed:
        assert told["estimated_by"] == ("fixed_measure" if case.by_fixed else None)
        assert told["estimated_kwh"] is None
        return measured
    exact, method = case.estimated(flat, missing)
    assert told["estimated_by"] == method
    estimated = Fraction((exact * 1000 + Fraction(1, 2)).__floor__(), 1000)  # half-up to a millionth
    printed = Fraction(told["estimated_kwh"]) * 1000
    assert abs(printed - case.warmth(flat, estimated)) <= Fraction(1, 2000)
    return measured + estimated


@settings(max_examples=20, deadline=None)
@given(
    st.builds(
        Case,
        homes=st.lists(st.tuples(st.integers(20, 120), st.integers(0, 9), st.booleans()), min_size=3, max_size=6),
        broken=st.sets(st.integers(0, 5), max_size=2),
        first=st.integers(0, 700),
        moves=st.booleans(),
        units=st.sampled_from(["m3", "kWh", "both"]),
        warm=st.sampled_from(["50", "57.5"]),
        earlier=st.booleans(),
    )
)
def test_every_estimate_of_hot_water_is_the_rule_and_the_pools_add_up(case: Case) -> None:
    whole, statement = case.settle()
    found = {finding["code"] for finding in statement["findings"]}
    assert ("hot-water-by-fixed-measure" in found) is case.by_fixed
    basis: dict[str, Fraction] = {}
    warmth = Fraction(0)
    for entry in statement["statements"]:
        charged = of_entry(case, entry)
        warmth += case.warmth(entry["flat"], charged)
        days = (date.fromisoformat(entry["until"]) - date.fromisoformat(entry["from"])).days
        basis[entry["party"]] = case.areas[entry["flat"]] * days if case.by_fixed else charged
    supplied = 744 * 1000 * len(case.homes) + warmth
    assert whole.heat is not None
    pool = whole.heat.hot_water_measured + whole.heat.hot_water_fixed
    assert abs(pool - 100_000 * warmth / supplied) <= Fraction(1, 2)
    paid = {party: Fraction(amount) for party, amount in amounts(statement, "hot_water_measured").items()}
    assert 100 * sum(paid.values()) == whole.heat.hot_water_measured
    for party, part in basis.items():
        exact = whole.heat.hot_water_measured * part / sum(basis.values()) if pool else Fraction(0)
        assert abs(100 * paid.get(party, Fraction(0)) - exact) < 1
    codes = ("heat_measured", "heat_fixed", "hot_water_measured", "hot_water_fixed")
    assert sum((sum(amounts(statement, code).values()) for code in codes), Decimal(0)) == 1000
