"""Readings that arrive days later, through a real database: the month is then what it would have been."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from core.community import Community
from core.db import config
from core.db.connection import Connection, connect
from core.db.readings import insert_readings
from core.time import from_microseconds
from settlement import run
from tests.damage.damages import DAY, Rows
from tests.damage.subjects import NOVEMBER, Subject, homes
from tests.damage.trial import begins

NOW = datetime(2016, 12, 5, tzinfo=UTC)


@pytest.fixture(scope="module")
def home(shared_data: Path) -> Subject:
    return next(homes(shared_data, [(6, NOVEMBER)]))


def put(connection: Connection, community: Community, rows: dict[str, Rows]) -> None:
    readings = [(meter, from_microseconds(time), value) for meter, some in rows.items() for time, value in some]
    with connection.transaction():
        insert_readings(connection, community.community, readings, "test")


def settled(connection: Connection, subject: Subject, community: Community, after: timedelta) -> run.Run:
    connection.commit()
    return run.settle(connection, community.community, subject.month, NOW + after)


def test_a_batch_that_comes_days_later_closes_the_gap_it_left(home: Subject, database_url: str) -> None:
    known = {name: list(zip(one.times, one.values, strict=True)) for name, one in home.before("linear").items()}
    start = begins(home)
    batch = [row for row in known[home.meter] if start < row[0] < start + 3 * DAY]
    on_time = known | {home.meter: [row for row in known[home.meter] if row not in set(batch)]}
    file = home.community("linear")
    with connect(database_url) as connection:
        with connection.transaction():
            config.apply(connection, file, NOW, "test")
        put(connection, file.community, on_time)
        early = settled(connection, home, file.community, timedelta(0))
        put(connection, file.community, {home.meter: batch[::-1]})
        late = settled(connection, home, file.community, timedelta(days=1))
        put(connection, file.community, {home.meter: batch})
        again = settled(connection, home, file.community, timedelta(days=2))
    gap, whole = (one.settled.energy.series[home.meter] for one in (early, late))
    assert (gap.quality.count("estimated"), set(whole.quality)) == (72, {"measured"})
    assert gap.known() == whole.known()
    assert late.changed
    assert not again.changed
    assert again.document == late.document
