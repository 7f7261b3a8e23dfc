"""What a seal says about a month: nothing where there is nothing to say, entitlements exact, heat as far as known."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from core.communityfile import build
from core.time import Month, microseconds
from settlement.model import MeterReadings
from settlement.month import Settled
from settlement.replay import settle_document
from settlement.seal import figures
from tests.support.pricehouse import readings, settled, tariff, tree

FEBRUARY = Month(2026, 2)
HOURS = 28 * 24
AREA = {"id": "el-common", "measures": "electricity", "common": "true", "unit": "kWh"}
Tree = dict[str, Any]


def house(*meters: Tree, **other: Any) -> tuple[Settled, Tree]:
    """A February of two flats, sun and use of a kilowatt-hour in every hour, and its statement."""
    town = tree(2, settlement_interval="1h", **other)
    town["meters"] += meters
    return settled(town, "2026-02")


def test_without_a_meter_of_the_common_area_nothing_is_said_about_it() -> None:
    bare, _ = house()
    assert figures.common_area(bare) is None
    (stretch,) = figures.totals(bare)["stretches"]
    assert (stretch["common_used_mwh"], stretch["common_shared_mwh"]) == (None, None)
    metered, _ = house(AREA)
    assert figures.common_area(metered) == {"consumed_mwh": [10**6] * HOURS, "shared_mwh": [10**6] * HOURS}
    (stretch,) = figures.totals(metered)["stretches"]
    assert (stretch["common_used_mwh"], stretch["common_shared_mwh"]) == (HOURS * 10**6, HOURS * 10**6)


def test_a_charge_names_its_window_and_one_of_no_window_has_no_such_field() -> None:
    night = {"name": "night", "from": "23:00", "until": "07:00", "solar_eur_per_kwh": "0.10"}
    month, _ = house(tariffs=[tariff(windows=[night], fixed_eur_per_month="3")])
    found = [(one["code"], one["price_eur"], one.get("window", "-")) for one in figures.charges(month)]
    assert found == [
        ("solar", "0.20", "-"), ("solar", "0.10", "night"), ("feed_in", "0.05", "-"), ("fixed", "3", "-")
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("key", "common", "told"),
    [
        ("equal", "first", ["1/2", "1/2"]),
        ("equal", "participant", ["1/3", "1/3"]),
        ("fixed", "first", ["4/5", "1/5"]),
        ("fixed", "participant", ["1/2", "1/8"]),
        ("proportional", "participant", [None, None]),
    ],
)
@pytest.mark.parametrize("meter", [True, False])
def test_what_a_flat_is_entitled_to_counts_the_common_area_where_it_has_a_meter_and_takes_part(
    key: str, common: str, told: list[str | None], meter: bool
) -> None:
    """Weights 2 and 0.5, and 1.5 for the common area; without a meter it takes no part."""
    if not meter and common == "participant":
        told = ["1/2", "1/2"] if key == "equal" else ["4/5", "1/5"] if key == "fixed" else told
    rule = {"from": "2025-01-01", "key": key, "weights": {"F1": "2", "F2": "0.5"}, "common_weight": "1.5"}
    month, statement = house(*[AREA][: int(meter)], sharing=[rule | {"common": common}])
    files = figures.rules(month, {}), statement, figures.charges(month), figures.totals(month)
    own = [figures.own(*files, f"h-{flat}|{flat}|2026-02-01") for flat in ("F1", "F2")]
    assert [[part["weight"] for part in one["parts"]] for one in own] == [[weight] for weight in told]


def test_who_moves_on_the_day_the_price_changes_has_a_part_of_one_price_only() -> None:
    prices = [tariff(), tariff(solar_eur_per_kwh="0.30") | {"from": "2026-02-11"}]
    moves = [
        {"id": "h-old", "flat": "F1", "from": "2025-01-01", "until": "2026-02-11"},
        {"id": "h-new", "flat": "F1", "from": "2026-02-11"},
        {"id": "h-F2", "flat": "F2", "from": "2025-01-01"},
    ]
    month, _ = house(tariffs=prices, households=moves)
    found = {label.split("|")[0]: one["parts"] for label, one in figures.totals(month)["entries"].items()}
    used = {who: [part and part["consumed_mwh"] // 10**6 for part in parts] for who, parts in found.items()}
    assert used == {"h-old": [240, None], "h-new": [None, 432], "h-F2": [240, 432]}


def test_heat_of_two_meters_is_what_is_known_of_them_and_nothing_only_where_neither_was_read() -> None:
    town = tree(2, settlement_interval="1h")
    town["meters"] += [{"id": name, "measures": "heat", "flat": "F1", "unit": "kWh"} for name in ("h-1", "h-2", "h-3")]
    town["meters"] += [{"id": "h-4", "measures": "heat", "flat": "F2", "unit": "kWh"}]
    file = build(town, "the house")
    known = dict(readings(file, FEBRUARY, {name: lambda _: 10**6 for name in ("pv", "el-F1", "el-F2")}))
    start = FEBRUARY.bounds(file.community.zone)[0]
    for name, hours, kwh in (("h-1", 1, 2), ("h-2", 2, 3)):  # the third was never read
        times = tuple(microseconds(start + timedelta(hours=hour)) for hour in range(hours))
        known[name] = MeterReadings("interval", times, (Decimal(kwh),) * hours)
    month, _ = settle_document(file, FEBRUARY, known)
    first, second = (figures.intervals(month, spell)["heat"] for spell in month.spells)
    assert first == [5 * 10**6, 3 * 10**6, *[None] * (HOURS - 2)]
    assert second == [None] * HOURS
    assert figures.totals(month)["entries"]["h-F1|F1|2026-02-01"]["heat"] == 8 * 10**6
