"""The inbox: bounded, in order, in batches that one transaction can hold."""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from decimal import Decimal

from collector.delivery import Delivery
from collector.inbox import Inbox
from core.wire import Reading

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def delivery(number: int, readings: int = 1) -> Delivery:
    return Delivery(NOW, str(number), (Reading("m", NOW, Decimal(number)),) * readings)


def taken(inbox: Inbox, most: int = 1000) -> list[str]:
    return [found.source for found in inbox.take(most, 0)]


def test_what_goes_in_comes_out_in_order_and_no_more_than_asked():
    inbox = Inbox(10)
    for number in range(5):
        assert inbox.put(delivery(number), 0)
    assert taken(inbox, 3) == ["0", "1", "2"]
    assert taken(inbox) == ["3", "4"]


def test_a_full_inbox_takes_nothing_and_takes_again_when_there_is_room():
    inbox = Inbox(2)
    assert [inbox.put(delivery(number), 0) for number in range(3)] == [True, True, False]
    waiting = threading.Thread(target=lambda: inbox.put(delivery(3), 10))
    waiting.start()
    assert taken(inbox, 2) == ["0", "1"]
    waiting.join(10)
    assert taken(inbox) == ["3"]


def test_messages_full_of_readings_come_in_smaller_batches():
    inbox = Inbox(1000)
    for number in range(10):
        inbox.put(delivery(number, 8000), 0)
    assert [len(taken(inbox)) for _ in range(4)] == [3, 3, 3, 1]


def test_a_closed_inbox_takes_nothing_in_gives_out_the_rest_and_then_ends():
    inbox = Inbox(10)
    inbox.put(delivery(0), 0)
    inbox.close()
    assert not inbox.put(delivery(1), 10)
    assert taken(inbox) == ["0"]
    assert taken(inbox) == []


def test_who_waits_for_something_is_told_that_nothing_will_come():
    inbox = Inbox(10)
    found: list[list[Delivery]] = []
    waiting = threading.Thread(target=lambda: found.append(inbox.take(10, 0)))
    waiting.start()
    inbox.close()
    waiting.join(10)
    assert found == [[]]
