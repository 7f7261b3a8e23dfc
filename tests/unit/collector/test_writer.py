"""The writer's promises: order, commit before acknowledgement, patience, and one bad delivery harming no other."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from collector.delivery import Delivery
from collector.writer import Writer
from core.db.readings import Inserted
from core.errors import BadInput, Unavailable
from core.wire import Reading

NOW = datetime(2026, 1, 1, tzinfo=UTC)


class Book:
    """A place to store that keeps a diary; ``trouble`` is asked before every transaction."""

    def __init__(self) -> None:
        self.diary: list[str] = []
        self.trouble: Callable[[list[Delivery]], None] = lambda deliveries: None

    def write(self, deliveries: list[Delivery]) -> Inserted:
        self.trouble(deliveries)
        for delivery in deliveries:
            self.diary += [f"stored {reading.meter}" for reading in delivery.readings]
            self.diary += [f"letter {letter.reason}" for letter in delivery.dead_letters]
        return Inserted(len(deliveries), 0, 0)

    def close(self) -> None:
        self.diary.append("closed")

    def delivery(self, name: str) -> Delivery:
        reading = Reading(name, NOW, Decimal(1))
        return Delivery(NOW, name, (reading,), acknowledge=lambda: self.diary.append(f"acknowledged {name}"))


@pytest.fixture
def book() -> Book:
    return Book()


def wait_for(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_deliveries_are_stored_in_order_and_acknowledged_after_their_commit(book: Book) -> None:
    writer = Writer(book, lambda: NOW)
    for number in range(5):
        assert writer.put(book.delivery(f"m{number}"))
    writer.start()
    assert writer.stop(5)
    names = [f"m{number}" for number in range(5)]
    assert book.diary == [*(f"stored {n}" for n in names), *(f"acknowledged {n}" for n in names), "closed"]


def test_nothing_is_acknowledged_while_the_database_is_away_and_everything_when_it_is_back(book: Book) -> None:
    failures = iter([True, True, False])

    def away(_: list[Delivery]) -> None:
        if next(failures, False):
            book.diary.append("away")
            raise Unavailable("The database is away.")

    book.trouble = away
    writer = Writer(book, lambda: NOW)
    writer.put(book.delivery("m"))
    writer.start()
    wait_for(lambda: "acknowledged m" in book.diary)
    assert writer.stop(5)
    assert book.diary == ["away", "away", "stored m", "acknowledged m", "closed"]


def test_a_fault_of_ours_does_not_end_the_writing(book: Book) -> None:
    faults = iter([True])

    def break_once(_: list[Delivery]) -> None:
        if next(faults, False):
            raise KeyError("something nobody thought of")

    book.trouble = break_once
    writer = Writer(book, lambda: NOW)
    writer.put(book.delivery("m"))
    writer.start()
    wait_for(lambda: "acknowledged m" in book.diary)
    assert writer.stop(5)


def test_a_delivery_the_database_cannot_hold_becomes_a_dead_letter_and_the_others_are_stored(book: Book) -> None:
    def refuse(deliveries: list[Delivery]) -> None:
        if any(reading.meter == "m2" for delivery in deliveries for reading in delivery.readings):
            raise BadInput("The database cannot hold this.")

    book.trouble = refuse
    writer = Writer(book, lambda: NOW)
    for number in range(4):
        writer.put(book.delivery(f"m{number}"))
    writer.start()
    assert writer.stop(5)
    assert [line for line in book.diary if line.startswith("stored")] == ["stored m0", "stored m1", "stored m3"]
    assert "letter The database cannot hold this." in book.diary
    assert [line for line in book.diary if line.startswith("ack")] == [f"acknowledged m{number}" for number in range(4)]


def test_who_cannot_wait_is_told_and_who_can_waits(book: Book) -> None:
    free = threading.Event()

    def busy(_: list[Delivery]) -> None:
        assert free.wait(10)

    book.trouble = busy
    writer = Writer(book, lambda: NOW, bound=3)
    for number in range(3):
        assert writer.offer(book.delivery(f"m{number}"))
    assert not writer.offer(book.delivery("too late"))
    patient = threading.Thread(target=lambda: writer.put(book.delivery("patient")))
    patient.start()
    writer.start()
    free.set()
    patient.join(10)
    assert not patient.is_alive()
    assert writer.stop(5)
    assert "stored patient" in book.diary
    assert "stored too late" not in book.diary


def test_a_stop_while_the_database_is_away_leaves_the_readings_unacknowledged(book: Book) -> None:
    def away(_: list[Delivery]) -> None:
        raise Unavailable("The database is away.")

    book.trouble = away
    writer = Writer(book, lambda: NOW)
    writer.put(book.delivery("m"))
    writer.start()
    time.sleep(0.3)
    assert not writer.stop(5)
    assert book.diary == ["closed"]
    assert not writer.put(book.delivery("later"))
