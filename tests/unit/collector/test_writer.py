"""The writer's promises: order, kept before acknowledged, patience, and one bad delivery harming no other."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from collector import drainer
from collector.delivery import Delivery
from collector.envelope import pack
from collector.spool import Spool
from collector.writer import Writer
from core.db.readings import Inserted
from core.errors import BadInput, Unavailable
from core.wire import Reading

NOW = datetime(2026, 1, 1, tzinfo=UTC)
ROOM = 1_000_000


class Book:
    """A place to store that keeps a diary; ``trouble`` is asked before every transaction."""

    def __init__(self) -> None:
        self.diary: list[str] = []
        self.trouble: Callable[[list[Delivery]], None] = lambda deliveries: None
        self.gone = threading.Event()

    def write(self, deliveries: list[Delivery], seconds: float) -> Inserted:
        self.gone.clear()
        self.trouble(deliveries)
        for delivery in deliveries:
            self.diary += [f"stored {reading.meter}" for reading in delivery.readings]
            self.diary += [f"letter {letter.reason}" for letter in delivery.dead_letters]
        return Inserted(len(deliveries), 0, 0)

    def cut(self) -> None:
        self.gone.set()

    def close(self) -> None:
        self.diary.append("closed")

    def delivery(self, name: str) -> Delivery:
        reading = Reading(name, NOW, Decimal(1))
        return Delivery(NOW, name, (reading,), acknowledge=lambda: self.diary.append(f"acknowledged {name}"))

    def hang(self, _: list[Delivery]) -> None:
        """Answer never, until the connection is cut."""
        assert self.gone.wait(10)
        raise Unavailable("The database did not answer.")


def away(_: list[Delivery]) -> None:
    raise Unavailable("The database is away.")


@pytest.fixture
def book() -> Book:
    return Book()


@pytest.fixture
def old() -> Book:
    """What the drainer writes to: the same database in life, another diary here."""
    return Book()


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    with closing(Spool(tmp_path / "spool", ROOM)) as spool:
        yield spool


def writer_of(book: Book, old: Book, spool: Spool, **options: float) -> Writer:
    return Writer(book, old, spool, lambda: NOW, **options)


def wait_for(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def acknowledged(*numbers: int) -> list[str]:
    return [f"acknowledged m{number}" for number in numbers]


def test_deliveries_are_stored_in_order_and_acknowledged_after_their_commit(book, old, spool):
    writer = writer_of(book, old, spool)
    for number in range(5):
        assert writer.put(book.delivery(f"m{number}"))
    writer.start()
    assert writer.stop(5)
    assert book.diary == [*(f"stored m{n}" for n in range(5)), *acknowledged(*range(5)), "closed"]
    assert old.diary == ["closed"]


def test_while_the_database_is_away_readings_go_to_disk_in_order_and_are_then_acknowledged(book, old, spool):
    book.trouble = old.trouble = away
    writer = writer_of(book, old, spool)
    writer.start()
    for number in range(5):
        writer.put(book.delivery(f"m{number}"))
        wait_for(lambda number=number: f"acknowledged m{number}" in book.diary)
        assert spool.waiting == number + 1
    assert not writer.database_answers
    assert writer.stop(5)
    assert book.diary == [*acknowledged(*range(5)), "closed"]
    assert [delivery.source for delivery in spool.oldest(10).deliveries] == [f"m{n}" for n in range(5)]


def test_what_was_spooled_is_stored_in_order_when_the_database_is_back_and_live_readings_go_straight(book, old, spool):
    book.trouble = old.trouble = away
    writer = writer_of(book, old, spool)
    writer.start()
    for number in range(5):
        writer.put(book.delivery(f"m{number}"))
    wait_for(lambda: spool.waiting == 5)
    book.trouble = old.trouble = lambda _: None
    wait_for(lambda: spool.waiting == 0)
    writer.put(book.delivery("m5"))
    wait_for(lambda: "acknowledged m5" in book.diary)
    assert writer.stop(5)
    assert old.diary == [*(f"stored m{n}" for n in range(5)), "closed"]
    assert [line for line in book.diary if line.startswith("stored")] == ["stored m5"]


def test_old_and_live_readings_both_get_on_while_there_are_plenty_of_both(book, old, spool):
    spool.append([book.delivery(f"old {number}") for number in range(3000)])
    writer = writer_of(book, old, spool)
    writer.start()
    number = 0
    while spool.waiting:
        assert writer.put(book.delivery(f"m{number}"))
        number += 1
    assert writer.stop(10)
    assert [line for line in old.diary if line.startswith("stored")] == [f"stored old {n}" for n in range(3000)]
    assert [line for line in book.diary if line.startswith("ack")] == acknowledged(*range(number))


def test_what_an_earlier_run_left_is_stored_without_anything_new_coming(book, old, spool):
    spool.append([book.delivery("m0")])
    writer = writer_of(book, old, spool)
    writer.start()
    wait_for(lambda: spool.waiting == 0)
    assert writer.stop(5)
    assert old.diary == ["stored m0", "closed"]


def test_a_fault_of_ours_does_not_end_the_writing_and_costs_no_reading(book, old, spool):
    faults = iter([True])

    def break_once(_: list[Delivery]) -> None:
        if next(faults, False):
            raise KeyError("something nobody thought of")

    book.trouble = break_once
    writer = writer_of(book, old, spool)
    writer.put(book.delivery("m0"))
    writer.start()
    wait_for(lambda: "stored m0" in old.diary)
    writer.put(book.delivery("m1"))
    wait_for(lambda: "stored m1" in book.diary)
    assert writer.stop(5)
    assert [line for line in book.diary if line.startswith("ack")] == acknowledged(0, 1)


def test_a_delivery_nothing_can_be_done_with_does_not_hold_up_those_behind_it(book, old, spool, monkeypatch):
    monkeypatch.setattr(drainer, "_LONGEST_PAUSE", 0.01)

    def refuse(deliveries: list[Delivery]) -> None:
        if any(reading.meter == "m1" for delivery in deliveries for reading in delivery.readings):
            raise KeyError("m1")

    book.trouble = old.trouble = refuse
    writer = writer_of(book, old, spool)
    for number in range(3):
        writer.put(book.delivery(f"m{number}"))
    writer.start()
    wait_for(lambda: "stored m2" in old.diary)
    assert writer.stop(5)
    assert "letter 'm1'" in old.diary
    assert "stored m0" in old.diary


def test_an_acknowledgement_that_fails_does_not_end_the_writing(book, old, spool):
    def broken() -> None:
        raise OSError("the broker has gone")

    writer = writer_of(book, old, spool)
    writer.put(Delivery(NOW, "m", acknowledge=broken))
    writer.put(book.delivery("m1"))
    writer.start()
    assert writer.stop(5)
    assert acknowledged(1)[0] in book.diary


def test_a_delivery_the_database_cannot_hold_becomes_a_dead_letter_and_the_others_are_stored(book, old, spool):
    def refuse(deliveries: list[Delivery]) -> None:
        if any(reading.meter == "m2" for delivery in deliveries for reading in delivery.readings):
            raise BadInput("The database cannot hold this.")

    book.trouble = refuse
    writer = writer_of(book, old, spool)
    for number in range(4):
        writer.put(book.delivery(f"m{number}"))
    writer.start()
    assert writer.stop(5)
    assert [line for line in book.diary if line.startswith("stored")] == ["stored m0", "stored m1", "stored m3"]
    assert "letter The database cannot hold this." in book.diary
    assert [line for line in book.diary if line.startswith("ack")] == acknowledged(*range(4))


def test_who_cannot_wait_is_told_and_who_can_waits(book, old, spool):
    writer = writer_of(book, old, spool, bound=3)
    for number in range(3):
        assert writer.offer(book.delivery(f"m{number}"))
    assert not writer.offer(book.delivery("too late"))
    patient = threading.Thread(target=lambda: writer.put(book.delivery("patient")))
    patient.start()
    writer.start()
    patient.join(10)
    assert not patient.is_alive()
    assert writer.stop(5)
    assert "stored patient" in book.diary
    assert "stored too late" not in book.diary


def test_when_the_spool_is_full_too_nothing_is_acknowledged_until_there_is_room_again(book, old, tmp_path):
    book.trouble = old.trouble = away
    with closing(Spool(tmp_path / "small", len(pack([book.delivery("m0")], b"mark")))) as spool:
        writer = writer_of(book, old, spool, bound=2)
        writer.start()
        writer.put(book.delivery("m0"))
        wait_for(lambda: spool.waiting == 1)
        writer.put(book.delivery("m1"))
        wait_for(lambda: writer._full)
        assert [writer.offer(book.delivery(f"m{number}")) for number in (2, 3, 4)] == [True, True, False]
        assert book.diary == acknowledged(0)
        book.trouble = old.trouble = lambda _: None
        wait_for(lambda: "acknowledged m3" in book.diary)
        assert writer.stop(5)
    assert [line for line in book.diary if line.startswith("ack")] == acknowledged(0, 1, 2, 3)
    assert "stored m0" in old.diary


def test_a_stop_while_the_database_is_away_leaves_the_readings_on_disk(book, old, spool):
    book.trouble = old.trouble = away
    writer = writer_of(book, old, spool)
    writer.put(book.delivery("m0"))
    writer.start()
    assert writer.stop(5)
    assert book.diary == [*acknowledged(0), "closed"]
    assert spool.waiting == 1
    assert not writer.put(book.delivery("later"))


def test_a_stop_while_the_database_hangs_puts_what_is_in_hand_on_disk(book, old, spool):
    book.trouble = book.hang
    writer = writer_of(book, old, spool, patience=60)
    writer.put(book.delivery("m0"))
    writer.start()
    wait_for(lambda: not len(writer._inbox))
    writer.put(book.delivery("m1"))
    assert writer.stop(1)
    assert book.diary == [*acknowledged(0, 1), "closed"]


def test_a_stop_while_neither_takes_anything_leaves_the_readings_unacknowledged(book, old, tmp_path):
    book.trouble = old.trouble = away
    with closing(Spool(tmp_path / "none", 10)) as spool:
        writer = writer_of(book, old, spool)
        writer.put(book.delivery("m0"))
        writer.start()
        assert not writer.stop(5)
    assert book.diary == ["closed"]


def test_memory_holds_no_more_than_the_inbox_and_a_batch_however_long_the_database_is_away(book, old, spool):
    book.trouble = old.trouble = away
    writer = writer_of(book, old, spool, bound=50)
    writer.start()
    for number in range(2000):
        assert writer.put(book.delivery(f"m{number}"))
        assert len(writer._inbox) <= 50
    assert writer.stop(5)
    assert spool.waiting == 2000
