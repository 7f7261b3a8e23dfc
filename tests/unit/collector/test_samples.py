"""From messages and answers to values: topics, entries, deltas, times, and what is old."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from collector.catalogue import load, parse
from collector.decode import Decoded, decode
from collector.payload import LARGEST
from collector.profile import Profile
from collector.raw import Document, Message, Raw
from core.errors import BadInput

AT = datetime(2026, 1, 1, 12, tzinfo=UTC)
HEAD = """
schema: 1
id: test.device
revision: 1
kind: electricity_meter
match: {vendor: test, models: [test]}
maturity: document-only
provenance: [{source: test}]
"""
IMPORT = "{id: import, quantity: electric_energy_import, unit: kWh, class: counter, path: /in}"
POWER = "{id: power, quantity: active_power, unit: W, class: gauge, path: /w}"


def profile(
    *points: str, link: str = "{transport: mqtt}", messages: str | None = "{topic: ''}", more: str = ""
) -> Profile:
    rule = "" if messages is None else f"messages: {messages}\n"
    return parse(f"{HEAD}link: {link}\n{rule}{more}points:\n" + "".join(f"  - {point}\n" for point in points), "p.yaml")


def hear(device: Profile, payload: Any, topic: str = "a/b", **flags: Any) -> Decoded:
    content = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    return decode(Raw(AT, messages=(Message(topic, content, AT, **flags),)), device)


def poll(device: Profile, *answers: tuple[str, str]) -> Decoded:
    return decode(Raw(AT, documents=tuple(Document(path, body.encode()) for path, body in answers)), device)


def values(found: Decoded) -> dict[str, Decimal | str | None]:
    return {value.point: value.text if value.value is None else value.value for value in found.values}


def reasons(found: Decoded) -> dict[str, str]:
    return {refusal.point: refusal.reason for refusal in found.refused}


def codes(found: Decoded) -> set[str]:
    return {refusal.code for refusal in found.refused}


def test_a_retained_message_at_subscribe_is_old() -> None:
    timeless = profile(IMPORT)
    assert values(hear(timeless, {"in": 1})) == {"import": 1}
    assert codes(hear(timeless, {"in": 1}, retained=True)) == {"stale"}
    assert codes(hear(timeless, {"in": 1}, duplicate=True)) == {"stale"}


def test_a_retained_message_with_its_own_time_counts_at_that_time() -> None:
    own = profile(IMPORT, messages="{time: /t}")
    document = {"in": 1, "t": "2025-12-31T12:00:00Z"}
    (value,) = hear(own, document, retained=True).values
    assert value.time == datetime(2025, 12, 31, 12, tzinfo=UTC)
    assert values(hear(own, document, duplicate=True)) == {"import": 1}
    ignoring = profile(IMPORT, messages="{time: /t, retained: ignore}")
    assert reasons(hear(ignoring, document, retained=True)) == {
        "import": "a retained message, which this device keeps sending however old it is"
    }


def test_an_empty_payload_is_a_deletion_and_no_broken_message() -> None:
    for device in (profile(IMPORT), profile(IMPORT.replace("path: /in", "scalar: true")), load("p1.telegram")):
        found = hear(device, b" ")
        assert found.values == ()
        assert codes(found) == {"no_value"}


def test_scalar_and_array_are_told_apart() -> None:
    first = profile(IMPORT.replace("}", ", item: 0}"))
    second = profile(IMPORT.replace("}", ", item: 1}"))
    none = profile(IMPORT)
    assert values(hear(first, {"in": 8.15})) == values(hear(first, {"in": [8.15, 3]})) == {"import": Decimal("8.15")}
    assert values(hear(second, {"in": [8.15, 0]})) == {"import": 0}
    assert reasons(hear(second, {"in": [8.15]})) == {"import": "the list has no item 1"}
    assert reasons(hear(none, {"in": [8.15]})) == {"import": "expected a number, got a list"}
    assert reasons(hear(first, {"in": []})) == {"import": "the list has no item 0"}


def test_numbers_and_texts_that_look_like_one_are_told_apart_where_the_profile_asks() -> None:
    strict = profile(IMPORT.replace("}", ", accept: [number]}"))
    assert values(hear(strict, {"in": 12})) == {"import": 12}
    assert reasons(hear(strict, {"in": "12"})) == {"import": "expected a number, got '12'"}
    assert values(hear(profile(IMPORT), {"in": "12"})) == {"import": 12}


@pytest.mark.parametrize(("wrong", "kind"), [(True, "true or false"), ({}, "an object"), ([], "a list")])
def test_what_is_no_number_is_named(wrong: object, kind: str) -> None:
    assert reasons(hear(profile(IMPORT), {"in": wrong})) == {"import": f"expected a number, got {kind}"}


def test_under_delta_a_missing_field_has_not_changed_and_under_full_it_is_missing() -> None:
    delta, full = (profile(IMPORT, POWER, messages=f"{{merge: {merge}}}") for merge in ("delta", "full"))
    assert values(hear(delta, {"w": 5})) == values(hear(full, {"w": 5})) == {"power": 5}
    assert codes(hear(delta, {"w": 5})) == {"unchanged"}
    assert codes(hear(full, {"w": 5})) == {"missing"}
    assert codes(hear(delta, {"w": 5, "in": None})) == {"no_value"}
    assert codes(hear(delta, {"w": 5, "in": "x"})) == {"unreadable"}


def test_a_sum_of_which_a_delta_brings_one_part_has_not_changed() -> None:
    parts = [
        f"{{id: {name}, quantity: electric_energy_import, unit: kWh, class: counter, path: /{name}, internal: true}}"
        for name in ("a", "b")
    ]
    both = "{id: both, quantity: electric_energy_import, unit: kWh, class: counter, sum: [a, b]}"
    device = profile(*parts, both, messages="{merge: delta}")
    assert codes(hear(device, {"a": 1})) == {"unchanged"}
    assert values(hear(device, {"a": 1, "b": 2})) == {"both": 3}


def test_each_entry_of_a_list_is_a_message_of_its_own() -> None:
    device = profile(IMPORT, messages="{each: /list, time: /t, time_format: unix_ms}")
    found = hear(device, {"list": [{"t": 1000, "in": 1}, {"t": "x", "in": 2}, 7, {"t": 3000, "in": 3}]})
    assert [(value.value, value.time.second) for value in found.values] == [(1, 1), (3, 3)]
    assert [refusal.code for refusal in found.refused] == ["time", "missing"]
    assert reasons(hear(device, {"list": {}})) == {"import": "expected a list of entries"}
    assert reasons(hear(device, {})) == {"import": "the field /list is missing"}
    assert hear(device, {"list": []}) == Decoded((), ())


def test_entries_may_be_the_whole_document_and_share_one_time() -> None:
    device = profile(IMPORT, messages="{each: ''}")
    assert [value.value for value in hear(device, [{"in": 1}, {"in": 2}]).values] == [1, 2]
    shared = profile(IMPORT, messages="{each: /list, time: /t}")
    (value,) = hear(shared, {"t": "2026-01-01T00:00:00Z", "list": [{"in": 1}]}).values
    assert value.time == datetime(2026, 1, 1, tzinfo=UTC)


def test_a_message_has_a_bounded_number_of_entries_and_bytes() -> None:
    device = profile(IMPORT, messages="{each: ''}")
    assert len(hear(device, [{"in": 1}] * 5000).values) == 5000
    assert reasons(hear(device, [{"in": 1}] * 5001)) == {"import": "more than 5000 entries in one message"}
    assert reasons(hear(device, b" " * LARGEST + b"1")) == {"import": f"the payload is larger than {LARGEST} bytes"}


TOPICS = (
    "{id: import, quantity: electric_energy_import, unit: kWh, class: counter, scalar: true, topic: grid/energy}",
    "{id: power, quantity: active_power, unit: W, class: gauge, scalar: true, topic: grid/power}",
    "{id: sun, quantity: active_power, unit: W, class: gauge, path: /w, topic: power}",
)


def test_a_message_says_nothing_about_points_of_other_topics() -> None:
    device = profile(*TOPICS)
    assert hear(device, b"12", "evcc/site/grid/energy") == Decoded(hear(device, b"12", "x/grid/energy").values, ())
    assert values(hear(device, b"12", "evcc/site/grid/energy")) == {"import": 12}
    assert values(hear(device, b"-3", "evcc/site/grid/power")) == {"power": -3}
    assert values(hear(device, b'{"w": 4}', "evcc/site/power")) == {"sun": 4}
    assert hear(device, b"12", "evcc/site/other") == Decoded((), ())
    assert hear(device, b"12", "evcc/site/supergrid/energy") == Decoded((), ())
    assert reasons(hear(device, b"x", "evcc/site/grid/power")) == {"power": "'x' is not a number"}


def test_parts_of_one_point_must_come_in_one_message() -> None:
    both = "{id: both, quantity: active_power, unit: W, class: gauge, sum: [power, sun]}"
    with pytest.raises(BadInput, match="its parts come in different messages"):
        profile(*TOPICS, both)


def test_another_device_is_recognised_on_the_topic_that_says_so() -> None:
    device = profile(*TOPICS, more="identify: [{topic: power, path: /type, equals: [inverter]}]\n")
    assert values(hear(device, {"w": 4, "type": "inverter"}, "x/power")) == {"sun": 4}
    assert reasons(hear(device, {"w": 4, "type": "kettle"}, "x/power")) == {
        "sun": "this is another device: /type says 'kettle', expected inverter"
    }
    assert values(hear(device, b"5", "x/grid/power")) == {"power": 5}


@pytest.mark.parametrize(
    ("rule", "written", "expected"),
    [
        ("time_format: rfc3339", "2026-07-01T12:00:00.123456789+02:00", datetime(2026, 7, 1, 10, 0, 0, 123456, UTC)),
        ("time_format: unix_s", 1767268800.5, datetime(2026, 1, 1, 12, 0, 0, 500000, UTC)),
        ("time_format: unix_ms", "1767268800001", datetime(2026, 1, 1, 12, 0, 0, 1000, UTC)),
        ("time_format: local, zone: Europe/Amsterdam", "2026-07-01 12:00:00", datetime(2026, 7, 1, 10, tzinfo=UTC)),
        ("time_format: yymmddhhmmss, zone: Europe/Amsterdam", 260131120000, datetime(2026, 1, 31, 11, tzinfo=UTC)),
    ],
)
def test_times_are_read_as_the_profile_says(rule: str, written: object, expected: datetime) -> None:
    (value,) = hear(profile(IMPORT, messages=f"{{time: /t, {rule}}}"), {"in": 1, "t": written}).values
    assert value.time == expected


@pytest.mark.parametrize(
    ("rule", "written"),
    [
        ("time_format: rfc3339", "2026-07-01T12:00:00"),
        ("time_format: rfc3339", "9" * 5000),
        ("time_format: unix_s", "1e99"),
        ("time_format: unix_s", True),
        ("time_format: local, zone: Europe/Amsterdam", "2026-10-25T02:30:00"),
        ("time_format: local, zone: Europe/Amsterdam", "2026-03-29T02:30:00"),
        ("time_format: local, zone: Europe/Amsterdam", "2026-1-1T0:0:0"),
        ("time_format: yymmddhhmmss, zone: Europe/Amsterdam", "21031411223"),
        ("time_format: yymmddhhmmss, zone: Europe/Amsterdam", "1" * 9000),
        ("time_format: local, zone: Europe/Amsterdam", "0001-01-01T00:00:00"),
    ],
)
def test_a_time_that_is_none_or_could_be_two_is_refused(rule: str, written: object) -> None:
    found = hear(profile(IMPORT, messages=f"{{time: /t, {rule}}}"), {"in": 1, "t": written})
    assert found.values == ()
    assert codes(found) <= {"time", "unreadable"}


def test_first_valid_takes_what_is_there_and_select_what_the_device_names() -> None:
    sources = [
        f"{{id: {name}, quantity: active_power, unit: W, class: gauge, path: /{name}, invalid: ['-1'], internal: true}}"
        for name in ("a", "b")
    ]
    mode = "{id: mode, quantity: state, class: enum, path: /mode, internal: true}"
    first = "{id: first, quantity: active_power, unit: W, class: gauge, first_valid: [a, b]}"
    chosen = "{id: chosen, quantity: active_power, unit: W, class: gauge, select: {by: mode, cases: {'1': a, '2': b}}}"
    back = "{id: back, quantity: active_power, unit: W, class: gauge, negate: a}"
    device = profile(*sources, mode, first, chosen, back)
    assert values(hear(device, {"a": 1, "b": 2, "mode": 2})) == {"first": 1, "chosen": 2, "back": -1}
    assert values(hear(device, {"a": -1, "b": 2, "mode": "1"})) == {"first": 2}
    assert reasons(hear(device, {"mode": 3})) == {
        "first": "the field /b is missing",
        "chosen": "mode is '3', for which the profile names no value",
        "back": "the field /a is missing",
    }


def test_a_part_that_cannot_be_spoils_the_whole() -> None:
    """The rules of a point hold for a point that only serves others, too."""
    part = "{{id: {0}, quantity: electric_energy_import, unit: kWh, class: counter, path: /{0}, internal: true{1}}}"
    total = "{id: total, quantity: electric_energy_import, unit: kWh, class: counter, sum: [a, b]}"
    device = profile(part.format("a", ", range: {max: '10'}"), part.format("b", ", absolute: true"), total)
    assert values(hear(device, {"a": 1, "b": -2})) == {"total": 3}
    assert reasons(hear(device, {"a": 11, "b": 2})) == {"total": "a: 11 kWh is outside what is possible (at most 10)"}
    assert reasons(hear(device, {"a": -1, "b": 2})) == {"total": "a counter below zero"}


def test_factors_come_from_beside_the_value_and_codes_are_those_before_them() -> None:
    scaled = profile(
        "{id: t, quantity: boiler_temperature, unit: °C, class: gauge, path: /v, scale_from: /f, invalid: ['32765']}"
    )
    assert values(hear(scaled, {"v": "633", "f": "0.1"})) == {"t": Decimal("63.3")}
    assert codes(hear(scaled, {"v": 32765, "f": 0.1})) == {"no_value"}
    assert codes(hear(scaled, {"v": 633})) == {"missing"}
    divided = profile("{id: t, quantity: boiler_temperature, unit: °C, class: gauge, path: /v, divide_from: /f}")
    assert values(hear(divided, {"v": 673, "f": 10})) == {"t": Decimal("67.3")}
    assert values(hear(divided, {"v": 1, "f": 3})) == {"t": Decimal("0.333333")}
    assert reasons(hear(divided, {"v": 673, "f": 0})) == {"t": "the divisor /f is zero"}
    assert codes(hear(divided, {"v": 673, "f": "1e99"})) == set()


HTTP = "{transport: http-json, requests: [/a, /b]}"


def test_a_point_is_looked_for_in_the_answer_it_belongs_to() -> None:
    device = profile(IMPORT.replace("}", ", document: /b}"), POWER, link=HTTP, messages=None)
    found = poll(device, ("/a?key=1", '{"in": 1, "w": 5}'), ("/b?key=1", '{"in": 2}'))
    assert values(found) == {"import": 2, "power": 5}
    assert {value.time for value in found.values} == {AT}
    assert reasons(poll(device, ("/a", '{"w": 5}'), ("/b", "busy"))) == {"import": "the payload is not JSON"}
    assert reasons(poll(device, ("/a", "{}"))) == {
        "import": "there is no answer that holds /in",
        "power": "the field /w is missing",
    }


def test_attributes_of_xml_are_fields_too() -> None:
    device = profile(
        IMPORT.replace("/in", "/m/@in"), POWER.replace("/w", "/m/w"), link=HTTP.replace("json", "xml"), messages=None
    )
    assert values(poll(device, ("/a", '<m in="7"><w unit="W">5</w></m>'))) == {"import": 7, "power": 5}
    assert reasons(poll(device, ("/a", "<m/>"))) == {
        "import": "the field /m/@in is missing",
        "power": "the field /m/w is missing",
    }


@pytest.mark.parametrize(
    "body",
    [b'{"in": ' + b"9" * 100_000 + b"}", b'{"in": 1e999999999}', b'{"in": NaN}', b'{"in": -0.' + b"1" * 999 + b"}"],
    ids=["long", "exponent", "nan", "fraction"],
)
def test_monstrous_numbers_are_refused(body: bytes) -> None:
    assert codes(hear(profile(IMPORT), body)) == {"unreadable"}


def test_deep_documents_are_refused() -> None:
    for body in (b"[" * 500_000, b'{"a":' * 150_000):
        assert reasons(hear(profile(IMPORT), body)) == {"import": "the payload is not JSON"}


def test_a_line_break_inside_a_text_does_not_cost_the_other_values() -> None:
    """As a boiler sends it while it shows a fault."""
    assert values(hear(profile(IMPORT), b'{"error": "ash box\nnearly full", "in": 5}')) == {"import": 5}


@pytest.mark.parametrize(
    ("binary", "point", "sentence"),
    [
        ("", "tlv: '0382', type: uint16", "a point in bytes needs 'binary'"),
        (
            "{path: /d, sizes: {'0175': 1}}",
            "tlv: '0382', type: uint16",
            "'sizes' does not say how many bytes a field 0382",
        ),
        (
            "{path: /d, sizes: {'0382': 2}}",
            "tlv: '0382', type: uint8",
            "a field of 2 bytes needs a whole number of that size",
        ),
        ("{path: /d, sizes: {'0382': 4}}", "tlv: '0382', type: float32", "a field of 4 bytes needs a whole number"),
        ("{path: /d, sizes: {'0382': 2}}", "tlv: '0382'", "a field of 2 bytes needs a whole number"),
    ],
)
def test_a_point_in_bytes_must_fit_its_field(binary: str, point: str, sentence: str) -> None:
    rule = f"{{binary: {binary}}}" if binary else "{topic: ''}"
    with pytest.raises(BadInput, match=sentence):
        profile(f"{{id: d, quantity: distance, unit: mm, class: gauge, {point}}}", messages=rule)


def test_the_topic_of_availability_carries_no_values() -> None:
    with pytest.raises(BadInput, match="this topic carries values"):
        profile(IMPORT, messages="{topic: x, availability: {topic: x, online: ['1'], offline: ['0']}}")
