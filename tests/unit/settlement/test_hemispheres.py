"""The sun of both hemispheres: a gap takes the shape of the local day, in summer where summer is."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from core.community import Location
from core.communityfile import build
from core.time import microseconds
from settlement.intervals import of_all
from settlement.model import MeterReadings
from settlement.sunlight import clear_sky

QUARTER = 900_000_000
PLACES = {
    "Europe/Brussels": Location(latitude=Decimal("50.85"), longitude=Decimal("4.35")),
    "Europe/Lisbon": Location(latitude=Decimal("38.72"), longitude=Decimal("-9.14")),
    "Australia/Sydney": Location(latitude=Decimal("-33.87"), longitude=Decimal("151.21")),
    "Pacific/Auckland": Location(latitude=Decimal("-36.85"), longitude=Decimal("174.76")),
}
SOUTH = ("Australia/Sydney", "Pacific/Auckland")


def day(zone: str, text: str) -> list[int]:
    start = microseconds(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)))
    return [start + index * QUARTER for index in range(97)]


@pytest.mark.parametrize("zone", PLACES)
def test_days_are_long_in_the_summer_of_the_place_and_noon_is_at_noon(zone: str) -> None:
    january, july = (clear_sky(PLACES[zone], day(zone, f"2026-{month}-10")) for month in ("01", "07"))
    bright = [sum(1 for weight in weights if weight) for weights in (january, july)]
    assert (bright[0] > bright[1]) == (zone in SOUTH)
    for weights in (january, july):
        noon = weights.index(max(weights)) / 4
        assert 11.5 <= noon <= 14  # local solar noon, with summer time
        assert not any(weights[: 4 * 4]) and not any(weights[4 * 23 :])  # noqa: PT018 - one night


@pytest.mark.parametrize("text", ["2026-01-10", "2026-07-10"])
@pytest.mark.parametrize("zone", PLACES)
def test_a_gap_over_a_night_gives_the_night_nothing_wherever_the_building_stands(zone: str, text: str) -> None:
    place = PLACES[zone]
    community = build(
        {
            "community": "c",
            "name": "C",
            "timezone": zone,
            "estimates": "shaped",
            "location": {"latitude": str(place.latitude), "longitude": str(place.longitude)},
            "owner": "owner",
            "flats": [{"id": "A"}],
            "households": [],
            "meters": [{"id": "pv", "measures": "solar_generation", "unit": "kWh"}],
            "sharing": [{"from": "2025-01-01", "key": "proportional"}],
            "tariffs": [{"from": "2025-01-01", "solar_eur_per_kwh": "0", "vat_percent": {"electricity": "0"}}],
        },
        "the case",
    ).community
    noon = microseconds(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)) + timedelta(hours=12))
    steps = [*range(-96, 1), *range(96, 100)]
    values = tuple(Decimal(10) if step <= 0 else Decimal(40) for step in steps)
    known = {"pv": MeterReadings("register", tuple(noon + step * QUARTER for step in steps), values)}
    bounds = [noon + step * QUARTER for step in range(-96, 97)]
    series = of_all(community, known, bounds)[0]["pv"]
    sky = clear_sky(place, bounds)
    assert series.known() == 30_000_000
    assert set(series.method[96:]) == {"clear-sky"}
    assert all((value == 0) == (weight == 0) for value, weight in zip(series.energy[96:], sky[96:], strict=True))
