"""What a meter's connection carries in an hour: each figure by where it comes from."""

from __future__ import annotations

import pytest

from core.community import Measures, Meter
from settlement.limits import HOUR, carried, most_per_hour, usual_per_hour

KWH = 1_000_000
"""mWh"""


def meter(measures: Measures, unit: str = "kWh", **other: object) -> Meter:
    flat = {"flat": "A"} if measures in ("electricity", "heat", "hot_water") and not other.get("common") else {}
    return Meter.model_validate({"id": "m", "measures": measures, "unit": unit} | flat | other)


@pytest.mark.parametrize(
    ("measures", "kwh"),
    [
        ("electricity", 17.25),  # 3 x 25 A at 230 V
        ("grid_import", 172.5),  # 3 x 250 A
        ("grid_export", 172.5),
        ("solar_generation", 172.5),
        ("heat", 60),
        ("hot_water", 60),
        ("heat_produced", 500),
    ],
)
def test_a_connection_of_each_kind(measures: Measures, kwh: float) -> None:
    assert usual_per_hour(meter(measures)) == most_per_hour(meter(measures)) == kwh * KWH


def test_the_common_area_has_a_larger_connection_than_a_flat() -> None:
    assert usual_per_hour(meter("electricity", common="true")) == 55_200_000  # 3 x 80 A at 230 V


def test_hot_water_in_m3_is_limited_by_the_tap_and_never_by_a_power() -> None:
    assert usual_per_hour(meter("hot_water", "m3")) == 3_000_000
    assert most_per_hour(meter("hot_water", "m3", max_kw="1")) == 3_000_000


def test_nothing_is_known_of_allocator_units() -> None:
    assert usual_per_hour(meter("heat", "units")) is None
    assert most_per_hour(meter("heat", "units", max_kw="1")) is None


def test_a_named_power_holds_for_the_watch_only() -> None:
    named = meter("heat", max_kw="12.5")
    assert (most_per_hour(named), usual_per_hour(named)) == (12_500_000, 60_000_000)


@pytest.mark.parametrize(
    ("rise", "minutes", "fits"),
    [(60, 60, True), (61, 60, False), (5, 5, True), (6, 5, False), (5, 1, True), (6, 1, False), (6, 6, True)],
)
def test_what_five_minutes_carry_may_come_at_once(rise: int, minutes: int, fits: bool) -> None:
    """Of a connection of 60 in an hour."""
    assert carried(60, rise, minutes * HOUR // 60) is fits
    assert carried(None, rise, minutes)
