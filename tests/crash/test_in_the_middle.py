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


def publish(rig: Rig, meter: int, messages: int = MESSAGES, each: int = EACH) -> list[Row]:
    """Publish arrays for a meter and return the rows they must become."""
    rig.publish(meter_id(meter), *(payload(Span(meter, each * number, each)) for number in range(messages)))
    return [(meter_id(meter), time_of(number), value_of(meter, number)) for number in range(messages * each)]


def stored_once(rig: Rig, expected: list[Row]) -> None:
    rig.settle()
    assert sorted(rig.rows()) == sorted(expected)
    rig.verify_quiet()


def test_whatever_happens_to_the_database_in_the_middle_of_a_copy_nothing_is_lost_or_doubled(rig: Rig, seed: int):
    rig.collect()
    network, dice = rig.to_database, random.Random(seed)
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


def test_a_collector_killed_while_the_database_is_deaf_in_the_middle_of_a_copy_loses_nothing(rig: Rig, seed: int):
    rig.collect()
    network = rig.to_database
    network.after(random.Random(seed).randrange(1, _MIDDLE), network.deaf)
    expected = publish(rig, 0)
    rig.until(lambda: not network.armed, "the middle is reached")
    rig.wait(0.5)
    rig.kill_collector()
    network.cut()
    network.hear()
    rig.start_collector()
    stored_once(rig, expected)


def test_what_was_committed_and_never_acknowledged_comes_again_and_is_not_doubled(rig: Rig):
    rig.collect()
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


@pytest.mark.long
def test_a_collector_killed_again_and_again_while_it_empties_its_spool_doubles_nothing(rig: Rig, seed: int):
    rig.collect()
    dice = random.Random(seed)
    rig.to_database.stop()
    expected = publish(rig, 0, messages=4000, each=1)
    rig.until(lambda: rig.spooled, "the spool is used")
    stored = len(rig.rows())
    for _ in range(3):
        rig.kill_collector()
        rig.mend()
        rig.until(lambda so_far=stored: len(rig.rows()) > so_far or not rig.spooled, "the spool is emptied")
        rig.to_database.after(dice.randrange(1, 20_000), rig.to_database.stop)
        rig.wait(dice.uniform(0, 0.2))
        stored = len(rig.rows())
    rig.kill_collector()
    rig.mend()
    stored_once(rig, expected)


@pytest.mark.long
@pytest.mark.parametrize("side", ["database", "broker"])
def test_a_minute_of_silence_is_survived_without_anybody_cutting_the_connection(rig: Rig, side: str):
    rig.collect()
    network = rig.to_database if side == "database" else rig.to_broker
    network.deaf()
    expected = publish(rig, 0)
    rig.wait(70)  # longer than the keep-alive of MQTT, its grace, and every patience with the database
    network.hear()
    stored_once(rig, expected)
