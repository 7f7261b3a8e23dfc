"""What a comparison counts: intervals known and not, months without a price, flats that used nothing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

from core.communityfile import build
from core.time import Month, microseconds
from settlement.model import MeterReadings, Readings
from settlement.whatif.compare import Comparison, MonthKnown, compare
from settlement.whatif.fairness import gini, spread
from tests.support.pricehouse import readings, tariff, tree

JANUARY, FEBRUARY = Month(2026, 1), Month(2026, 2)
BEGIN = datetime(2025, 12, 31, 23, tzinfo=UTC)
HOURS = 31 * 24


def at(hour: int) -> datetime:
    return BEGIN + timedelta(hours=hour)


def quantities(known: set[int]) -> MeterReadings:
    """A kilowatt-hour in each of these hours of January; the others are missing."""
    return MeterReadings("interval", tuple(microseconds(at(h)) for h in sorted(known)), (Decimal(1),) * len(known))


def registers(known: set[int]) -> MeterReadings:
    """A register that counts a kilowatt-hour in every hour, read at the beginning of these."""
    hours = sorted(known)
    return MeterReadings("register", tuple(microseconds(at(h)) for h in hours), tuple(Decimal(h) for h in hours))


def hourly(flats: int, **other: Any) -> dict[str, Any]:
    return tree(flats, settlement_interval="1h", **other)


def compared(town: dict[str, Any], known: Readings, last: Month = JANUARY) -> Comparison:
    return compare(build(town, "the house").community, JANUARY, last, known)


def test_intervals_of_flats_and_of_the_sun_are_counted_and_the_missing_and_the_estimated_among_them() -> None:
    town = hourly(4)
    town["meters"] = [meter for meter in town["meters"] if meter["id"] != "el-F4"]
    town["edits"] = [{"meter": "el-F2", "at": at(30).isoformat(), "value": "30", "by": "a resident", "why": "by hand"}]
    every = set(range(HOURS))
    known: Readings = {
        "pv": quantities(every - {0, 1, 2}),
        "el-F1": quantities(every),
        "el-F2": registers({*every, HOURS} - {10, 20, 21}),
        "el-F3": quantities(every - {5}),
    }
    # F4 has no meter, and three hours of sun are nobody's. Two and three hours of F2 are estimated and two lie beside
    # a value that was read by hand; an hour of F3 is estimated.
    only = MonthKnown(JANUARY, intervals=5 * HOURS, missing=HOURS + 3, estimated=2 + 3 + 2 + 1, silent=("F4", "sun"))
    assert compared(town, known).months == (only,)


def test_without_a_roof_there_is_no_sun_at_all_even_where_no_meter_says_how_much_there_is() -> None:
    town = hourly(2)
    town["meters"] = [meter for meter in town["meters"] if meter["id"] != "pv"]
    found = compared(town, {f"el-F{flat}": quantities(set(range(HOURS))) for flat in (1, 2)})
    assert found.months == (MonthKnown(JANUARY, intervals=3 * HOURS, missing=HOURS, estimated=0, silent=("sun",)),)
    roof = compared(hourly(2), {name: quantities(set(range(HOURS))) for name in ("pv", "el-F1", "el-F2")})
    assert roof.today.generated == HOURS * 10**6
    for without in (found.without, roof.without):
        assert (without.generated, without.shared, without.surplus) == (0, 0, 0)
        assert without.consumed == 2 * HOURS * 10**6


def test_a_month_without_a_grid_price_leaves_the_worth_of_sun_unknown_even_for_who_came_later() -> None:
    """F1 is let to another household from February on, when there is a price; January's household never had one."""
    town = hourly(2, tariffs=[{**tariff(), "grid_eur_per_kwh": None}, tariff(**{"from": "2026-02-01"})])
    town["households"][0]["until"] = "2026-02-01"
    town["households"].append({"id": "n-F1", "flat": "F1", "from": "2026-02-01"})
    known = dict.fromkeys(("pv", "el-F1", "el-F2"), lambda _: 10**6)
    file = build(town, "the house")
    two = {
        name: MeterReadings("interval", (*one.times, *other.times), (*one.values, *other.values))
        for (name, one), other in zip(
            readings(file, JANUARY, known).items(), readings(file, FEBRUARY, known).values(), strict=True
        )
    }
    found = compared(town, two, FEBRUARY)
    tried = next(one.outcome for one in found.tried if one.candidate.name == "equal/owner")
    assert found.today.parties["F1", "n-F1"].grid is not None
    assert not found.priced
    assert [found.gain(tried, ("F1", party)) for party in ("h-F1", "n-F1")] == [None, 0]
    assert (found.gain_of_flat(tried, "F1"), found.benefits(tried), found.benefits_per_kwh(tried)) == (None, None, None)
    assert set(found.fairness(tried).values()) == {None}
    town["tariffs"] = [tariff()]
    assert compared(town, two, FEBRUARY).priced


def test_a_flat_that_used_nothing_has_no_benefit_per_kilowatt_hour_and_does_not_stop_the_others() -> None:
    known = {name: quantities(set(range(HOURS))) for name in ("pv", "el-F1")}
    known["el-F2"] = MeterReadings("interval", known["pv"].times, (Decimal(0),) * HOURS)
    found = compared(hourly(2), known)
    # Each kilowatt-hour of sun costs 20 cents and not the 30 of the grid.
    assert found.benefits(found.today) == {"F1": 10 * HOURS, "F2": 0}
    assert found.benefits_per_kwh(found.today) == {"F1": Fraction(10)}
    assert found.fairness(found.today) == {
        "spread": 10 * HOURS, "gini": Fraction(1, 2), "spread_per_kwh": 0, "gini_per_kwh": 0
    }  # fmt: skip


def test_where_there_are_no_benefits_nothing_tells_them_apart() -> None:
    assert (spread([]), gini([])) == (None, None)
    assert spread([Fraction(3), Fraction(-2), Fraction(1, 2)]) == 5
