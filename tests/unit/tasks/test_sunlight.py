"""The sun's height, against the library that astronomers of solar panels use."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pandas as pd
import pytest
from pvlib.solarposition import get_solarposition

from settlement.watch.sunlight import elevation, is_day
from tests.support.watchtown import parsed


@pytest.mark.parametrize("place", [(52.1, 5.1), (-33.9, 18.4), (69.6, 18.9), (0.0, -78.5)])
def test_the_sun_stands_where_the_library_says(place: tuple[float, float]) -> None:
    times = [datetime(2026, 1, 1, tzinfo=UTC) + timedelta(hours=7 * step) for step in range(1250)]
    expected = get_solarposition(pd.DatetimeIndex(times), *place)["elevation"]
    found = [elevation(*place, time) for time in times]
    assert max(abs(one - other) for one, other in zip(found, expected, strict=True)) < 0.1


def test_by_day_the_sun_is_up_and_where_no_place_is_given_the_clock_decides() -> None:
    here = parsed()
    nowhere = here.model_copy(update={"location": None})
    noon, evening, winter = (datetime(2026, 6, 21, 11, tzinfo=UTC), datetime(2026, 6, 21, 17, 30, tzinfo=UTC),
                             datetime(2026, 12, 21, 15, tzinfo=UTC))  # fmt: skip
    assert [is_day(here, moment) for moment in (noon, evening, winter)] == [True, True, False]
    assert [is_day(nowhere, moment) for moment in (noon, evening, winter)] == [True, False, False]
