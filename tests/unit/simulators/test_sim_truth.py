"""The truth is a function of seed and absolute time, and balances exactly."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import numpy as np
import pytest

from core.errors import BadInput
from core.time import Month, microseconds
from simulators.grid import EPOCH, QUARTER, ZONE, grid
from simulators.meters import METERS, QUARTER_US, REGISTERS
from simulators.truth import live_truth
from simulators.world import World, world_at

NOW = datetime(2026, 11, 23, 4, 40, 17, tzinfo=UTC)


@pytest.fixture(scope="module")
def world() -> World:
    return world_at(7, NOW)


def test_a_longer_horizon_changes_nothing_that_came_before(world):
    short = World(7, 2025)
    size = len(short.solar)
    assert size == 35_040
    for meter in REGISTERS:
        assert np.array_equal(world.energy_of(meter)[:size], short.energy_of(meter)), meter.id
        for long_part, short_part in zip(world.counters[meter.id].parts, short.counters[meter.id].parts, strict=True):
            assert np.array_equal(long_part[: size + 1], short_part), meter.id


def test_another_seed_is_another_building(world):
    other = world_at(8, NOW)
    assert not np.array_equal(world.flats, other.flats)
    assert not np.array_equal(world.solar, other.solar)
    assert live_truth(7, "el-A01", NOW) != live_truth(8, "el-A01", NOW)


def test_grid_import_minus_export_is_consumption_minus_sun_in_every_quarter_hour(world):
    grid_in, grid_out = (world.energy_of(METERS[name]) for name in ("grid-in", "grid-out"))
    assert np.array_equal(grid_in - grid_out, world.flats.sum(axis=1) + world.common - world.solar)
    assert not np.any((grid_in > 0) & (grid_out > 0))
    assert (grid_out > 0).any()
    assert (grid_in > 0).any()


def test_heat_produced_is_the_heat_of_the_flats_and_a_positive_loss(world):
    loss = world.produced - world.heat.sum(axis=1)
    assert loss.min() > 0
    assert 0.05 < loss.sum() / world.produced.sum() < 0.20


def test_pellets_burn_at_an_efficiency_between_80_and_88_percent(world):
    efficiency = world.produced.sum() / (world.burnt.sum() * 4.8)
    assert 0.80 < efficiency < 0.88
    assert world.burnt.min() > 0


def test_registers_are_whole_milliwatt_hours_that_never_fall(world):
    for meter in REGISTERS:
        energy = world.energy_of(meter)
        assert energy.dtype == np.int64
        assert energy.min() >= 0, meter.id


@pytest.mark.parametrize("name", ["pv", "grid-in", "el-A01", "el-common", "boiler-heat", "heat-A02", "heat-B01"])
def test_a_display_never_falls_from_second_to_second(world, name):
    start = microseconds(datetime(2026, 3, 29, 0, 50, tzinfo=UTC))  # across the change of clocks and of tariff
    seconds = np.arange(start, start + 6 * 3600 * 10**6, 10**6, dtype=np.int64)
    shown = world.counters[name].total(seconds)
    assert np.diff(shown).min() >= 0
    assert shown[-1] >= shown[0]


def test_within_a_quarter_hour_a_register_moves_linearly(world):
    noon = datetime(2026, 6, 21, 11, 0, tzinfo=UTC)
    moments = [noon + timedelta(seconds=seconds) for seconds in (0, 450, 900)]
    counter = world.counters["pv"]
    first, middle, last = (
        int(counter.exact(np.array([microseconds(moment)], dtype=np.int64))[0][0]) for moment in moments
    )
    assert last - first == world.solar[world.index(noon)] > 0
    assert middle - first == (last - first) // 2


def test_a_smart_meter_counts_in_two_tariffs_and_shows_their_sum(world):
    counter = world.counters["el-B02"]
    instant = np.array([microseconds(NOW)], dtype=np.int64)
    low, normal = counter.shown(instant)
    assert live_truth(7, "el-B02", NOW) == Decimal(int(low[0] + normal[0])).scaleb(-3)
    night = world.index(datetime(2026, 11, 20, 2, 0, tzinfo=UTC))  # a Friday
    assert counter.steps[0][night] > 0
    assert counter.steps[1][night] == 0
    day = world.index(datetime(2026, 11, 20, 12, 0, tzinfo=UTC))
    assert counter.steps[0][day] == 0
    assert counter.steps[1][day] > 0


@pytest.mark.parametrize(
    ("name", "digits"), [("pv", 3), ("el-A01", 3), ("el-common", 3), ("heat-A01", 0), ("heat-C01", 1), ("silo", 0)]
)
def test_a_value_has_the_digits_its_device_shows(name, digits):
    assert live_truth(7, name, NOW).as_tuple().exponent == -digits


def test_nothing_is_true_before_the_building_began():
    with pytest.raises(BadInput, match="begins on 2025-01-01"):
        live_truth(7, "pv", EPOCH - timedelta(seconds=1))
    with pytest.raises(BadInput, match="no meter 'pv2'"):
        live_truth(7, "pv2", NOW)


def test_the_new_year_passes_without_a_seam():
    eve = datetime(2026, 12, 31, 23, 59, 59, tzinfo=UTC)
    for name in ("el-A01", "grid-in", "boiler-heat", "el-common"):
        before, after = live_truth(7, name, eve), live_truth(7, name, eve + timedelta(seconds=2))
        assert before <= after <= before + Decimal("0.02") + (1 if name == "boiler-heat" else 0)


def test_local_days_have_92_96_or_100_quarter_hours():
    counts = np.bincount(grid(2026).day - grid(2026).day[0])[1:364]
    assert sorted(set(counts.tolist())) == [92, 96, 100]
    assert (counts == 96).sum() == 361
    for month, expected in ((Month(2026, 3), 2972), (Month(2026, 10), 2980), (Month(2026, 11), 2880)):
        start, end = month.bounds(ZONE)
        assert (microseconds(end) - microseconds(start)) // QUARTER_US == expected


def test_the_building_is_a_plausible_one(world):
    years = len(world.solar) * QUARTER / (365 * 86400)
    per_flat = world.flats.sum(axis=0) / 1e9 / years
    assert per_flat.min() > 1.1
    assert per_flat.max() < 3.6
    heat = world.heat.sum(axis=0) / 1e9 / years
    assert heat.min() > 2.8
    assert heat.max() < 9.5
    assert 14 < world.solar.sum() / 1e9 / years < 19
    july = slice(world.index(datetime(2026, 7, 1, tzinfo=UTC)), world.index(datetime(2026, 8, 1, tzinfo=UTC)))
    january = slice(world.index(datetime(2026, 1, 1, tzinfo=UTC)), world.index(datetime(2026, 2, 1, tzinfo=UTC)))
    assert world.heat[july].sum() < 0.15 * world.heat[january].sum()
    assert world.solar[july].sum() > 3 * world.solar[january].sum()


def test_the_sun_does_not_shine_at_night(world):
    midnight = [world.index(datetime(2026, month, 15, 0, 0, tzinfo=UTC)) for month in range(1, 13)]
    assert not world.solar[midnight].any()
