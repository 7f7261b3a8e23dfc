"""The files of a settled month: a row of quarters.csv for every flat and interval, the statement in canonical bytes."""

from __future__ import annotations

import csv
import io
import json
from decimal import Decimal
from typing import Any

from core.communityfile import build
from core.time import Month
from settlement.model import MeterReadings
from settlement.replay import settle_document
from settlement.statement import dump, quarters_csv
from tests.support.heathouse import quantities, utc
from tests.support.heathouse import tree as house_of_heat
from tests.support.pricehouse import Tree, lines, readings, settled, tariff, tree

FEBRUARY = Month(2026, 2)
QUARTERS = 28 * 96


def rows(given: Tree, silent: str = "") -> list[list[str]]:
    """Rows of a February in which everything gives 1 kWh in every quarter-hour; one meter says nothing in the first."""
    file = build(given, "the house")
    known = dict(readings(file, FEBRUARY, {meter.id: lambda _: 1_000_000 for meter in file.community.meters}))
    if silent:
        whole = known[silent]
        known[silent] = MeterReadings(whole.kind, whole.times[1:], whole.values[1:])
    return list(csv.reader(io.StringIO(quarters_csv(settle_document(file, FEBRUARY, known)[0]))))


def house(**other: Any) -> Tree:
    """Two flats, the later first, with a common meter; F1 changes hands on the 15th."""
    given = tree(2)
    common = {"id": "el-common", "measures": "electricity", "common": "true", "unit": "kWh"}
    households = [
        {"id": "h-F2", "flat": "F2", "from": "2025-01-01"},
        {"id": "h-F1", "flat": "F1", "from": "2025-01-01", "until": "2026-02-15"},
        {"id": "n-F1", "flat": "F1", "from": "2026-02-15"},
    ]
    return given | {
        "flats": given["flats"][::-1],
        "meters": [*given["meters"], common],
        "households": households,
    } | other  # fmt: skip


def test_flats_come_by_name_and_the_common_area_last_in_every_interval() -> None:
    head, *found = rows(house())
    assert head == ["start", "party", "flat", "consumed_kwh", "shared_kwh", "quality"]
    assert [row[2] for row in found] == ["F1", "F2", "common"] * QUARTERS
    assert [row[0] for row in found[:4]] == ["2026-01-31T23:00:00Z"] * 3 + ["2026-01-31T23:15:00Z"]
    assert found[-1][0] == "2026-02-28T22:45:00Z"
    assert {row[3] for row in found} == {"1.000000"}
    assert sum(Decimal(row[4]) for row in found) == QUARTERS


def test_who_lives_there_stands_in_its_own_days_and_nobody_in_the_common_area() -> None:
    _, *found = rows(house())
    until = 14 * 96
    assert [row[1] for row in found if row[2] == "F1"] == ["h-F1"] * until + ["n-F1"] * (QUARTERS - until)
    assert {row[1] for row in found if row[2] == "F2"} == {"h-F2"}
    assert {row[1] for row in found if row[2] == "common"} == {""}


def test_without_a_common_meter_there_is_no_row_for_it() -> None:
    assert {row[2] for row in rows(tree(2))[1:]} == {"F1", "F2"}


def test_what_is_not_known_is_empty_and_shares_nothing() -> None:
    _, first, *_ = rows(tree(1), silent="el-F1")
    assert first == ["2026-01-31T23:00:00Z", "h-F1", "F1", "", "0.000000", "missing"]


def test_a_flat_without_an_electricity_meter_has_no_electricity_and_not_none_of_it() -> None:
    given = house()
    given["meters"] = [meter for meter in given["meters"] if meter["id"] != "el-F2"]
    given["meters"].append({"id": "heat-F2", "measures": "heat", "flat": "F2", "unit": "kWh"})
    told = {entry["party"]: entry["electricity"] for entry in settled(given, "2026-02")[1]["statements"]}
    assert told["h-F2"] is None
    assert told["n-F1"]["consumed_kwh"] == f"{14 * 96}.000000"


def test_what_holds_is_off_by_nothing_written_in_its_own_unit() -> None:
    night = {"name": "night", "from": "23:00", "until": "07:00", "solar_eur_per_kwh": "0.10"}
    for check in settled(tree(1, tariffs=[tariff(windows=[night])]), "2026-02")[1]["checks"]:
        in_money = check["name"].startswith(("cents:", "ledger:"))
        assert (check["holds"], check["difference"]) == (True, "0.00" if in_money else "0.000000")


def test_a_line_names_a_window_only_where_there_is_one() -> None:
    night = {"name": "night", "from": "23:00", "until": "07:00", "solar_eur_per_kwh": "0.10"}
    told = settled(tree(1, tariffs=[tariff(windows=[night])]), "2026-02")[1]
    day, dark = lines(told, "solar", "h-F1")
    assert ("window" in day, dark["window"]) == (False, "night")


def test_who_left_before_the_grid_price_was_unknown_is_told_what_the_sun_saved() -> None:
    unknown = tariff(**{"from": "2026-02-15"})
    del unknown["grid_eur_per_kwh"]
    told = settled(house(tariffs=[tariff(), unknown]), "2026-02")[1]
    saved = {entry["party"]: entry["electricity"]["saved_eur"] for entry in told["statements"]}
    assert saved["h-F1"] is not None
    assert (saved["n-F1"], saved["h-F2"]) == (None, None)


def test_the_share_of_what_is_known_adds_up_to_a_hundred_percent() -> None:
    given = tree(1)
    # A water meter that says nothing takes no part: it is not what is told here.
    given["meters"].append({"id": "hot-F1", "measures": "hot_water", "flat": "F1", "unit": "m3"})
    whole, nothing = (
        settled(given, "2026-02", {"pv": lambda _: 1, **known})[1]["statements"][0]["quality"]
        for known in ({"el-F1": lambda _: 1}, {})
    )
    assert whole == {"measured_percent": "100.00", "estimated_percent": "0.00", "missing_percent": "0.00"}
    assert nothing == {"measured_percent": "0.00", "estimated_percent": "0.00", "missing_percent": "100.00"}


def test_a_statement_is_written_as_it_is_spelled_sorted_and_with_a_newline() -> None:
    assert dump({"name": "De Sterflat, Coöperatie", "month": "2026-02"}) == (
        '{\n  "month": "2026-02",\n  "name": "De Sterflat, Coöperatie"\n}\n'.encode()
    )


def test_heat_that_was_made_and_reached_no_meter_is_lost() -> None:
    town = house_of_heat({"A": "50", "B": "50"})
    town["meters"].append({"id": "boiler", "measures": "heat_produced", "unit": "kWh"})
    start, end = utc("2025-12-31 23:00"), utc("2026-01-31 23:00")
    known = quantities("AB", lambda flat, hour: 400, start, end)
    known["boiler"] = quantities("X", lambda flat, hour: 1000, start, end)["heat-X"]
    energy = json.loads(settle_document(build(town, "the house"), Month(2026, 1), known)[1])["energy"]
    # 744 hours of 1 kWh made, and twice 0.4 kWh measured.
    assert [energy[f"heat_{what}_kwh"] for what in ("produced", "measured", "lost")] == [
        "744.000000", "595.200000", "148.800000"
    ]  # fmt: skip
