"""The gap report against readings of which some were taken away."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.db.connection import Connection, connect
from core.db.gaps import Gap, gaps
from core.db.readings import insert_readings

START = datetime(2026, 3, 1, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
NUMBERS = 40


def store(connection: Connection, meter: str, seconds: list[float]) -> None:
    rows = [(meter, START + timedelta(seconds=at), Decimal(1)) for at in seconds]
    insert_readings(connection, "ster", rows, "tests")


def report(connection: Connection, meter: str, minutes: int = NUMBERS) -> list[Gap]:
    return gaps(connection, "ster", meter, MINUTE, START, START + minutes * MINUTE)


def at(minutes: float) -> datetime:
    return START + minutes * MINUTE


def test_a_gap_names_its_neighbours_and_how_many_readings_belong_between(database_url):
    with connect(database_url) as connection:
        store(connection, "m", [60 * number for number in range(NUMBERS) if number not in (0, 7, 8, 20, 38, 39)])
        store(connection, "other", [60 * 7])
        assert report(connection, "m") == [
            Gap(at(0), at(1), 1),
            Gap(at(6), at(9), 2),
            Gap(at(19), at(21), 1),
            Gap(at(37), at(40), 2),
        ]


def test_a_meter_never_heard_is_one_gap(database_url):
    with connect(database_url) as connection:
        assert report(connection, "m") == [Gap(at(0), at(NUMBERS), NUMBERS)]


def test_readings_that_come_a_little_early_or_late_are_no_gap(database_url):
    with connect(database_url) as connection:
        store(connection, "m", [60 * number + (29.9 if number % 3 else 0) for number in range(NUMBERS)])
        assert report(connection, "m") == []


@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sets(st.integers(0, NUMBERS - 1)))
def test_what_is_taken_away_is_what_is_reported(database_url, missing):
    with connect(database_url) as connection, connection.transaction(force_rollback=True):
        store(connection, "m", [60 * number for number in range(NUMBERS) if number not in missing])
        found = report(connection, "m")
    assert sum(gap.missing for gap in found) == len(missing)
    inside = {n for n in range(NUMBERS) for gap in found if gap.after <= at(n) < gap.before} - {
        n for n in range(NUMBERS) for gap in found if gap.after == at(n) and n not in missing
    }
    assert inside == missing
