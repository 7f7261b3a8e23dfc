"""When the sun is up, and how an ideal clear day would spread: the expected shape of what panels give.

pvlib reckons in binary floats; what leaves here is whole watts per square metre, so that a last digit that differs
between machines differs nowhere in a statement.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from core.community import Location
from core.time import from_microseconds


def clear_sky(location: Location, bounds: Sequence[int]) -> tuple[int, ...]:
    """Global irradiance under a clear sky in the middle of every interval.

    Parameters
    ----------
    location
        Of the building [degrees].
    bounds
        n + 1 interval boundaries [microseconds UTC].

    Returns
    -------
    tuple of int
        n values, 0 while the sun is down. [W/m2] Model: Haurwitz (1945), which needs the sun's height only; position
        after Reda and Andreas (NREL SPA); both as pvlib has them.
    """
    import pandas as pd  # noqa: PLC0415 - slow to load, and only a gap in the sun needs it
    import pvlib  # noqa: PLC0415 - as above

    middles = [(start + end) // 2 for start, end in pairwise(bounds)]
    times = pd.DatetimeIndex([from_microseconds(middle) for middle in middles])
    position = pvlib.solarposition.get_solarposition(
        times, float(location.latitude), float(location.longitude), altitude=float(location.altitude_m)
    )
    ghi = pvlib.clearsky.haurwitz(position["apparent_zenith"])["ghi"]
    return tuple(max(0, round(float(value))) for value in ghi)
