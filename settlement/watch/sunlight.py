"""Whether the sun stands high enough for a solar device to be awake."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Final

from core.community import Community

AWAKE_DEGREES: Final = 10.0
"""Inverters wake when the sun is a few degrees up; above this one that says nothing is no longer asleep."""
_AWAKE_HOURS: Final = range(10, 16)
"""Local hours of daylight in every season, for a building whose place nobody knows."""
_J2000: Final = datetime(2000, 1, 1, 12, tzinfo=UTC)


def is_day(community: Community, instant: datetime) -> bool:
    """Tell whether solar devices should be awake: by the sun's height, or by the clock where there is no location."""
    place = community.location
    if place is None:
        return instant.astimezone(community.zone).hour in _AWAKE_HOURS
    return elevation(float(place.latitude), float(place.longitude), instant) >= AWAKE_DEGREES


def elevation(latitude: float, longitude: float, instant: datetime) -> float:
    """Height of the sun above the horizon [degrees], to a tenth of a degree between 1950 and 2050.

    Source: the low-precision formulas for the Sun of the Astronomical Almanac; refraction left out.
    """
    days = (instant - _J2000).total_seconds() / 86400
    anomaly = math.radians(357.528 + 0.9856003 * days)
    longitude_of_sun = math.radians(
        280.460 + 0.9856474 * days + 1.915 * math.sin(anomaly) + 0.020 * math.sin(2 * anomaly)
    )
    tilt = math.radians(23.439 - 0.0000004 * days)
    declination = math.asin(math.sin(tilt) * math.sin(longitude_of_sun))
    ascension = math.atan2(math.cos(tilt) * math.sin(longitude_of_sun), math.cos(longitude_of_sun))
    sidereal = math.radians(280.46062 + 360.98564737 * days + longitude)
    hour_angle = sidereal - ascension
    north = math.radians(latitude)
    return math.degrees(
        math.asin(
            math.sin(north) * math.sin(declination) + math.cos(north) * math.cos(declination) * math.cos(hour_angle)
        )
    )
