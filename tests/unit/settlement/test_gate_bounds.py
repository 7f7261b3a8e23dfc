"""Gates exactly at their bounds: a limit that is met passes, and what a refusal says is counted to the interval."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any, cast

import pytest

from core.time import Month, from_microseconds, rfc3339
from settlement import gates
from settlement.balance import Figures
from settlement.gates import Refusal
from settlement.model import Finding, Quality, Series
from settlement.month import Settled
from tests.support import finaltown
from tests.support.finaltown import FEBRUARY

KWH = 10**6
IN_TIME = date(2026, 3, 4)


def settled(values: Mapping[str, Mapping[datetime, Decimal]] | None = None, **sections: Any) -> Settled:
    return finaltown.settled(finaltown.town(**sections), values or finaltown.registers())[0]


@pytest.fixture(scope="module")
def whole() -> Settled:
    return settled()


def kinds(found: Sequence[Refusal]) -> list[str]:
    return [one.kind for one in found]


@pytest.mark.parametrize(
    ("today", "told"),
    [
        (date(2026, 2, 28), ["over"]),
        (date(2026, 3, 1), ["wait"]),
        (date(2026, 3, 3), ["wait"]),
        (date(2026, 3, 4), []),
        (date(2027, 1, 1), []),
    ],
)
def test_a_month_is_over_on_the_first_day_after_it_and_waits_three(
    whole: Settled, today: date, told: list[str]
) -> None:
    assert kinds(gates.refusals(whole, today)) == told


@pytest.mark.parametrize(("last", "told"), [(-2, ["order"]), (-1, []), (0, ["order"]), (1, ["order"])])
def test_only_the_month_after_the_newest_final_one_is_next(whole: Settled, last: int, told: list[str]) -> None:
    found = gates.refusals(whole, IN_TIME, last=FEBRUARY.shift(last))
    assert kinds(found) == told
    assert [one.facts["month"] for one in found] == [str(FEBRUARY.shift(last + 1)) for _ in told]
    assert gates.refusals(whole, IN_TIME, last=None) == []


def qualities(size: int, **places: Sequence[int]) -> list[Quality]:
    found: list[Quality] = ["measured"] * size
    for quality, indices in places.items():
        for index in indices:
            found[index] = cast("Quality", quality)
    return found


def share(of: Settled, quality: Sequence[Quality], wanted: Sequence[Quality], limit: Fraction) -> list[Refusal]:
    size = len(quality)
    series = Series.of("el-A", [0] * size, quality, [None] * size)
    return [*gates._share(of, series, "missing", wanted, limit)]


def test_a_share_of_intervals_is_held_against_its_limit_exactly(whole: Settled) -> None:
    seven = qualities(672, missing=[10, *range(40, 46)])
    limit = Fraction(700, 672)
    assert share(whole, seven, ["missing"], limit) == []
    (one,) = share(whole, seven, ["missing"], limit - Fraction(1, 10**9))
    bounds = whole.energy.sun.bounds
    assert (one.start, one.until, one.meter) == (bounds[10], bounds[46], "el-A")  # from the first to the last
    assert one.facts == {
        "meter": "el-A",
        "count": "7",
        "whole": "672",
        "from": rfc3339(from_microseconds(bounds[10])),
        "until": rfc3339(from_microseconds(bounds[46])),
        "value": "1.04",
        "limit": "1.04",
    }


def test_without_a_limit_one_interval_is_enough_and_none_is_none(whole: Settled) -> None:
    assert share(whole, qualities(672), ["missing"], Fraction(0)) == []
    for place in (0, 671):
        (one,) = share(whole, qualities(672, missing=[place]), ["missing"], Fraction(0))
        bounds = whole.energy.sun.bounds
        assert (one.start, one.until, one.facts["count"]) == (bounds[place], bounds[place + 1], "1")


def test_what_was_edited_is_less_than_measured_and_what_is_missing_is_no_estimate(whole: Settled) -> None:
    mixed = qualities(672, missing=range(100), estimated=range(200, 220), edited=range(300, 314))
    (one,) = share(whole, mixed, gates._LESS_THAN_MEASURED, Fraction(5))
    assert one.facts["count"] == "34"
    assert share(whole, mixed, gates._LESS_THAN_MEASURED, Fraction(3400, 672)) == []


def test_each_limit_is_its_own(whole: Settled) -> None:
    series = Series.of("el-A", [0] * 672, qualities(672, missing=range(10), estimated=range(10, 50)), [None] * 672)
    energy = replace(whole.energy, series={**whole.energy.series, "el-A": series})
    for missing, estimated, told in (
        ("2", "6", []),
        ("1", "6", ["missing"]),
        ("2", "5", ["estimated"]),
        ("1", "5", ["missing", "estimated"]),
    ):
        rules = {"missing_percent_at_most": missing, "estimated_percent_at_most": estimated}
        damaged = replace(whole, community=finaltown.town(final=rules), energy=energy)
        assert kinds(list(gates._meters(damaged))) == told


def test_the_meters_somebodys_amount_depends_on(whole: Settled) -> None:
    def names(of: Settled) -> list[str]:
        return [meter.id for meter in gates._settled_meters(of)]

    usual = ["pv", "el-A", "el-B", "el-common", "heat-A", "heat-B"]
    assert names(whole) == usual
    assert whole.pellets is not None
    assert names(replace(whole, pellets=replace(whole.pellets, estimated=True))) == [*usual, "boiler"]
    assert names(replace(whole, pellets=None)) == usual
    assert names(replace(whole, community=finaltown.town(heat=None, costs=[]))) == usual[:4]


EVEN = Figures(
    has=frozenset({"solar_generation", "grid_import", "grid_export", "flats", "common", "heat_produced", "heat"}),
    complete=True,
    sun=400 * KWH,
    surplus=100 * KWH,
    grid_import=600 * KWH,
    grid_export=100 * KWH,
    flats=700 * KWH,
    common=200 * KWH,
    boiler_heat=1000 * KWH,
    flats_heat=1000 * KWH,
)
"""1,000 kWh came in; all of it and all of the heat are explained."""


def balance(of: Settled, **odd: Any) -> list[tuple[str, Mapping[str, str]]]:
    return [(one.kind, one.facts) for one in gates._balance(replace(of, figures=replace(EVEN, **odd)))]


def test_a_tenth_of_the_electricity_may_be_unexplained_either_way(whole: Settled) -> None:
    assert balance(whole) == []
    assert balance(whole, flats=800 * KWH) == []
    assert balance(whole, flats=600 * KWH) == []
    over, under = {"flats": 800 * KWH + 1}, {"flats": 600 * KWH - 1}
    assert balance(whole, **over) == [("electricity", {"amount": "-100.000001", "value": "10.00", "limit": "10.00"})]
    assert balance(whole, **under) == [("electricity", {"amount": "100.000001", "value": "10.00", "limit": "10.00"})]


def test_without_a_common_meter_only_what_comes_from_nowhere_is_refused(whole: Settled) -> None:
    bare = {"has": EVEN.has - {"common"}, "common": None}
    assert balance(whole, **bare) == []
    assert balance(whole, **bare, flats=0) == []
    assert balance(whole, **bare, flats=1000 * KWH) == []
    assert balance(whole, **bare, flats=1000 * KWH + 1) == [
        ("electricity", {"amount": "-100.000001", "value": "10.00", "limit": "10.00"})
    ]


@pytest.mark.parametrize("name", ["grid_import", "flats"])
def test_no_balance_of_electricity_without_the_meters_it_needs(whole: Settled, name: str) -> None:
    assert balance(whole, **{name: None}) == [("unbalanced", {"part": "electricity"})]
    assert balance(whole, has=EVEN.has - {name}, **{name: None}) == []


def test_the_export_meter_is_needed_where_there_is_sun(whole: Settled) -> None:
    unseen = {"grid_export": None, "flats": 800 * KWH}
    assert balance(whole, **unseen) == [("unbalanced", {"part": "electricity"})]
    assert balance(whole, **unseen, has=EVEN.has - {"grid_export"}) == []
    dark = EVEN.has - {"grid_export", "solar_generation"}
    assert balance(whole, has=dark, sun=None, grid_export=None, flats=400 * KWH) == []
    (one,) = balance(whole, has=dark, sun=None, grid_export=None, flats=461 * KWH)
    assert one == ("electricity", {"amount": "-61.000000", "value": "10.17", "limit": "10.00"})


def test_where_nothing_came_in_or_went_out_nothing_is_refused(whole: Settled) -> None:
    for has in (EVEN.has, EVEN.has - {"common"}):
        nothing = dict.fromkeys(("sun", "surplus", "grid_import", "grid_export", "flats", "common"), 0)
        assert balance(whole, **nothing, has=has) == []


def test_flats_that_used_what_never_came_in_are_refused(whole: Settled) -> None:
    """Seen in a house without sun whose main meter stood still: nothing to take a share of, and the gate was open."""
    dark = EVEN.has - {"grid_export", "solar_generation"}
    nothing = {"sun": None, "surplus": None, "grid_export": None, "grid_import": 0, "flats": 1, "common": 0}
    refused = [("electricity", {"amount": "-0.000001", "value": "100.00", "limit": "10.00"})]
    assert balance(whole, has=dark, **nothing) == refused
    assert balance(whole, has=dark - {"common"}, **(nothing | {"common": None})) == refused


def test_electricity_must_balance_in_a_house_without_heat_too(whole: Settled) -> None:
    cold = {"has": EVEN.has - {"heat", "heat_produced"}, "boiler_heat": None, "flats_heat": None}
    assert balance(whole, **cold) == []
    assert [kind for kind, _ in balance(whole, **cold, flats=800 * KWH + 1)] == ["electricity"]


def test_heat_may_come_from_nowhere_up_to_the_limit(whole: Settled) -> None:
    assert balance(whole, flats_heat=0) == []
    assert balance(whole, flats_heat=1100 * KWH) == []
    assert balance(whole, flats_heat=1100 * KWH + 1) == [
        ("heat", {"amount": "100.000001", "value": "10.00", "limit": "10.00"})
    ]
    assert balance(whole, hot_water=100 * KWH) == []
    assert balance(whole, hot_water=100 * KWH + 1) == [
        ("heat", {"amount": "100.000001", "value": "10.00", "limit": "10.00"})
    ]
    assert balance(whole, boiler_heat=0, flats_heat=0) == []
    assert balance(whole, boiler_heat=0, flats_heat=1) == [
        ("heat", {"amount": "0.000001", "value": "100.00", "limit": "10.00"})
    ]
    for unknown in ("boiler_heat", "flats_heat"):
        assert balance(whole, **{unknown: None}) == []


def costs(pool: str, *months: Month) -> list[dict[str, str]]:
    return [{"date": f"{one}-05", "pool": pool, "eur": "20.00", "invoice": f"{pool}-{one}"} for one in months]


@pytest.mark.parametrize("pool", ["heat", "common"])
def test_an_invoice_is_usual_after_one_in_each_of_exactly_three_months(whole: Settled, pool: str) -> None:
    def missed(*back: int, **final: Any) -> list[str]:
        told = [*costs(pool, *(FEBRUARY.shift(-one) for one in back))]
        community = finaltown.town(costs=told, final=final)
        return [one.facts["pool"] for one in gates._invoices(replace(whole, community=community))]

    assert missed(1, 2, 3) == [pool]
    assert missed(1, 2, 3, 4) == [pool]
    for gap in ((2, 3, 4), (1, 3, 4), (1, 2, 4)):
        assert missed(*gap) == []
    assert missed(0, 1, 2, 3) == []
    assert missed(1, 2, 3, usual_invoices="false") == []
    assert missed(required_invoices=[pool]) == [pool]
    assert missed(0, required_invoices=[pool]) == []


def test_an_invoice_of_one_pool_does_not_hide_that_of_the_other(whole: Settled) -> None:
    three = [FEBRUARY.shift(-back) for back in (1, 2, 3)]
    community = finaltown.town(costs=costs("heat", FEBRUARY) + costs("common", *three))
    assert [one.facts["pool"] for one in gates._invoices(replace(whole, community=community))] == ["common"]
    both = finaltown.town(costs=costs("heat", *three) + costs("common", *three))
    assert [one.facts["pool"] for one in gates._invoices(replace(whole, community=both))] == ["heat", "common"]


def test_the_pellets_gate_needs_its_rule_an_account_and_an_estimate(whole: Settled) -> None:
    assert whole.pellets is not None
    counted = replace(whole, community=finaltown.town(final={"pellets_counted": "true"}))
    estimated = replace(whole.pellets, estimated=True)
    assert kinds([*gates._pellets(replace(counted, pellets=estimated))]) == ["pellets"]
    assert [*gates._pellets(counted)] == []
    assert [*gates._pellets(replace(counted, pellets=None))] == []
    assert [*gates._pellets(replace(whole, pellets=estimated))] == []


def test_findings_block_once_per_kind_and_meter_the_months_own_first(whole: Settled) -> None:
    def fell(meter: str | None, text: str, start: int) -> Finding:
        return Finding("register-fell", text, meter, start, start + 1)

    own = (fell("el-B", "own", 5), Finding("register-jumped", "jumped", "el-A", 7, 9))
    watched = (fell("el-B", "again", 3), fell(None, "nobody's", 1), fell("el-A", "watched", 2), fell(None, "too", 0))
    blocked = finaltown.town(final={"blocking_findings": ["register-fell", "register-jumped"]})
    found = [*gates._findings(replace(whole, community=blocked, findings=own), watched)]
    assert [(one.code, one.meter, one.text, one.start, one.until) for one in found] == [
        ("register-fell", None, "nobody's", 1, 2),
        ("register-fell", "el-A", "watched", 2, 3),
        ("register-fell", "el-B", "own", 5, 6),
        ("register-jumped", "el-A", "jumped", 7, 9),
    ]
    assert {one.gate for one in found} == {"findings"}
    assert found[1].tree["finding"] == "register-fell"
    assert found[1].tree["from"] == "1970-01-01T00:00:00.000002Z"


def test_what_begins_in_1970_begins_somewhere() -> None:
    at = Refusal("findings", "findings", {"text": "x"}, None, 0, 0)
    assert (at.tree["from"], at.tree["until"]) == ("1970-01-01T00:00:00Z", "1970-01-01T00:00:00Z")


@pytest.mark.parametrize(
    ("value", "text"),
    [(Fraction(0), "0.00"), (Fraction(1, 200), "0.01"), (Fraction(1, 201), "0.00"), (Fraction(100), "100.00")],
)
def test_percentages_have_two_decimals_half_up(value: Fraction, text: str) -> None:
    assert gates._percent(value) == text


def test_several_gates_are_gone_over_each_with_its_own_sentences() -> None:
    found = [
        Refusal("wait", "findings", {"text": "w"}),
        Refusal("findings", "findings", {"text": "f"}),
        Refusal("findings", "findings", {"text": "g"}),
        Refusal("over", "findings", {"text": "o"}),
    ]
    left, used = gates.overridden(found, {"findings": "seen", "wait": " asked ", "pellets": "idle"}, " me ")
    assert [one.text for one in left] == ["o"]
    assert [(one.gate, one.reason, one.by, one.texts) for one in used] == [
        ("findings", "seen", "me", ("f", "g")),
        ("wait", "asked", "me", ("w",)),
    ]
    assert gates.overridden(found, {}, "") == (found, [])


def test_a_meter_that_lacks_its_last_interval_is_named_up_to_the_months_end() -> None:
    values = finaltown.registers()
    del values["el-B"][max(values["el-B"])]
    (one,) = [found for found in gates.refusals(settled(values), IN_TIME) if found.gate == "missing"]
    assert (one.facts["count"], one.tree["from"], one.tree["until"]) == (
        "1", "2026-02-28T22:00:00Z", "2026-02-28T23:00:00Z",
    )  # fmt: skip
