"""Every gate by its name, with the sentence it refuses with; what passes, passes."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from core.communityfile import build
from core.errors import BadInput
from core.time import Month, microseconds
from settlement import gates, selection
from settlement.gates import NotFinal, Refusal
from settlement.model import Finding
from tests.support import finaltown
from tests.support.finaltown import FEBRUARY, HOUR, HOURS, START, tree

IN_TIME = date(2026, 3, 4)
Values = dict[str, dict[datetime, Decimal]]


def refused(
    values: Values | None = None,
    today: date = IN_TIME,
    watched: tuple[Finding, ...] = (),
    last: Month | None = None,
    **sections: Any,
) -> list[Refusal]:
    done, _, _ = finaltown.settled(finaltown.town(**sections), values or finaltown.registers())
    return gates.refusals(done, today, watched, last)


def told(found: list[Refusal]) -> list[tuple[str, str]]:
    return [(one.gate, one.text) for one in found]


def without(meter: str, first: int, end: int) -> Values:
    """Readings of some hours never came, and the register went on."""
    values = finaltown.registers()
    for hour in range(first, end):
        del values[meter][START + HOUR * hour]
    return values


def unread(meter: str, until: int) -> Values:
    """A meter that is only read from some hour on."""
    values = finaltown.registers()
    for hour in range(until):
        del values[meter][START + HOUR * hour]
    return values


def test_a_month_that_is_whole_passes_every_gate() -> None:
    assert refused() == []
    assert refused(last=FEBRUARY.shift(-1)) == []


def test_a_month_that_runs_is_refused() -> None:
    assert told(refused(today=date(2026, 2, 28))) == [
        ("over", "The month is not over; it can become final from 2026-03-01 on.")
    ]


def test_a_month_waits_some_days_for_what_still_comes_in() -> None:
    assert told(refused(today=date(2026, 3, 3))) == [
        ("wait", "Readings and invoices may still come in; the month can become final from 2026-03-04 on.")
    ]
    assert refused(today=date(2026, 3, 1), final={"wait_days": "0"}) == []


def test_months_become_final_in_order() -> None:
    sentence = "Months become final one after the other, without a gap; the next is 2026-01."
    assert told(refused(last=Month(2025, 12))) == [("order", sentence)]
    assert [one.gate for one in refused(last=FEBRUARY)] == ["order"]


def test_a_missing_interval_of_a_settled_meter_is_named_with_its_place_and_its_share() -> None:
    found = refused(unread("el-B", 49))
    assert told(found)[0] == (
        "missing",
        "Meter el-B lacks 48 of 672 intervals between 2026-01-31T23:00:00Z and 2026-02-02T23:00:00Z: 7.14 %,"
        " and at most 0.00 % may be missing.",
    )
    assert (found[0].meter, found[0].start) == ("el-B", microseconds(datetime(2026, 1, 31, 23, tzinfo=UTC)))
    assert "missing" not in [one.gate for one in refused(unread("el-B", 49), final={"missing_percent_at_most": "8"})]


def test_a_limit_is_kept_exactly() -> None:
    # 42 of 672 intervals are 6.25 %.
    values = unread("heat-B", 43)
    assert [one.gate for one in refused(values, final={"missing_percent_at_most": "6.25"})] == []
    assert [one.gate for one in refused(values, final={"missing_percent_at_most": "6.24"})] == ["missing"]


def test_too_many_estimates_are_refused_and_a_few_are_not() -> None:
    found = refused(without("el-A", 100, 140))
    assert told(found) == [
        (
            "estimated",
            "Of meter el-A 41 of 672 intervals between 2026-02-05T01:00:00Z and 2026-02-06T18:00:00Z are estimated:"
            " 6.10 %, and at most 5.00 % may be.",
        )
    ]
    assert refused(without("el-A", 100, 130)) == []


def test_the_main_meter_is_no_settled_meter_but_must_balance() -> None:
    # Its hours are estimated and its sum is right: nobody's amount depends on them.
    assert refused(without("grid-in", 100, 300)) == []
    values = finaltown.registers()
    values["grid-in"] = {at: value * 2 for at, value in values["grid-in"].items()}
    assert told(refused(values)) == [
        (
            "balance",
            "678.720000 kWh of the electricity that came in is not explained: 34.83 %, and at most 10.00 % may be.",
        )
    ]
    assert refused(values, final={"balance_residual_percent_at_most": "35"}) == []


def test_flats_that_used_more_than_came_in_do_not_balance_either() -> None:
    values = finaltown.registers()
    values["grid-in"] = {at: value / 2 for at, value in values["grid-in"].items()}
    assert told(refused(values)) == [
        (
            "balance",
            "-329.280000 kWh of the electricity that came in is not explained: 35.00 %, and at most 10.00 % may be.",
        )
    ]


def test_a_main_meter_that_was_not_read_leaves_the_balance_unknown() -> None:
    values = finaltown.registers()
    values["grid-in"] = {}
    assert told(refused(values)) == [
        ("balance", "The balance of the electricity is not known, because a meter was not read.")
    ]


def test_without_a_meter_on_the_common_area_only_more_than_came_in_does_not_balance() -> None:
    meters = [meter for meter in tree()["meters"] if meter["id"] != "el-common"]
    assert refused(meters=meters) == []  # 300 of 1,900 Wh an hour, which the common area may have used
    values = finaltown.registers()
    values["grid-in"] = {at: value / 5 for at, value in values["grid-in"].items()}
    # 900 + 200 Wh came in, 700 + 600 + 300 went out: 500 of 1,100 are 45.45 %, for 672 hours.
    assert told(refused(values, meters=meters, final={"blocking_findings": []})) == [
        (
            "balance",
            "-336.000000 kWh of the electricity that came in is not explained: 45.45 %, and at most 10.00 % may be.",
        )
    ]


def test_where_nothing_came_in_nothing_is_unexplained() -> None:
    values = finaltown.registers()
    for meter in ("pv", "grid-in", "grid-out", "el-A", "el-B", "el-common"):
        values[meter] = dict.fromkeys(values[meter], Decimal(7))
    assert [one.gate for one in refused(values, final={"blocking_findings": []})] == []


def test_a_house_without_a_boiler_meter_has_no_balance_of_heat() -> None:
    meters = [meter for meter in tree()["meters"] if meter["id"] != "boiler"]
    assert refused(meters=meters) == []


def test_hot_water_is_heat_that_must_come_from_the_boiler_too() -> None:
    hot = [{"id": f"hot-{flat}", "measures": "hot_water", "flat": flat, "unit": "kWh"} for flat in "AB"]
    rule = tree()["heat"][0] | {"hot_water": {"measured_percent": "60", "fixed_by": "floor_area"}}
    values = finaltown.registers()
    for name in ("hot-A", "hot-B"):
        values[name] = {at: value / 5 for at, value in values["boiler"].items()}
    given = {"meters": [*tree()["meters"], *hot], "heat": [rule], "final": {"blocking_findings": []}}
    # 4,100 Wh an hour for rooms and 2 x 1,000 for hot water, of 5,000 from the boiler: 1,100 too many, for 672 hours.
    assert told(refused(values, **given)) == [
        (
            "balance",
            "The flats' heat meters counted 739.200000 kWh more than the boiler gave: 22.00 %, and at most"
            " 10.00 % may be.",
        )
    ]
    for summer in ("boiler", "heat-A", "heat-B"):
        values[summer] = dict.fromkeys(values[summer], Decimal(5))
    assert [(one.gate, one.facts["value"]) for one in refused(values, **given)] == [("balance", "100.00")]


def test_without_heat_no_heat_meter_can_refuse() -> None:
    assert refused(unread("heat-B", 49), heat=None, pellets=None, costs=[]) == []


def test_a_refusal_for_programs_says_when_and_how_much() -> None:
    (gate,) = refused(unread("el-B", 49), final={"blocking_findings": []})
    assert gate.tree == {
        "gate": "missing",
        "kind": "missing",
        "text": gate.text,
        "finding": None,
        "meter": "el-B",
        "from": "2026-01-31T23:00:00Z",
        "until": "2026-02-02T23:00:00Z",
        "value": "7.14",
        "limit": "0.00",
    }
    (month,) = refused(today=date(2026, 2, 28))
    assert {name: value for name, value in month.tree.items() if value is not None} == {
        "gate": "over", "kind": "over", "text": month.text,
    }  # fmt: skip


def test_a_house_without_a_main_meter_has_no_such_balance() -> None:
    meters = [meter for meter in tree()["meters"] if not meter["id"].startswith("grid")]
    assert refused(meters=meters) == []


def test_heat_that_comes_from_nowhere_does_not_balance_and_heat_that_is_lost_does() -> None:
    values = finaltown.registers()
    values["boiler"] = {at: value / 2 for at, value in values["boiler"].items()}
    assert told(refused(values, final={"blocking_findings": []})) == [
        (
            "balance",
            "The flats' heat meters counted 1075.200000 kWh more than the boiler gave: 64.00 %, and at most"
            " 10.00 % may be.",
        )
    ]


def test_a_required_invoice_is_missed() -> None:
    assert told(refused(final={"required_invoices": ["heat", "common"]})) == [
        ("invoices", "No invoice of pool common is dated in this month.")
    ]


def test_a_pool_that_had_an_invoice_in_three_months_is_missed_in_the_fourth() -> None:
    before = [
        {"date": f"{month}-05", "pool": "common", "eur": "20.00", "invoice": f"C-{month}"}
        for month in ("2025-11", "2025-12", "2026-01")
    ]
    costs = [*tree()["costs"], *before]
    assert [one.gate for one in refused(costs=costs)] == ["invoices"]
    assert refused(costs=costs, final={"usual_invoices": "false"}) == []
    assert refused(costs=[*tree()["costs"], *before[1:]]) == []


def test_pellets_may_have_to_be_counted() -> None:
    fuel = {**tree()["pellets"], "counts": []}
    assert refused(pellets=fuel) == []
    assert told(refused(pellets=fuel, final={"pellets_counted": "true"})) == [
        ("pellets", "The pellet stock at the end of the month is estimated; count it.")
    ]
    assert refused(final={"pellets_counted": "true"}) == []


def test_the_boilers_heat_must_be_whole_where_the_stock_follows_from_it() -> None:
    fuel = {**tree()["pellets"], "counts": []}
    assert [(one.gate, one.meter) for one in refused(without("boiler", 50, 150), pellets=fuel)] == [
        ("estimated", "boiler")
    ]
    assert refused(without("boiler", 50, 150)) == []


def test_a_finding_that_a_person_must_look_at_blocks_and_others_do_not() -> None:
    fell = Finding("register-fell", "Meter el-A fell.", "el-A", 1, 2)
    assert told(refused(watched=(fell, fell))) == [("findings", "Meter el-A fell.")]
    assert refused(watched=(Finding("clock-wrong", "A clock is wrong."),)) == []
    assert refused(watched=(fell,), final={"blocking_findings": []}) == []


def test_a_finding_of_the_month_itself_blocks_too() -> None:
    values = finaltown.registers()
    values["el-A"] = {at: value + (500 if at > START + 300 * HOUR else 0) for at, value in values["el-A"].items()}
    gate = [one for one in refused(values) if one.gate == "findings"]
    assert [one.meter for one in gate] == ["el-A"]
    assert "counted more at once than its connection can carry" in gate[0].text


def test_everything_is_told_at_once() -> None:
    found = refused(without("el-A", 100, 140), today=date(2026, 3, 1), final={"required_invoices": ["common"]})
    assert [one.gate for one in found] == ["wait", "estimated", "invoices"]
    said = str(NotFinal("2026-02", found))
    assert said.startswith("2026-02 cannot become final yet; nothing was changed.\n- wait: ")
    assert said.count("\n") == 3


def test_an_override_silences_its_gate_alone_and_keeps_what_it_silenced() -> None:
    found = refused(without("el-A", 100, 140), final={"required_invoices": ["common"]})
    left, used = gates.overridden(found, {"estimated": " read by hand ", "missing": "not needed"}, "operator")
    assert [one.gate for one in left] == ["invoices"]
    assert [one.tree for one in used] == [
        {"gate": "estimated", "reason": "read by hand", "by": "operator", "texts": [found[0].text]}
    ]


@pytest.mark.parametrize(
    ("despite", "by", "sentence"),
    [
        ({"over": "soon"}, "operator", "There is no gate 'over' that can be overridden"),
        ({"order": "soon"}, "operator", "There is no gate 'order' that can be overridden"),
        ({"estimate": "x"}, "operator", "choose one of wait, missing, estimated, balance, invoices, pellets, findings"),
        ({"wait": " "}, "operator", "Give a reason for going over gate 'wait'"),
        ({"wait": "soon"}, " ", "An override names who decided it"),
    ],
)
def test_an_override_that_is_not_possible_is_refused(despite: dict[str, str], by: str, sentence: str) -> None:
    with pytest.raises(BadInput, match=sentence):
        gates.overridden([], despite, by)


def test_the_limits_decide_no_amount_so_they_are_not_in_the_input_hash() -> None:
    known = selection.used(finaltown.town(), FEBRUARY, finaltown.readings(finaltown.registers()))
    hashes = {
        selection.input_sha256(finaltown.town(**sections), FEBRUARY, known)
        for sections in ({}, {"final": {"wait_days": "9", "pellets_counted": "true"}})
    }
    assert len(hashes) == 1


@pytest.mark.parametrize(
    ("rules", "sentence"),
    [
        ({"wait_days": "-1"}, "final.wait_days: '-1' is not a whole number"),
        ({"missing_percent_at_most": "101"}, "final.missing_percent_at_most"),
        ({"required_invoices": ["gas"]}, "'gas' is not possible here"),
        ({"estimated_percent": "3"}, "did you mean 'estimated_percent_at_most'"),
    ],
)
def test_limits_that_make_no_sense_are_refused(rules: dict[str, Any], sentence: str) -> None:
    with pytest.raises(BadInput, match=sentence.replace("(", r"\(")):
        build(tree(final=rules), "community.yaml")


def test_the_readings_of_the_case_reach_over_the_month() -> None:
    assert FEBRUARY.bounds(finaltown.town().zone)[1] == START + HOUR * (HOURS - 1)
