"""A batch of readings over HTTP: all of it is right, or none of it counts."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest

from api.routes.readings import parse_batch
from core.communityfile import parse
from core.errors import BadInput
from tests.support.house import COMMUNITY, NOW

HOUSE = parse(COMMUNITY).community
GOOD = {"meter": "el-common", "time": "2026-05-13T12:00:00Z", "value": "123.456"}


def batch(*items: Any) -> bytes:
    return json.dumps(items).encode()


def test_digits_arrive_as_they_were_sent() -> None:
    body = b'[{"meter": "pv", "time": "2026-05-13T14:00:00+02:00", "value": 123456789012.100000000001}]'
    (reading,) = parse_batch(HOUSE, body, NOW)
    assert reading.value == Decimal("123456789012.100000000001")
    assert reading.time.isoformat() == "2026-05-13T12:00:00+00:00"


def test_a_batch_keeps_its_order() -> None:
    readings = parse_batch(HOUSE, batch(GOOD, GOOD | {"meter": "pv"}), NOW)
    assert [reading.meter for reading in readings] == ["el-common", "pv"]


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "not JSON"),
        (b"\xff\xfe", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b"{}", "must be an array"),
        (b"[]", "must be an array"),
        (b"[1]", "Entry 0: there is no meter"),
        (batch(GOOD, GOOD | {"meter": "nobody"}), "Entry 1: there is no meter 'nobody'"),
        (batch(GOOD | {"meter": ["pv"]}), "Entry 0: there is no meter"),
        (batch({"meter": "pv", "time": "2026-05-13T12:00:00Z"}), "Entry 0: expected"),
        (batch(GOOD | {"time": "2026-05-13T12:00:00"}), "Entry 0: time is a time without a zone"),
        (batch(GOOD | {"time": "2026-05-13T13:00:00Z"}), "Entry 0: the time lies in the future"),
        (batch(GOOD | {"value": "1e3"}), "Entry 0: value is not a plain decimal number"),
        (batch(GOOD | {"value": float("nan")}), "Entry 0"),
        (batch(GOOD | {"value": True}), "Entry 0: value is not a number"),
    ],
)
def test_a_fault_is_named_with_its_entry(body: bytes, reason: str) -> None:
    with pytest.raises(BadInput, match=reason):
        parse_batch(HOUSE, body, NOW)


def test_a_batch_that_is_too_long_is_refused() -> None:
    with pytest.raises(BadInput, match="at most 50000"):
        parse_batch(HOUSE, b"[" + b",".join([b"1"] * 50_001) + b"]", NOW)
