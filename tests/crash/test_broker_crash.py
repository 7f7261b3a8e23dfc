"""The broker itself is killed: what is lost then is bounded by its settings, and the gap report names it exactly."""

from __future__ import annotations

import random
from datetime import timedelta

import pytest

from core.db.connection import connect
from core.db.gaps import gaps
from tests.crash.account import Key, in_stretches
from tests.crash.publisher import COMMUNITY, METERS, START, meter_id, time_of
from tests.crash.rig import Rig

SECOND = timedelta(seconds=1)
SAVED_EVERY = 100
"""Changes after which the broker saves its queue, by deploy/broker/mosquitto.conf."""


def reported(rig: Rig) -> set[Key]:
    """Return the numbers that are missing by the gap report, which knows the database alone."""
    account = rig.account
    found: set[Key] = set()
    with connect(rig.database_url) as connection:
        for meter in range(METERS):
            end = time_of(1 + max(number for one, number in account.sent if one == meter))
            for gap in gaps(connection, COMMUNITY, meter_id(meter), SECOND, START, end):
                first = (gap.after - START) // SECOND + (gap.after > START)
                found |= {(meter, number) for number in range(first, first + gap.missing)}
    return found


def survive(rig: Rig, seed: int, kills: int) -> None:
    dice = random.Random(seed)
    rig.tell(f"CRASH_SEED={seed}, the broker is killed {kills} times")
    rig.collect()
    rig.start_publisher(seed, 300)
    for number in range(kills):
        rig.wait(dice.uniform(0.5, 2.5))
        if number % 4 < 3:  # a broker loses only what it holds: let it hold something
            rig.kill_collector()
            rig.wait(dice.uniform(0.3, 1.5))
        rig.broker.kill()
        rig.tell("broker killed")
        rig.wait(dice.uniform(0.0, 1.0))
        rig.broker.start()
        rig.mend()
    rig.finish_publisher()
    rig.settle()
    account = rig.account
    audit = account.audit(rig.rows())
    lost = set(audit.missing)
    rig.tell(f"{kills} kills lost {len(lost)} of {len(account.acknowledged)} acknowledged readings")
    for meter in range(METERS):
        rig.tell(f"lost of meter {meter}: {in_stretches(sorted(number for one, number in lost if one == meter))}")
    print("\n".join(rig.story))
    assert lost, "nothing was lost, so nothing is shown"
    assert reported(rig) == lost
    rig.verify(lost)
    assert account.messages_of(lost) <= SAVED_EVERY * kills


def test_what_a_killed_broker_loses_is_what_the_gap_report_names(rig: Rig, seed: int):
    survive(rig, seed, kills=4)


@pytest.mark.long
def test_what_forty_killed_brokers_lose_is_what_the_gap_report_names(rig: Rig, seed: int):
    survive(rig, seed, kills=40)


@pytest.mark.long
def test_a_broker_that_is_restarted_in_order_loses_nothing(rig: Rig, seed: int):
    rig.collect()
    rig.start_publisher(seed, 300)
    for _ in range(3):
        rig.wait(1.5)
        rig.broker.stop()
        rig.wait(0.5)
        rig.broker.start()
    rig.finish_publisher()
    rig.settle()
    rig.verify()
    assert reported(rig) == set()
