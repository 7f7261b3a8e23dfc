"""Why a month comes out otherwise, in words: entries of every kind by name, readings by their number."""

from __future__ import annotations

import hashlib
import json
from decimal import Decimal
from typing import Any

import pytest

from settlement.changes import Inputs, Late, Meter, inputs_of, reasons
from settlement.model import MeterReadings
from tests.support import finaltown
from tests.support.finaltown import FEBRUARY


def told(before: dict[str, Any], after: dict[str, Any]) -> list[tuple[str, str, str, str]]:
    found = reasons(Inputs(json.dumps(before), {}), Inputs(json.dumps(after), {}), {})
    return [(one.kind, one.what, one.name, one.text) for one in found]


def texts(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    return [text for *_, text in told(before, after)]


def test_an_entry_is_known_by_the_fields_that_name_it() -> None:
    cost = {"pool": "heat", "invoice": "M-4", "eur": "6.00"}
    assert told({"costs": [cost]}, {"costs": [cost | {"eur": "7.00"}]}) == [
        ("changed", "costs", "heat M-4", "costs heat M-4 changed: eur 6.00 -> 7.00.")
    ]
    # Another name is another entry: the old one went, the new one came; what stays says nothing.
    stays = {"pool": "common", "invoice": "M-4", "eur": "6.00"}
    assert told({"costs": [cost, stays]}, {"costs": [stays, cost | {"invoice": "M-5"}]}) == [
        ("removed", "costs", "heat M-4", "costs heat M-4 was taken back: pool heat, invoice M-4, eur 6.00."),
        ("added", "costs", "heat M-5", "costs heat M-5 was added: pool heat, invoice M-5, eur 6.00."),
    ]


def test_entries_of_one_name_are_compared_one_with_one() -> None:
    one, two, three = ({"id": "x", "kg": kg} for kg in ("1", "2", "3"))
    assert told({"flats": [one, two, two]}, {"flats": [one, three]}) == [
        ("changed", "flats", "x'", "flats x' changed: kg 2 -> 3."),
        ("removed", "flats", "x''", "flats x'' was taken back: id x, kg 2."),
    ]


def test_entries_without_a_name_are_told_by_their_whole_text() -> None:
    assert told({"pellets": {"corrections": [{"kg": "1"}]}}, {"pellets": {"corrections": [{"kg": "2"}]}}) == [
        ("removed", "pellets.corrections", '{"kg":"1"}', 'pellets.corrections {"kg":"1"} was taken back: kg 1.'),
        ("added", "pellets.corrections", '{"kg":"2"}', 'pellets.corrections {"kg":"2"} was added: kg 2.'),
    ]


@pytest.mark.parametrize("nothing", [{}, {"pellets": None}])
def test_pellets_are_told_section_by_section(nothing: dict[str, Any]) -> None:
    fuel = {"kwh_per_kg": "4.8", "counts": [{"at": "2026-03-01", "kg": "1100"}], "silo_kg": None}
    assert told(nothing, {"pellets": fuel}) == [
        ("added", "pellets.counts", "2026-03-01", "pellets.counts 2026-03-01 was added: at 2026-03-01, kg 1100."),
        ("added", "pellets.kwh_per_kg", "", "pellets.kwh_per_kg was added: 4.8."),
    ]
    assert texts({"pellets": fuel}, {"pellets": fuel | {"kwh_per_kg": "4.9"}}) == [
        "pellets.kwh_per_kg changed: 4.8 -> 4.9."
    ]


def test_what_changed_is_told_field_by_field_in_order() -> None:
    was = {"id": "h", "until": None, "flat": "A", "building": "main", "of": {"a": 1, "b": None}}
    now = {"id": "h", "until": "2026-02-15", "flat": "B", "building": "main", "of": {"a": 2, "b": None}, "more": True}
    assert texts({"households": [was]}, {"households": [now]}) == [
        "households h changed: flat A -> B, more none -> true, of a 1 -> a 2, until none -> 2026-02-15."
    ]
    assert texts({"households": [now]}, {"households": [was]})[0].startswith("households h changed: flat B -> A, more")


def test_a_plain_value_that_became_an_object_is_told_whole() -> None:
    assert texts({"rate": "21"}, {"rate": {"heat": "9"}}) == ["rate changed: 21 -> heat 9."]
    assert texts({"rate": {"heat": "9"}}, {"rate": "21"}) == ["rate changed: heat 9 -> 21."]


def test_sections_are_told_in_order() -> None:
    assert texts({"b": 1, "a": 1, "d": 1}, {"c": 2, "b": 2, "a": 2}) == [
        "a changed: 1 -> 2.", "b changed: 1 -> 2.", "c was added: 2.", "d was taken back: 1.",
    ]  # fmt: skip


def readings(was: Meter | None, now: Meter | None, late: Late | None = None) -> list[str]:
    before, after = (Inputs("{}", {} if one is None else {"m": one}) for one in (was, now))
    return [one.text for one in reasons(before, after, {} if late is None else {"m": late})]


def test_readings_that_are_fewer_are_counted() -> None:
    assert readings(Meter(3, "x"), Meter(1, "y")) == [
        "2 readings fewer of meter m count than when the month became final."
    ]
    assert readings(Meter(3, "x"), Meter(2, "y")) == [
        "1 reading fewer of meter m count than when the month became final."
    ]
    assert readings(Meter(3, "x"), None) == ["3 readings fewer of meter m count than when the month became final."]
    other = ["Other readings of meter m count than when the month became final."]
    assert readings(Meter(3, "x"), Meter(3, "y")) == other
    assert readings(Meter(3, "x"), Meter(4, "y")) == other
    assert readings(None, Meter(1, "y")) == other
    assert readings(None, Meter(0, "y")) == other
    assert readings(Meter(0, "y"), None) == other
    assert readings(Meter(3, "x"), Meter(3, "x"), Late(1, 0, 0)) == []


def test_readings_that_came_late_are_told_with_their_span_even_where_there_are_fewer() -> None:
    assert readings(Meter(3, "x"), Meter(2, "y"), Late(2, 0, 1_000_000)) == [
        "2 readings of meter m from 1970-01-01T00:00:00Z to 1970-01-01T00:00:01Z became known after the month was"
        " final."
    ]


def test_meters_are_stored_in_order_and_come_back() -> None:
    inputs = Inputs('{"b":1,"a":"\\u00e9"}', {"m2": Meter(1, "x"), "m10": Meter(2, "y")})
    assert [*inputs.tree["meters"]] == ["m10", "m2"]
    assert Inputs.of_tree(inputs.tree) == Inputs('{"a":"é","b":1}', inputs.meters)


def test_a_meter_that_was_not_read_has_no_lines() -> None:
    found = inputs_of(finaltown.town(), FEBRUARY, {})
    assert found.meters == {}
    assert not found.configuration.endswith("\n")


def test_the_readings_of_every_meter_are_counted() -> None:
    three = MeterReadings("register", (1_000_000, 2_000_000, 3_000_000), tuple(map(Decimal, "123")))
    one = MeterReadings("interval", (1_000_000,), (Decimal("1.50"),))
    found = inputs_of(finaltown.town(), FEBRUARY, {"pv": one, "el-A": three, "el-B": MeterReadings("register", (), ())})
    assert {name: meter.readings for name, meter in found.meters.items()} == {"pv": 1, "el-A": 3, "el-B": 0}
    line = b"pv,1970-01-01T00:00:01Z,1.5,interval\n"
    assert found.meters["pv"].sha256 == hashlib.sha256(line).hexdigest()


def test_letters_are_stored_as_they_are() -> None:
    assert texts({"what": ["é"]}, {"what": []}) == ['what "é" was taken back: é.']
