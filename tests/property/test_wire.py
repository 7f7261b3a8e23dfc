"""The quick way to read a native payload and the careful one agree on every payload: values, and reasons of refusal."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from core.wire import Reading, _by_the_letter, native_readings

NUMBERS = st.one_of(
    st.decimals(allow_nan=True, allow_infinity=True).map(str),
    st.from_regex(r"\A-?[0-9]{1,20}(\.[0-9]{1,14})?\Z"),
    st.from_regex(r"\A[+-]?\s?\d{0,3}[.,_eE]?\d{0,3}\Z"),
)
TIMES = st.one_of(
    st.datetimes(min_value=datetime(1899, 1, 1), max_value=datetime(2201, 1, 1)).map(lambda at: at.isoformat() + "Z"),
    st.datetimes(timezones=st.timezones()).map(lambda at: at.isoformat()),
    st.from_regex(
        r"\A[0-9]{4}-(0[1-9]|1[0-3])-[0-3][0-9][Tt ][0-2][0-9]:[0-6][0-9](:[0-6][0-9](\.[0-9]{1,8})?)?"
        r"([Zz]|[+-][0-9]{2}:?[0-9]{2})?\Z"
    ),
    st.sampled_from(["2026-W01-1T00:00:00Z", "20260101T000000Z", "2026-01-01", "now", ""]),
)
SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), NUMBERS, TIMES, st.text(), st.lists(NUMBERS, max_size=2)
)
ENTRIES = st.one_of(
    st.fixed_dictionaries({"time": TIMES, "value": NUMBERS}),
    st.fixed_dictionaries({"time": TIMES, "value": SCALARS}),
    st.fixed_dictionaries({"time": SCALARS, "value": NUMBERS}, optional={"unit": SCALARS, "Time": TIMES}),
    st.dictionaries(st.sampled_from(["time", "value", "unit"]), SCALARS),
    SCALARS,
)
DOCUMENTS = st.one_of(ENTRIES, st.lists(ENTRIES, max_size=4), st.lists(st.lists(ENTRIES, max_size=2), max_size=2))
ENCODINGS = st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-32", "latin-1"])


def outcome(read, payload):
    try:
        return read("m", payload)
    except ValueError as error:
        return str(error)


def both_agree(payload: bytes) -> None:
    quick, careful = outcome(native_readings, payload), outcome(_by_the_letter, payload)
    assert quick == careful
    assert repr(quick) == repr(careful)  # equal Decimals may still show other digits


@given(document=DOCUMENTS, ascii_only=st.booleans(), indent=st.sampled_from([None, 1]), encoding=ENCODINGS)
def test_both_ways_agree_on_what_json_can_say(document, ascii_only, indent, encoding):
    text = json.dumps(document, ensure_ascii=ascii_only, indent=indent)
    both_agree(text.encode(encoding, errors="replace"))


@given(document=ENTRIES, cut=st.integers(0, 200), inserted=st.binary(max_size=3))
def test_both_ways_agree_on_damaged_payloads(document, cut, inserted):
    payload = json.dumps(document).encode()
    at = cut % (len(payload) + 1)
    both_agree(payload[:at] + inserted + payload[at:])
    both_agree(payload[:at])


@given(payload=st.binary(max_size=60))
@example(b"")
@example(b"[]")
@example(b"[" * 100_000)
@example(b'{"time": ' * 100_000)
@example(b'{"time": "2026-01-01T12:00:00Z", "value": "1", "more": ' + b"[" * 2000 + b"]" * 2000 + b"}")
@example(b'{"time": "2026-01-01T12:00:00Z", "value": "1", "value": "2"}')
@example(b'{"time": "2026-01-01T12:00:00Z", "value": 1e400}')
@example(b'{"time": "2026-01-01T12:00:00Z", "value": "1"} ')
@example(b'{"time": "2026-01-01T12:00:00Z", "value": "1"}x')
@example(b'{"time": "2026-01-01T12:00:00.1234567Z", "value": "1"}')
@example(b'{"time": "2026-01-01T12:00:00Z", "value": "1", "extra": NaN}')
@example(b'{"time": "2026-01-01T12:00:00Z", "value": "\\ud800"}')
@example('{"time": "2026-01-01T12:00:00Z", "value": "\u0661"}'.encode())
@example(b'{"t\\u0069me": "2026-01-01T12:00:00Z", "value": "1"}')
@example(b'{"time": "2026-01-01T12:00:00Z", "value": "1", "extra": "\xff"}')
@example(b'{"time": "2026-01-01T12:00:00Z", "value": "1,2"}')
@example(b'[{"time": "2026-01-01T12:00:00Z", "value": "1,"}, {"time": "2026-01-01T12:00:00Z", "value": "2"}]')
@example(b'{"time": "2026-01-01T12:00:00Z", "value": "1\\n"}')
@example(b'{"time": "2026-01-01T12:00:00Z", "value": ""}')
@example(b"\xff")
def test_both_ways_agree_on_any_bytes(payload):
    both_agree(payload)


def test_the_usual_payload_needs_no_second_reading(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.wire._by_the_letter", None)
    at = datetime(2026, 1, 1, 12, tzinfo=UTC)
    one = b'{"time": "2026-01-01T12:00:00Z", "value": "123.450"}'
    two = b'[{"value":"123.450","time":"2026-01-01T13:00:00+01:00"},' + one + b"]"
    assert native_readings("m", one) == [Reading("m", at, Decimal("123.450"))]
    assert native_readings("m", two) == [Reading("m", at, Decimal("123.450"))] * 2
