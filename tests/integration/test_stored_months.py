"""A month settled from its stored quarter-hours is, to the cent, the one settled from the readings behind them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from core.communityfile import build, load
from core.db import config
from core.db.connection import Connection, connect
from core.db.readings import insert_readings
from core.time import Month, from_microseconds
from settlement import derive, readingsfile, store
from settlement.derived.months import settle_stored
from settlement.month import settle
from settlement.selection import used
from settlement.statement import document
from tests.data.synthetic import generate
from tests.support import heathouse

DATA = Path(generate.__file__).parent
NOW = datetime(2026, 2, 3, 12, tzinfo=UTC)
MONTH = Month(2026, 1)


@pytest.fixture
def filled(database_url: str) -> Iterator[Connection]:
    """Give the synthetic building and its readings."""
    file = load(DATA / "community.yaml")
    with connect(database_url, autocommit=True) as connection:
        config.apply(connection, file, NOW, "test")
        found = readingsfile.read(DATA / "readings.csv", file.community)
        rows = [
            (meter, from_microseconds(time), value)
            for meter, one in found.items()
            for time, value in zip(one.times, one.values, strict=True)
        ]
        insert_readings(connection, file.community.community, rows, "test")
        yield connection


@pytest.mark.parametrize("holes", [False, True])
def test_a_month_from_stored_intervals_is_the_month_from_readings(filled: Connection, *, holes: bool) -> None:
    community = config.load(filled, "linde").community
    meters = [meter.id for meter in community.meters_of("electricity", "heat")]
    if holes:  # estimated, missing at an end, and a whole meter that was never read
        filled.execute("DELETE FROM reading WHERE meter = %s", (meters[0],))
        for meter, first, last in ((meters[1], 9, 12), (meters[2], 20, 40)):
            span = (datetime(2026, 1, first, tzinfo=UTC), datetime(2026, 1 + last // 32, 1 + last % 31, tzinfo=UTC))
            filled.execute("DELETE FROM reading WHERE meter = %s AND time BETWEEN %s AND %s", (meter, *span))
    derive.update(filled, "linde", NOW)
    known = used(community, MONTH, store.month_readings(filled, community, MONTH))
    exact = settle(community, MONTH, known)
    stored, _ = settle_stored(filled, community, [MONTH, MONTH.shift(1)])
    assert not list(settle_stored(filled, community, []))
    for part in ("spells", "charges", "charged", "pellets", "heat", "advances", "ledger", "checks"):
        assert getattr(stored, part) == getattr(exact, part), part
    for name, one in exact.energy.series.items():
        assert list(stored.energy.series[name].energy) == list(one.energy), name
        assert list(stored.energy.series[name].quality) == list(one.quality), name
    assert not holes or "estimated" in list(exact.energy.series[meters[1]].quality)
    both = [document(one, "") for one in (exact, stored)]
    for one in both:
        del one["findings"], one["result_sha256"]
    assert both[0] == both[1]


def test_a_month_with_a_failed_hot_water_meter_looks_back_for_it_too(database_url: str) -> None:
    """What estimates compare with is no row of the month, so such a month is taken from readings."""
    areas = {"A": "50", "B": "50", "C": "50", "D": "80", "E": "80"}
    tree = heathouse.tree(areas, failed_meters="estimate", hot_water={"measured_percent": "60"})
    file = build(heathouse.with_water(tree), "the example")
    begin, failed, end = (heathouse.utc(text) for text in ("2025-11-29 00:00", "2026-01-12 00:00", "2026-02-02 00:00"))
    hours = heathouse.hours(begin, end)[::6]
    rows = [
        (meter.id, hour, Decimal(number))
        for meter in file.community.meters
        for number, hour in enumerate(hours)
        if meter.id != "hot-A" or hour < failed
    ]
    with connect(database_url, autocommit=True) as connection:
        config.apply(connection, file, NOW, "test")
        insert_readings(connection, "example", rows, "test")
        derive.update(connection, "example", NOW)
        community = config.load(connection, "example").community
        exact = settle(community, MONTH, used(community, MONTH, store.month_readings(connection, community, MONTH)))
        (stored,) = settle_stored(connection, community, [MONTH])
    assert document(stored, "") == document(exact, "")
    water = next(entry["heat"]["hot_water"] for entry in document(exact, "")["statements"] if entry["flat"] == "A")
    assert water["estimated_by"] == "same_flat_last_month"
