"""Faults that settlement programs of others have shown, each asked of ours."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from zoneinfo import ZoneInfo

import pytest

from core.errors import BadInput
from tests.support.pricehouse import Amount, lines, settled, tariff, tree, utc

AMSTERDAM = ZoneInfo("Europe/Amsterdam")


def test_utc_month_a_month_runs_from_local_midnight_to_local_midnight() -> None:
    """One kilowatt-hour at 23:30 UTC on 31 January is of February in Amsterdam, at 22:30 of January."""
    for moment, january, february in (("22:30", "1.000000", "0.000000"), ("23:30", "0.000000", "1.000000")):
        at = utc(f"2026-01-31T{moment}")
        amounts: dict[str, Amount] = dict.fromkeys(("pv", "el-F1"), lambda start, at=at: int(start == at) * 10**6)
        for month, energy in (("2026-01", january), ("2026-02", february)):
            assert settled(tree(1), month, amounts)[1]["energy"]["shared_kwh"] == energy


def test_utc_month_prices_follow_the_local_clock() -> None:
    """A window from 00:00 to 06:00 is that of the flat's own clock, in summer two hours from UTC."""
    early = {"name": "early", "from": "00:00", "until": "06:00", "solar_eur_per_kwh": "0.10"}
    for moment, window in (("2026-07-09T22:00", "early"), ("2026-07-10T03:45", "early"), ("2026-07-10T04:00", None)):
        at = utc(moment)
        amounts: dict[str, Amount] = dict.fromkeys(("pv", "el-F1"), lambda start, at=at: int(start == at) * 10**6)
        _, statement = settled(tree(1, tariffs=[tariff(windows=[early])]), "2026-07", amounts)
        assert [line.get("window") for line in lines(statement, "solar", "h-F1")] == [window]


@pytest.mark.parametrize(("month", "days", "quarters"), [("2026-10", 31, 2980), ("2026-03", 31, 2972)])
def test_october_day_count_a_month_with_a_change_of_clocks_has_its_31_days(
    month: str, days: int, quarters: int
) -> None:
    """The hour more or less is neither a day more nor a day less: fixed amount and advance are whole."""
    given = tree(
        1,
        tariffs=[tariff(fixed_eur_per_month="31.00")],
        advances=[{"household": "h-F1", "from": "2025-01-01", "eur_per_month": "85.00"}],
    )
    _, statement = settled(given, month)
    assert [(line["quantity"], line["amount_eur"]) for line in lines(statement, "fixed", "h-F1")] == [
        (str(days), "31.00")
    ]
    assert statement["statements"][0]["advance_eur"] == "85.00"
    assert Decimal(statement["energy"]["solar_kwh"]) == quarters


def test_october_day_count_a_move_on_the_day_after_the_change() -> None:
    households = [
        {"id": "h-F1", "flat": "F1", "from": "2025-01-01", "until": "2026-10-26"},
        {"id": "n-F1", "flat": "F1", "from": "2026-10-26"},
    ]
    given = tree(1, households=households, tariffs=[tariff(fixed_eur_per_month="31.00")])
    _, statement = settled(given, "2026-10")
    told = {
        party: (lines(statement, "fixed", party)[0]["amount_eur"], lines(statement, "solar", party)[0]["quantity"])
        for party in ("h-F1", "n-F1")
    }
    assert told == {"h-F1": ("25.00", f"{25 * 96 + 4}.000000"), "n-F1": ("6.00", f"{6 * 96}.000000")}


def test_rounding_drift_twelve_months_stay_within_a_cent_a_month_and_together_are_the_buildings() -> None:
    """Three flats and a pool that never divides: the building's total is exact every month, nobody drifts away."""
    sums = {f"h-F{number}": 0 for number in (1, 2, 3)}
    exact = Fraction(0)
    pools = 0
    for number in range(1, 13):
        month = f"2026-{number:02d}"
        costs = [{"date": f"{month}-15", "pool": "common", "eur": "100.00", "invoice": f"M-{number}"}]
        result, statement = settled(tree(3, costs=costs, settlement_interval="1h"), month)
        (charge,) = [charge for charge in result.charges if charge.code == "common"]
        parts = {party: int(Decimal(lines(statement, "common", party)[0]["amount_eur"]) * 100) for party in sums}
        assert sum(parts.values()) == charge.total == 10_000
        sums = {party: sums[party] + cents for party, cents in parts.items()}
        exact += Fraction(10_000, 3)
        pools += charge.total
    assert sum(sums.values()) == pools
    # Each month a party is less than a cent from its exact share, and the lots spread the odd cents.
    assert all(abs(cents - exact) < 4 for cents in sums.values())


def test_missing_price_is_an_error_and_not_zero() -> None:
    for tariffs in ([tariff(**{"from": "2026-02-10"})], [tariff(until="2026-02-20")]):
        with pytest.raises(BadInput, match=r"There is no tariff for 2026-02-(01|20)"):
            settled(tree(tariffs=tariffs), "2026-02")


def test_move_on_the_10th_bills_each_for_the_own_days() -> None:
    """Two parties of one flat: nobody pays for the other's quarter-hours, and together they are the whole month."""
    households = [
        {"id": "h-F1", "flat": "F1", "from": "2025-01-01", "until": "2026-02-10"},
        {"id": "n-F1", "flat": "F1", "from": "2026-02-10"},
    ]
    given = tree(1, households=households, tariffs=[tariff(fixed_eur_per_month="28.00")])
    boundary = datetime(2026, 2, 10, tzinfo=AMSTERDAM)

    def used(start: datetime) -> int:
        """Twice as much once the new household lives there."""
        return 1_000_000 if start < boundary else 2_000_000

    _, statement = settled(given, "2026-02", {"pv": used, "el-F1": used})
    entries = {entry["party"]: entry for entry in statement["statements"]}
    assert [(entry["from"], entry["until"]) for entry in entries.values()] == [
        ("2026-02-01", "2026-02-10"),
        ("2026-02-10", "2026-03-01"),
    ]
    assert entries["h-F1"]["electricity"]["consumed_kwh"] == f"{9 * 96}.000000"
    assert entries["n-F1"]["electricity"]["consumed_kwh"] == f"{19 * 96 * 2}.000000"
    assert [lines(statement, "fixed", party)[0]["amount_eur"] for party in ("h-F1", "n-F1")] == ["9.00", "19.00"]


def test_move_on_the_10th_the_first_interval_of_the_day_is_the_new_households() -> None:
    households = [
        {"id": "h-F1", "flat": "F1", "from": "2025-01-01", "until": "2026-02-10"},
        {"id": "n-F1", "flat": "F1", "from": "2026-02-10"},
    ]
    for moment, party in (("2026-02-09T22:45", "h-F1"), ("2026-02-09T23:00", "n-F1")):
        at = utc(moment)
        amounts: dict[str, Amount] = dict.fromkeys(("pv", "el-F1"), lambda start, at=at: int(start == at) * 10**6)
        _, statement = settled(tree(1, households=households), "2026-02", amounts)
        told = [e["party"] for e in statement["statements"] if Decimal(e["electricity"]["consumed_kwh"])]
        assert told == [party]
