"""Pellets: the stock closes, nobody lets the boiler run empty, and the sensor is wrong in a known way."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from core.time import Month
from simulators.cellar import BAG_KG, HOPPER_KG, SILO_KG, Delivery, Refill, burnt_mg, cellar_at, count_time
from simulators.grid import EPOCH, ZONE

NOW = datetime(2026, 11, 23, 4, 40, 17, tzinfo=UTC)
SILO, HOPPER = 4300, 360  # at the epoch


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_neither_silo_nor_hopper_runs_empty_or_over(seed):
    cellar = cellar_at(seed, NOW)
    silo, hopper = SILO, float(HOPPER)
    previous = EPOCH
    events: list[Delivery | Refill] = [*cellar.deliveries, *cellar.refills]
    for event in sorted(events, key=lambda event: event.at):
        burnt = (burnt_mg(cellar.world, event.at) - burnt_mg(cellar.world, previous)) / 1e6
        previous = event.at
        hopper -= burnt
        assert hopper > 0
        if isinstance(event, Delivery):
            silo += event.kg
        else:
            assert event.bags > 0
            silo -= event.bags * BAG_KG
            hopper += event.bags * BAG_KG
        assert 0 <= silo <= SILO_KG
        assert hopper <= HOPPER_KG


def test_people_carry_bags_by_day():
    hours = [refill.at.astimezone(ZONE).hour for refill in cellar_at(1, NOW).refills]
    assert len(hours) > 60
    assert sum(8 <= hour < 21 for hour in hours) > 0.95 * len(hours)


def test_stock_is_opening_plus_deliveries_minus_burnt():
    cellar = cellar_at(1, NOW)
    truck = cellar.deliveries[3]
    before, after = truck.at - timedelta(minutes=5), truck.at + timedelta(minutes=5)
    burnt = burnt_mg(cellar.world, after) - burnt_mg(cellar.world, before)
    assert cellar.stock_mg(after) - cellar.stock_mg(before) == truck.kg * 10**6 - burnt
    assert cellar.stock_mg(EPOCH) == (SILO + HOPPER) * 10**6


def test_a_month_end_count_is_within_half_a_day_and_close_to_the_truth():
    cellar = cellar_at(1, NOW)
    for back in range(1, 14):
        month = Month(2026, 11).shift(-back)
        at, kg = count_time(1, month), cellar.counted_kg(month)
        assert timedelta(0) < month.bounds(ZONE)[1] - at < timedelta(hours=12)
        assert abs(kg - cellar.stock_mg(at) / 1e6) < 40
        assert kg % 5 == 0


def test_trucks_come_on_working_days_away_from_month_ends_at_a_plausible_price():
    for truck in cellar_at(1, NOW).deliveries:
        local = truck.at.astimezone(ZONE)
        assert local.weekday() < 5
        assert 2 < local.day < 27
        assert 0.25 < truck.cents / 100 / truck.kg < 0.40
    invoices = [truck.invoice for truck in cellar_at(1, NOW).deliveries]
    assert len(set(invoices)) == len(invoices)


def test_the_level_sensor_reads_low_once_a_hollow_has_formed():
    cellar = cellar_at(1, NOW)
    hours = np.arange(24 * 30, 24 * 600, dtype=np.int64)
    seconds = hours * 3600 + int(EPOCH.timestamp())
    delivered = np.array([sum(d.kg for d in cellar.deliveries if d.at.timestamp() <= t) for t in seconds[::24]])
    carried = np.array([sum(r.bags * 15 for r in cellar.refills if r.at.timestamp() <= t) for t in seconds[::24]])
    error = cellar.level_kg(hours)[::24] - (SILO + delivered - carried)
    assert -420 < error.min() < -250
    assert error.max() < 90
    assert error.std() > 20


def test_a_longer_life_changes_no_earlier_refill_or_delivery():
    early, late = cellar_at(1, datetime(2025, 12, 1, tzinfo=UTC)), cellar_at(1, NOW)
    assert late.refills[: len(early.refills)] == early.refills
    assert late.deliveries[: len(early.deliveries)] == early.deliveries
    assert np.array_equal(late.level_kg(np.arange(8760)), early.level_kg(np.arange(8760)))
