"""The one way raw readings get in, against a dictionary that does the same by hand."""

from __future__ import annotations

import random
import threading
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from core.db.connection import Connection, connect
from core.db.readings import Inserted, Row, insert_copy_lines, insert_readings

START = datetime(2026, 1, 1, tzinfo=UTC)


def row(meter: str, minute: int, value: int) -> Row:
    return meter, START + timedelta(minutes=minute), Decimal(value)


def stored(connection: Connection) -> tuple[dict[tuple[str, datetime], Decimal], set[Row]]:
    known = connection.execute("SELECT meter, time, value FROM reading WHERE community = 'c'").fetchall()
    aside = connection.execute("SELECT meter, time, value FROM reading_conflict WHERE community = 'c'").fetchall()
    return {(meter, time): value for meter, time, value in known}, {
        (meter, time, value) for meter, time, value in aside
    }


class ByHand:
    """The first value of a meter and time stays; another one is set aside."""

    def __init__(self) -> None:
        self.known: dict[tuple[str, datetime], Decimal] = {}
        self.aside: set[Row] = set()

    def insert(self, rows: Sequence[Row]) -> Inserted:
        new = conflicting = 0
        for one in rows:
            meter, time, value = one
            if (meter, time) not in self.known:
                self.known[meter, time] = value
                new += 1
            elif self.known[meter, time] != value and one not in self.aside:
                self.aside.add(one)
                conflicting += 1
        return Inserted(new, len(rows) - new - conflicting, conflicting)


@pytest.mark.parametrize("seed", range(4))
def test_batches_of_all_sorts_leave_what_a_dictionary_would(database_url: str, seed: int) -> None:
    chance = random.Random(seed)
    by_hand = ByHand()
    with connect(database_url) as connection:
        for number in range(25):
            # Late, early, twice in one batch, twice with another value: minutes and values overlap on purpose.
            newest = 10 * number
            rows = [
                row(f"m-{chance.randrange(3)}", chance.randint(max(0, newest - 30), newest + 10), chance.randrange(3))
                for _ in range(chance.randint(1, 40))
            ]
            first = {(meter, time): (meter, time, value) for meter, time, value in reversed(rows)}
            if number % 3 == 0:  # each meter and time once, in their order: what devices usually send
                rows = sorted(first.values(), key=lambda one: one[1])
            with connection.transaction():
                inserted = insert_readings(connection, "c", rows, "test")
            assert inserted == by_hand.insert(rows), (seed, number)
        assert stored(connection) == (by_hand.known, by_hand.aside)


def test_a_batch_that_names_one_reading_twice_keeps_the_first(database_url: str) -> None:
    with connect(database_url) as connection, connection.transaction():
        rows = [row("m", 0, 1), row("m", 0, 1), row("m", 0, 2), row("m", 1, 5)]
        assert insert_readings(connection, "c", rows, "test") == Inserted(2, 1, 1)
        assert stored(connection) == ({("m", START): 1, ("m", START + timedelta(minutes=1)): 5}, {row("m", 0, 2)})


def test_another_communitys_newest_reading_says_nothing(database_url: str) -> None:
    with connect(database_url) as connection, connection.transaction():
        insert_readings(connection, "elsewhere", [row("m", 500, 9)], "test")
        assert insert_readings(connection, "c", [row("m", 0, 1)], "test") == Inserted(1, 0, 0)
        assert insert_readings(connection, "c", [row("m", 0, 1)], "test") == Inserted(0, 1, 0)


@pytest.mark.parametrize("value", [7, 8])
def test_who_comes_second_with_the_same_new_reading_finds_it_known(database_url: str, value: int) -> None:
    found: list[Inserted] = []
    with connect(database_url) as first, connect(database_url) as second:

        def late() -> None:
            with second.transaction():
                found.append(insert_readings(second, "c", [row("m", 1, value), row("m", 2, 3)], "late"))

        with first.transaction():
            insert_readings(first, "c", [row("m", 1, 7)], "test")
            thread = threading.Thread(target=late)
            thread.start()
            thread.join(0.3)
            assert thread.is_alive()  # it waits to see whether the first is stored
        thread.join(20)
        assert found == [Inserted(1, 1, 0) if value == 7 else Inserted(1, 0, 1)]
        assert len(stored(first)[0]) == 2


def test_lines_of_text_count_as_rows_do(database_url: str) -> None:
    with connect(database_url) as connection, connection.transaction():
        lines = [f"m\t{START.isoformat()}\t{value}\n" for value in (1, 1, 2)]
        assert insert_copy_lines(connection, "c", lines, "test") == Inserted(1, 1, 1)
        assert insert_copy_lines(connection, "c", lines, "test") == Inserted(0, 3, 0)
