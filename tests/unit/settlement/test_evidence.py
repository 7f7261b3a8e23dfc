"""What is behind a posting, named to the last document: which days, which prices, which meters."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest

from core.community import Community
from core.communityfile import build
from core.time import Month
from settlement import heat, tariffs, work
from settlement.charges import Charge
from settlement.evidence import Behind
from settlement.model import Evidence, Spell
from settlement.pellets import PelletMonth, account
from settlement.windows import Slot

JANUARY = Month(2026, 1)
FIRST, END = date(2026, 1, 1), date(2026, 2, 1)
HERE = Spell("h-A", "A", FIRST, END)
FROM, UNTIL = "2025-12-31T23:00:00Z", "2026-01-31T23:00:00Z"
SUN = ("solar_generation", "electricity")
DAY = {"name": "day", "from": "07:00", "until": "23:00", "solar_eur_per_kwh": "0.20", "grid_eur_per_kwh": "0.40"}
TARIFF = {"solar_eur_per_kwh": "0.18", "grid_eur_per_kwh": "0.32", "vat_percent": {"electricity": "21", "heat": "9"}}


def tree() -> dict[str, Any]:
    """Netting ends on the 6th, sharing changes on the 11th, the tariff on the 21st."""
    return {
        "community": "c",
        "name": "C",
        "timezone": "Europe/Amsterdam",
        "settlement_interval": "1h",
        "owner": "owner",
        "flats": [{"id": "A", "floor_area_m2": "50"}, {"id": "B", "floor_area_m2": "50"}],
        "households": [
            {"id": "h-A", "flat": "A", "from": "2025-01-01"},
            {"id": "h-B", "flat": "B", "from": "2025-01-01", "until": "2026-01-11"},
        ],
        "meters": [
            {"id": "pv", "measures": "solar_generation", "unit": "kWh"},
            {"id": "el-A", "measures": "electricity", "flat": "A", "unit": "kWh"},
            {"id": "el-A2", "measures": "electricity", "flat": "A", "unit": "kWh"},
            {"id": "el-B", "measures": "electricity", "flat": "B", "unit": "kWh"},
            {"id": "el-common", "measures": "electricity", "common": "true", "unit": "kWh"},
            {"id": "heat-A", "measures": "heat", "flat": "A", "unit": "kWh"},
            {"id": "hot-A", "measures": "hot_water", "flat": "A", "unit": "m3"},
            {"id": "boiler", "measures": "heat_produced", "unit": "kWh"},
        ],
        "sharing": [
            {"from": "2025-01-01", "key": "proportional"},
            {"from": "2026-01-11", "key": "equal"},
        ],
        "tariffs": [
            TARIFF | {"from": "2025-01-01", "netting_until": "2026-01-06", "fixed_eur_per_month": "3"},
            TARIFF | {"from": "2026-01-21", "windows": [DAY], "feed_in_eur_per_kwh": "0.06"},
        ],
        "heat": [{"from": "2025-01-01", "measured_percent": "65"}],
        "costs": [
            {"date": day, "pool": pool, "eur": "10.00", "invoice": f"{pool[0]}-{day[5:]}"}
            for pool in ("heat", "common")
            for day in ("2025-12-31", "2026-01-01", "2026-01-31", "2026-02-01")
        ],
    }


def behind(
    community: Community, *, labour: bool = False, cost: bool = True, fuel: PelletMonth | None = None
) -> tuple[Behind, Sequence[Slot]]:
    """Evidence of January; of every stretch one slot with each window and one with none."""
    slots = [
        Slot(stretch, window, (range(1),))
        for stretch in tariffs.stretches(community, JANUARY)
        for window in (*stretch.tariff.windows, None)
    ]
    done = work.of_month(community, JANUARY, tariffs.spells(community, JANUARY)) if labour else None
    pool = heat.pool(community, JANUARY, None) if cost else None
    return Behind(community, JANUARY, slots, pool, fuel, done), slots


def line(code: str, spell: Spell = HERE, price: str | None = None, window: str | None = None, **more: Any) -> Evidence:
    """What is behind a line of the community."""
    community = build(tree() | more.pop("changed", {}), "the case").community
    charge = Charge(
        code,
        {},
        more.pop("factor", Fraction(1)),
        Decimal(21),
        None if price is None else Decimal(price),
        window=window,
    )
    return behind(community, **more)[0].line(charge, spell)


HOME = ("household:h-A",)
METERS = ("el-A", "el-A2")
T1, T2, S1, S2 = "tariffs@2025-01-01", "tariffs@2026-01-21", "sharing@2025-01-01", "sharing@2026-01-11"
SIXTH, ELEVENTH, TWENTY_FIRST = "2026-01-05T23:00:00Z", "2026-01-10T23:00:00Z", "2026-01-20T23:00:00Z"


def test_the_sun_is_behind_a_line_on_the_days_of_its_price_with_all_their_rules() -> None:
    assert line("solar", price="0.18") == Evidence((T1, T2, S1, S2), HOME, METERS, SUN, FROM, UNTIL)
    assert line("solar", price="0.20", window="day") == Evidence((T2, S2), HOME, METERS, SUN, TWENTY_FIRST, UNTIL)
    assert line("feed_in", price="0.06") == Evidence((T2, S2), HOME, METERS, SUN, TWENTY_FIRST, UNTIL)
    assert line("feed_in", price="0") == Evidence((T1, S1, S2), HOME, METERS, SUN, FROM, TWENTY_FIRST)


def test_netting_is_of_the_days_on_which_surplus_is_netted() -> None:
    assert line("netting", price="0.32") == Evidence((T1, S1), HOME, METERS, SUN, FROM, SIXTH)


def test_the_fixed_amount_is_of_the_days_of_its_price_and_leans_on_no_meter() -> None:
    assert line("fixed", price="3") == Evidence((T1,), HOME, (), (), FROM, TWENTY_FIRST)
    assert line("fixed", price="0") == Evidence((T2,), HOME, (), (), TWENTY_FIRST, UNTIL)


def test_a_line_is_of_the_spell_s_own_days_from_the_first_to_the_last() -> None:
    before = Spell("h-A", "A", FIRST, date(2026, 1, 11))
    after = Spell("h-A", "A", date(2026, 1, 21), END)
    between = Spell("h-A", "A", date(2026, 1, 10), date(2026, 1, 22))
    assert line("solar", before, "0.18") == Evidence((T1, S1), HOME, METERS, SUN, FROM, ELEVENTH)
    assert line("solar", after, "0.18") == Evidence((T2, S2), HOME, METERS, SUN, TWENTY_FIRST, UNTIL)
    assert line("solar", between, "0.18") == Evidence(
        (T1, T2, S1, S2), HOME, METERS, SUN, "2026-01-09T23:00:00Z", "2026-01-21T23:00:00Z"
    )
    assert line("fixed", between, "3") == Evidence((T1,), HOME, (), (), "2026-01-09T23:00:00Z", TWENTY_FIRST)


def test_the_owner_lives_nowhere_and_has_no_meter_of_its_own() -> None:
    whole, empty = Spell("owner", "", FIRST, END), Spell("owner", "B", date(2026, 1, 11), END)
    assert line("feed_in", whole, "0.06") == Evidence((T2, S2), (), (), SUN, TWENTY_FIRST, UNTIL)
    assert line("solar", empty, "0.18") == Evidence((T1, T2, S2), (), ("el-B",), SUN, ELEVENTH, UNTIL)


def test_behind_the_common_area_are_the_month_s_invoices_and_the_sun_only_where_it_has_a_meter() -> None:
    invoices = ("cost:common c-01-01", "cost:common c-01-31")
    assert line("common") == Evidence((T1, T2, S1, S2), HOME + invoices, (), SUN, FROM, UNTIL)
    bare = {"meters": [meter for meter in tree()["meters"] if meter["id"] != "el-common"]}
    assert line("common", changed=bare) == Evidence((T1, T2, S1, S2), HOME + invoices, (), (), FROM, UNTIL)


@pytest.mark.parametrize(
    ("code", "meters", "all_of"),
    [
        ("heat_measured", ("heat-A",), ("heat",)),
        ("heat_fixed", (), ()),
        ("hot_water_measured", ("hot-A",), ("hot_water",)),
        ("hot_water_fixed", (), ()),
    ],
)
def test_behind_heat_are_its_rule_the_tariffs_its_invoices_and_the_meters_of_what_is_measured(
    code: str, meters: tuple[str, ...], all_of: tuple[str, ...]
) -> None:
    invoices = ("cost:heat h-01-01", "cost:heat h-01-31")
    told = line(code)
    assert told == Evidence(("heat@2025-01-01", T1, T2), HOME + invoices, meters, all_of, FROM, UNTIL)


def fuelled(**pellets: Any) -> Community:
    fuel = {"kwh_per_kg": "5", "opening": {"at": FROM, "kg": "1000", "eur": "300.00"}} | pellets
    return build(tree() | {"pellets": fuel}, "the case").community


def test_behind_the_cost_of_heat_is_what_the_pellets_come_from_and_the_boiler_where_they_are_estimated() -> None:
    invoices = ("cost:heat h-01-01", "cost:heat h-01-31")
    counted, estimated = fuelled(counts=[{"at": UNTIL, "kg": "400"}]), fuelled()
    for community, documents, boiler in (
        (counted, ("opening:opening", f"count:{UNTIL}"), ()),
        (estimated, ("opening:opening",), ("heat_produced",)),
    ):
        fuel = account(community, JANUARY, lambda start, end: 0)
        about = behind(community, fuel=fuel)[0]
        assert about.cost_of_heat() == Evidence(("heat@2025-01-01",), invoices + documents, (), boiler, FROM, UNTIL)
        charge = Charge("heat_measured", {}, Fraction(1), Decimal(9))
        assert about.line(charge, HERE) == Evidence(
            ("heat@2025-01-01", T1, T2), HOME + invoices + documents, ("heat-A",), ("heat", *boiler), FROM, UNTIL
        )


def test_pellets_are_behind_nothing_before_they_were_bought_or_where_no_heat_is_settled() -> None:
    later = fuelled(opening={"at": "2026-03-01T00:00:00Z", "kg": "1000", "eur": "300.00"})
    assert behind(later)[0].cost_of_heat().documents == ("cost:heat h-01-01", "cost:heat h-01-31")
    fuel = account(fuelled(), JANUARY, lambda start, end: 0)
    unheated = behind(fuelled(), cost=False, fuel=fuel)[0].cost_of_heat()
    assert (unheated.rules, unheated.documents) == ((), ())


def test_an_invoice_in_two_parts_is_named_once() -> None:
    part = {"date": "2026-01-20", "pool": "heat", "eur": "5.00", "invoice": "M-1"}
    community = build(tree() | {"costs": [part, part | {"eur": "6.00"}]}, "the case").community
    assert behind(community)[0].cost_of_heat().documents == ("cost:heat M-1",)


def test_behind_a_credit_for_work_is_the_work_and_behind_what_pays_it_the_rule_alone() -> None:
    done = [
        {"at": f"2026-01-0{day}T09:00:00Z", "household": household, "task": "refill", "bags": "4"}
        for day, household in ((2, "h-B"), (3, "h-A"), (4, "h-A"))
    ]
    changed = {
        "tasks": [{"id": "refill", "bag_kg": "15"}],
        "work_credits": [{"from": "2026-01-01", "eur_per_bag": "1.00"}],
        "work": done,
    }
    rule = ("work_credits@2026-01-01",)
    named = tuple(f"work:h-A refill@2026-01-0{day}T09:00:00Z" for day in (3, 4))
    credit = line("work", changed=changed, labour=True, factor=Fraction(-1))
    assert credit == Evidence(rule, HOME + named, (), (), FROM, UNTIL)
    assert line("work", changed=changed, labour=True, factor=Fraction(5)) == Evidence(rule, HOME, (), (), FROM, UNTIL)
    assert line("work", changed=changed, labour=True, factor=Fraction(0)) == Evidence(rule, HOME, (), (), FROM, UNTIL)
    # A line of heat in the same month has nothing to do with it.
    assert line("heat_fixed", changed=changed, labour=True) == line("heat_fixed", changed=changed)


def test_what_tells_of_a_month_goes_with_it_and_does_not_wait_for_the_next_collection() -> None:
    """A year's months would all stay in memory: 260 MB for a hundred flats where 104 are enough."""
    gc.disable()
    try:
        found = weakref.ref(told := behind(build(tree(), "the house").community)[0])
        del told
        assert found() is None
    finally:
        gc.enable()


