"""The figures of a balance, from a month that is settled and from its statement: what was not read is not zero."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest

from settlement import balance
from settlement.balance import Figures
from settlement.hotwater import Warmed
from settlement.model import Series
from settlement.month import Settled
from tests.support import finaltown
from tests.support.finaltown import tree

HOURS = 672 * 1000
"""Of February, for what a meter counts in each [mWh from Wh]."""
FEBRUARY = Figures(
    has=frozenset({"solar_generation", "grid_import", "grid_export", "flats", "common", "heat_produced", "heat"}),
    complete=True,
    sun=900 * HOURS,
    sun_flats=610 * HOURS,
    sun_common=290 * HOURS,
    surplus=0,
    grid_import=1000 * HOURS,
    grid_export=300 * HOURS,
    flats=1300 * HOURS,
    common=290 * HOURS,
    boiler_heat=5000 * HOURS,
    flats_heat=4100 * HOURS,
    burnt_kg=Fraction(900),
    kwh_per_kg=Fraction(48, 10),
)
GRID = {"grid_import": 1000 * HOURS, "grid_export": 300 * HOURS}
Document = dict[str, Any]


@pytest.fixture(scope="module")
def february() -> tuple[Settled, Document]:
    settled, document, _ = finaltown.settled(finaltown.town(), finaltown.registers())
    return settled, document


def of_month(of: Settled, *unread: str, without: tuple[str, ...] = (), warmed: Warmed | None = None) -> Figures:
    """The month's figures, some of its meters not read or not there."""
    series = {
        name: Series.missing(name, 672) if name in unread else one
        for name, one in of.energy.series.items()
        if name not in without
    }
    meters = [one for one in tree()["meters"] if one["id"] not in without]
    return balance.of_month(finaltown.town(meters=meters), series, of.energy.sun, of.pellets, warmed)


def test_a_month_tells_what_its_meters_counted(february: tuple[Settled, Document]) -> None:
    assert of_month(february[0]) == FEBRUARY


@pytest.mark.parametrize(
    ("name", "unread"),
    [
        ("grid_import", ["grid-in"]),
        ("grid_export", ["grid-out"]),
        ("flats", ["el-A", "el-B"]),
        ("common", ["el-common"]),
        ("boiler_heat", ["boiler"]),
        ("flats_heat", ["heat-A", "heat-B"]),
    ],
)
def test_what_no_meter_was_read_of_is_not_known(
    february: tuple[Settled, Document], name: str, unread: list[str]
) -> None:
    assert of_month(february[0], *unread) == replace(FEBRUARY, complete=False, **{name: None})


def test_of_two_meters_the_one_that_was_read_counts(february: tuple[Settled, Document]) -> None:
    assert of_month(february[0], "el-A") == replace(FEBRUARY, complete=False, flats=600 * HOURS)
    assert of_month(february[0], "heat-B") == replace(FEBRUARY, complete=False, flats_heat=2400 * HOURS)


def test_without_a_meter_of_the_sun_nothing_of_it_is_known(february: tuple[Settled, Document]) -> None:
    unknown = {"sun": None, "sun_flats": None, "sun_common": None, "surplus": None}
    assert of_month(february[0], "pv") == replace(FEBRUARY, complete=False, **unknown)
    dark = replace(FEBRUARY, has=FEBRUARY.has - {"solar_generation"}, **unknown)
    assert of_month(february[0], without=("pv",)) == dark


def test_where_the_common_area_takes_no_part_the_flats_have_all_the_shared_sun(
    february: tuple[Settled, Document],
) -> None:
    settled, _ = february
    shared = {name: one for name, one in settled.energy.sun.shared.items() if name != "common"}
    alone = replace(settled, energy=replace(settled.energy, sun=replace(settled.energy.sun, shared=shared)))
    assert of_month(alone) == replace(FEBRUARY, sun_common=None)


def test_what_there_is_no_account_of_is_not_known(february: tuple[Settled, Document]) -> None:
    settled, document = february
    community = finaltown.town(pellets=None)
    found = balance.of_month(community, settled.energy.series, settled.energy.sun, None)
    assert found == replace(FEBRUARY, burnt_kg=None, kwh_per_kg=None)
    assert balance.of_statement(community, document | {"pellets": None}, GRID) == found


def test_hot_water_is_known_to_half_a_milliwatt_hour(february: tuple[Settled, Document]) -> None:
    settled, document = february
    rule: Any = None
    warmed = Warmed(rule, {settled.spells[0]: Fraction(5, 2)}, None, None)
    assert of_month(settled, warmed=warmed) == replace(FEBRUARY, hot_water=3)
    energy = document["energy"] | {"hot_water_kwh": "0.000003"}
    assert of_statement(document | {"energy": energy}) == replace(FEBRUARY, hot_water=3)


def of_statement(document: Document, without: tuple[str, ...] = ()) -> Figures:
    meters = [one for one in tree()["meters"] if one["id"] not in without]
    return balance.of_statement(finaltown.town(meters=meters), document, GRID)


def found(code: str, *meters: str) -> list[Document]:
    return [{"code": code, "meter": meter} for meter in meters]


def test_a_statement_tells_the_same(february: tuple[Settled, Document]) -> None:
    _, document = february
    assert of_statement(document) == FEBRUARY
    assert balance.of_statement(finaltown.town(), document, {}).grid_import is None
    owner = {"party": "owner", "flat": None, "electricity": None}  # its own entry has no meter
    assert of_statement(document | {"statements": [*document["statements"], owner]}) == FEBRUARY


@pytest.mark.parametrize(
    ("silent", "unknown"),
    [
        (["pv"], ["sun", "sun_flats", "sun_common", "surplus"]),
        (["el-A"], []),
        (["el-A", "el-B"], ["flats"]),
        (["el-common"], ["common"]),
        (["boiler"], ["boiler_heat"]),
        (["heat-A", "heat-B"], ["flats_heat"]),
    ],
)
def test_a_statement_says_which_kinds_were_not_read(
    february: tuple[Settled, Document], silent: list[str], unknown: list[str]
) -> None:
    told = february[1] | {"findings": found("no-readings", *silent)}
    assert of_statement(told) == replace(FEBRUARY, complete=False, **dict.fromkeys(unknown))
    # Where some intervals are missing the rest is known, and any other finding says nothing about it.
    some = february[1] | {"findings": found("missing-intervals", *silent)}
    assert of_statement(some) == replace(FEBRUARY, complete=False)
    assert of_statement(february[1] | {"findings": found("register-dipped", *silent)}) == FEBRUARY


def test_a_kind_without_a_meter_is_not_in_a_statements_figures(february: tuple[Settled, Document]) -> None:
    _, document = february
    bare = of_statement(document, without=("el-common",))
    assert bare == replace(FEBRUARY, has=FEBRUARY.has - {"common"}, common=None, sun_common=None)
    dark = of_statement(document, without=("pv",))
    unknown = dict.fromkeys(("sun", "sun_flats", "sun_common", "surplus"))
    assert dark == replace(FEBRUARY, has=FEBRUARY.has - {"solar_generation"}, **unknown)


@pytest.mark.parametrize(("field", "name"), [("heat_produced_kwh", "boiler_heat"), ("heat_measured_kwh", "flats_heat")])
def test_heat_that_a_statement_does_not_know_stays_unknown(
    february: tuple[Settled, Document], field: str, name: str
) -> None:
    document = deepcopy(february[1])
    document["energy"][field] = None
    assert of_statement(document) == replace(FEBRUARY, **{name: None})
