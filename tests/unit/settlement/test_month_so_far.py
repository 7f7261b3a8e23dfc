"""A month that is not over: what is missing so far is told meter by meter, what is still to come once for all."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest

from core.communityfile import build
from core.time import Month, microseconds
from settlement.model import MeterReadings
from settlement.replay import settle_document
from tests.support.pricehouse import Tree, readings, tree, utc

FEBRUARY = Month(2026, 2)
HOURLY = {"settlement_interval": "1h"}


def findings(until: dict[str, str], *, kind: str = "interval", silent: tuple[str, str] | None = None) -> list[Tree]:
    """Findings of a February read up to an instant per meter; el-F1 may say nothing within a span."""
    file = build(tree(1, **HOURLY), "the house")
    whole = readings(file, FEBRUARY, {meter.id: lambda _: 1_000_000 for meter in file.community.meters})
    start, known = whole["pv"].times[0], {}
    for meter, end in until.items():
        times = [time for time in whole[meter].times if time < microseconds(utc(end))]
        if meter == "el-F1" and silent:
            times = [t for t in times if not microseconds(utc(silent[0])) <= t < microseconds(utc(silent[1]))]
        if kind == "register":
            times = [*times, microseconds(utc(end))]
            known[meter] = MeterReadings("register", tuple(times), tuple(Decimal((t - start) // 10**9) for t in times))
        else:
            known[meter] = MeterReadings("interval", tuple(times), (Decimal(1),) * len(times))
    told: Tree = json.loads(settle_document(file, FEBRUARY, known)[1])
    found: list[Tree] = told["findings"]
    return found


def so_far(found: list[Tree]) -> list[tuple[str, str, str]]:
    return [(one["from"], one["until"], one["text"]) for one in found if one["code"] == "month-incomplete"]


@pytest.mark.parametrize("kind", ["interval", "register"])
def test_what_is_still_to_come_is_told_once_from_the_last_reading_of_all(kind: str) -> None:
    found = findings({"pv": "2026-02-10T12:00", "el-F1": "2026-02-10T12:00"}, kind=kind)
    text = "The month is not complete: no meter has readings after 2026-02-10T12:00:00Z."
    assert so_far(found) == [("2026-02-10T12:00:00Z", "2026-02-28T23:00:00Z", text)]
    assert {one["code"] for one in found} == {"month-incomplete"}


def test_what_one_meter_lacks_before_that_is_told_of_it() -> None:
    gap = ("2026-02-05T00:00", "2026-02-06T00:00")
    found = findings({"pv": "2026-02-10T12:00", "el-F1": "2026-02-09T12:00"}, silent=gap)
    ((begin, _, text),) = so_far(found)
    assert begin == "2026-02-10T12:00:00Z"
    assert text.endswith("readings after 2026-02-10T12:00:00Z.")
    missing = [(one["meter"], one["from"]) for one in found if one["code"] == "missing-intervals"]
    assert missing == [("el-F1", "2026-02-05T00:00:00Z"), ("el-F1", "2026-02-09T12:00:00Z")]


def test_a_month_read_to_its_last_hour_is_complete() -> None:
    assert findings({"pv": "2026-02-28T23:00", "el-F1": "2026-02-28T23:00"}) == []
    (last,) = so_far(findings({"pv": "2026-02-28T22:00", "el-F1": "2026-02-28T22:00"}))
    assert last[:2] == ("2026-02-28T22:00:00Z", "2026-02-28T23:00:00Z")