@pytest.mark.parametrize(
    ("agreed", "named"),
    [
        ((), ()),
        (("2025-01-01",), ("2025-01-01",)),
        (("2026-01-05", "2025-01-01", "2025-06-01"), ("2025-06-01", "2026-01-05")),
        (("2026-01-11", "2026-01-10"), ("2026-01-10",)),
        (("2025-12-01", "2026-01-01", "2026-01-11"), ("2026-01-01",)),
        (("2026-01-02", "2026-01-03"), ("2026-01-02", "2026-01-03")),
    ],
    ids=["none", "one", "changed within", "from the day after", "from the first day", "late"],
)
def test_behind_an_advance_are_the_agreements_of_its_days_in_order(
    agreed: tuple[str, ...], named: tuple[str, ...]
) -> None:
    advances = [{"household": "h-B", "from": day, "eur_per_month": "85"} for day in agreed]
    others = [{"household": "h-A", "from": "2025-01-01", "eur_per_month": "85"}]
    community = build(tree() | {"advances": [*others, *advances]}, "the case").community
    spell = Spell("h-B", "B", FIRST, date(2026, 1, 11))
    assert behind(community)[0].advance(spell) == Evidence(
        (), ("household:h-B", *(f"advance:h-B@{day}" for day in named)), (), (), FROM, ELEVENTH
    )
