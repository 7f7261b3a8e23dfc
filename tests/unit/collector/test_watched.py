"""How long a device may be silent, what hangs on it, and how long it has been silent as Prometheus sees it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from collector.catalogue import load
from collector.metrics import DeviceAges
from collector.watched import watched
from tests.support.watchtown import parsed

NOW = datetime(2026, 5, 13, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("device", "meter", "silent_after"),
    [
        ('profile: sunspec.inverter, link: "modbus-tcp://h:1/1", every: 10s', "", timedelta(hours=1)),
        ('profile: sunspec.inverter, link: "modbus-tcp://h:1/1", every: 30min', "", timedelta(minutes=90)),
        ('profile: sunspec.inverter, link: "modbus-tcp://h:1/1", every: 10s', ", every: 2h", timedelta(hours=6)),
    ],
)
def test_a_device_may_miss_three_readings_or_be_silent_as_long_as_its_profile_says(
    device: str, meter: str, silent_after: timedelta
) -> None:
    community = parsed(roof=device, pv=meter)
    described = watched(community.devices[0], load("sunspec.inverter"), community)
    assert (described.silent_after, described.kind, described.feeds_settlement) == (silent_after, "inverter", True)


def test_a_pellet_level_decides_nothing_of_the_settlement() -> None:
    community = parsed()
    assert not watched(community.devices[-1], load("esphome.sensor_kg"), community).feeds_settlement


def test_the_age_of_a_device_grows_until_it_is_heard() -> None:
    now = NOW
    ages = DeviceAges(lambda: now)
    registry = CollectorRegistry()
    registry.register(ages)
    ages.watch({"roof": NOW - timedelta(minutes=2)})
    assert b'wijkenergie_device_age_seconds{device="roof"} 120.0' in generate_latest(registry)
    now = NOW + timedelta(minutes=1)
    assert b'wijkenergie_device_age_seconds{device="roof"} 180.0' in generate_latest(registry)
    ages.seen("roof", now)
    ages.seen("roof", NOW)  # an older one that was stored later
    assert b'wijkenergie_device_age_seconds{device="roof"} 0.0' in generate_latest(registry)
    ages.watch({})
    assert b"roof" not in generate_latest(registry)
