"""Faults at the worst moment, each by itself: in the middle of a COPY, between commit and acknowledgement."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from tests.crash.account import Row
from tests.crash.publisher import Span, meter_id, payload, time_of, value_of
from tests.crash.rig import Rig

MESSAGES, EACH = 30, 200
_MIDDLE = 150_000  # [B] of the 250 kB that so many readings take on their way to the database


@pytest.fixture
def collecting(rig: Rig) -> Rig:
    rig.start_collector()
    rig.wait_collecting()
    return rig


def publish(rig: Rig, meter: int, messages: int = MESSAGES, each: int = EACH) -> list[Row]:
    """Publish arrays for a meter and return the rows they must become."""
    rig.publish(meter_id(meter), *(payload(Span(meter, each * number, each)) for number in range(messages)))
    return [(meter_id(meter), time_of(number), value_of(meter, number)) for number in range(messages * each)]


def stored_once(rig: Rig, expected: list[Row]) -> None:
    rig.settle()
    assert sorted(rig.rows()) == sorted(expected)
    assert rig.query("SELECT source, reason FROM dead_letter LIMIT 5") == []
    assert rig.query("SELECT * FROM reading_conflict LIMIT 5") == []


def test_whatever_happens_to_the_database_in_the_middle_of_a_copy_nothing_is_lost_or_doubled(
    collecting: Rig, seed: int
):
    rig, network, dice = collecting, collecting.to_database, random.Random(seed)
    ways: list[tuple[Callable[[], None], Callable[[], None]]] = [
        (network.cut, network.hear),
        (network.stop, network.start),
        (network.deaf, network.hear),
        (network.deaf, network.cut),
        (network.mute, network.cut),  # it is committed, and the collector never hears of it
        (network.deaf, lambda: rig.until(rig.kill_backend, "the backend is killed")),
    ]
    expected: list[Row] = []
    for meter, (begin, end) in enumerate(ways):
        network.after(dice.randrange(1, _MIDDLE), begin)
        expected += publish(rig, meter)
        rig.until(lambda: not network.armed, "the middle is reached")
        rig.wait(dice.uniform(0, 1))
        end()
        network.hear()
    stored_once(rig, expected)


def test_a_collector_killed_while_the_database_is_deaf_in_the_middle_of_a_copy_loses_nothing(
    collecting: Rig, seed: int
):
    rig, network = collecting, collecting.to_database
    network.after(random.Random(seed).randrange(1, _MIDDLE), network.deaf)
    expected = publish(rig, 0)
    rig.until(lambda: not network.armed, "the middle is reached")
    rig.wait(0.5)
    rig.kill_collector()
    network.cut()
    network.hear()
    rig.start_collector()
    stored_once(rig, expected)


def test_what_was_committed_and_never_acknowledged_comes_again_and_is_not_doubled(collecting: Rig):
    rig = collecting
    rig.to_broker.gag()
    expected = publish(rig, 0, each=1)
    rig.until(lambda: len(rig.rows()) == len(expected), "all is stored")
    rig.kill_collector()
    rig.to_broker.cut()
    rig.to_broker.hear()
    rig.start_collector()
    stored_once(rig, expected)
    duplicates = rig.metric("wijkenergie_readings_total", outcome="duplicate")
    assert duplicates >= len(expected), "the broker sent nothing again, so nothing is shown"
