"""What the building knows that a new device can be compared with: stored values, its balance, the sun.

Asked for by ``wijkenergie device read``. Nothing is started for it: without a database that answers there is no such
knowledge, and the command says so.
"""

from __future__ import annotations

import difflib
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final, NamedTuple

from collector.catalogue import load
from collector.evidence import Balance, Building, Fed, Sun
from collector.feeds import feeds_of, point_for
from collector.profile import Profile
from collector.quantities import reported
from core.community import Community, Location, Meter
from core.db import config
from core.db.connection import Connection, connect, in_words
from core.db.readings import Grown, grown_since, last_reading, sunniest_interval
from core.errors import BadInput, WijkError
from core.settings import Settings
from wijkenergie.wiring import slug_of

_LATELY: Final = timedelta(hours=1)
_YEAR: Final = timedelta(days=400)
_WHOLE_YEAR: Final = timedelta(days=330)  # with less, the strongest sun may not have been seen yet
_LINKE_TURBIDITY: Final = 2.5  # a very clear day
_STANDARD_W_M2: Final = 1000.0


class Surroundings(NamedTuple):
    """What is known, and one sentence on where it comes from."""

    building: Building
    told: str


def look_around(settings: Settings, name: str, link: str, meter: str | None, now: datetime) -> Surroundings:
    """Gather what the building knows about a device.

    Parameters
    ----------
    settings
        Name the database, and the community where it has several.
    name, link
        Profile and link of the device; a device of the community with both is recognised.
    meter
        The meter it would fill, where the community does not say so yet.
    now
        The present.

    Raises
    ------
    WijkError
        If ``meter`` is given and cannot be looked up. Without it the reason is told instead.
    """
    if settings.database_url is None:
        if meter is not None:
            raise BadInput("--meter needs the building's data; set WIJKENERGIE_DATABASE_URL.")
        return Surroundings(Building(), "No building data was used: WIJKENERGIE_DATABASE_URL is not set.")
    try:
        with in_words(), connect(settings.database_url.get_secret_value()) as connection:
            slug = slug_of(connection, settings)
            community = config.load(connection, slug).community
            fed = _fed(connection, community, load(name), link, meter)
            building = _building(connection, community, load(name), fed, now)
    except WijkError as error:
        if meter is not None:
            raise
        return Surroundings(Building(), f"No building data was used: {error}")
    names = ", ".join(one.meter for one in fed)
    which = f", for meter {names}" if names else "; name the meter with --meter to compare with its stored value"
    return Surroundings(building, f"Compared with the data of {community.name}{which}.")


def _fed(
    connection: Connection, community: Community, profile: Profile, link: str, meter_id: str | None
) -> tuple[Fed, ...]:
    feeds: dict[str, Meter] = {}
    for device in community.devices:
        if device.link == link and load(device.profile) == profile:
            feeds = feeds_of(device, profile, community)
    if meter_id is not None:
        meter = next((one for one in community.meters if one.id == meter_id), None)
        if meter is None:
            near = difflib.get_close_matches(meter_id, [one.id for one in community.meters], 1)
            raise BadInput(f"There is no meter '{meter_id}'" + (f"; the nearest is '{near[0]}'." if near else "."))
        known = {point: one for point, one in feeds.items() if one == meter}
        feeds = known or {point_for(profile, meter).id: meter}
    return tuple(_stored(connection, community, point, meter) for point, meter in feeds.items())


def _stored(connection: Connection, community: Community, point: str, meter: Meter) -> Fed:
    last = last_reading(connection, community.community, meter.id)
    if last is None:
        return Fed(point, meter.id, meter.measures)
    return Fed(point, meter.id, meter.measures, reported(last[1], meter.unit), last[0])


def _building(
    connection: Connection, community: Community, profile: Profile, fed: tuple[Fed, ...], now: datetime
) -> Building:
    slug, mine = community.community, {one.meter for one in fed}
    grown = grown_since(connection, slug, now - _LATELY)
    solar = profile.kind == "inverter" or any(one.measures == "solar_generation" for one in fed)
    return Building(
        fed=fed,
        sun=sun_at(community.location, now) if solar and community.location else None,
        peak_w=_peak(connection, community, now) if solar else None,
        electricity=_electricity(community, grown, mine),
        heat=_balance(community, grown, mine, ("heat_produced",), ("heat",)),
    )


def _electricity(community: Community, grown: dict[str, Grown], mine: set[str]) -> Balance | None:
    """Balance of the building; what it gave back to the grid it did not use."""
    taken = _balance(community, grown, mine, ("grid_import", "solar_generation"), ("electricity",))
    given = [_watts(meter, grown.get(meter.id)) for meter in community.meters_of("grid_export")]
    if taken is None or None in given:
        return None
    return taken._replace(taken_w=taken.taken_w - sum((one for one in given if one is not None), Decimal(0)))


def _balance(
    community: Community, grown: dict[str, Grown], mine: set[str], sources: tuple[str, ...], uses: tuple[str, ...]
) -> Balance | None:
    """Add up what was taken in and what the other meters counted; None where a source is not known."""
    found = [meter for meter in community.meters if meter.measures in sources]
    taken = [_watts(meter, grown.get(meter.id)) for meter in found]
    if not found or None in taken:
        return None
    others = [
        _watts(meter, grown.get(meter.id))
        for meter in community.meters
        if meter.measures in uses and meter.id not in mine
    ]
    span = max(grown[meter.id].end - grown[meter.id].start for meter in found)
    return Balance(
        sum((one for one in taken if one is not None), Decimal(0)),
        sum((one for one in others if one is not None), Decimal(0)),
        round(span / timedelta(minutes=1)),
    )


def _watts(meter: Meter, grown: Grown | None) -> Decimal | None:
    """Mean power of a meter of energy [W]."""
    if grown is None or meter.unit in ("m3", "kg", "units"):
        return None
    hours = Decimal(str((grown.end - grown.start).total_seconds())) / 3600
    return (reported(grown.last - grown.first, meter.unit) * 1000 / hours).quantize(Decimal(1))


def _peak(connection: Connection, community: Community, now: datetime) -> Decimal | None:
    """Highest mean power of an interval of all inverters [W], if about a year is known."""
    found = sunniest_interval(connection, community.community, now - _YEAR)
    if found is None or now - found[0] < _WHOLE_YEAR:
        return None
    return Decimal(found[1]) / 1000 / Decimal(community.interval / timedelta(hours=1))


def sun_at(location: Location, now: datetime) -> Sun:
    """Return where the sun stands and what a clear sky would give on a plane turned to it (Ineichen, by pvlib)."""
    import pandas as pd  # noqa: PLC0415 - heavy, and only needed for a roof
    import pvlib  # noqa: PLC0415 - see above

    place = (float(location.latitude), float(location.longitude))
    altitude = float(location.altitude_m)
    position = pvlib.solarposition.get_solarposition(pd.DatetimeIndex([now]), *place, altitude=altitude)
    zenith = position["apparent_zenith"].to_numpy()
    elevation = Decimal(str(round(90 - float(zenith[0]), 2)))
    if elevation <= 0:
        return Sun(elevation, Decimal(0))
    airmass = pvlib.atmosphere.get_relative_airmass(zenith)
    clear = pvlib.clearsky.ineichen(zenith, airmass, _LINKE_TURBIDITY, altitude=altitude)
    return Sun(elevation, Decimal(str(round(float((clear["dni"] + clear["dhi"])[0]) / _STANDARD_W_M2, 4))))
