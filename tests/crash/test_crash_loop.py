"""The promise: what is acknowledged to its sender is stored exactly once, whatever is killed meanwhile."""

from __future__ import annotations

import time
from collections import Counter

import pytest

from tests.crash.faults import KILLS, strike, strikes
from tests.crash.rig import Rig


def survive(rig: Rig, seed: int, kills: int, rate: float, part: int = 0) -> None:
    """Publish at a rate while so many processes are killed; then nothing may be missing, and nothing too much."""
    rig.tell(f"CRASH_SEED={seed}, {kills} kills at {rate} messages/s")
    begun = time.monotonic()
    rig.collect()
    rig.start_publisher(seed, rate)
    done: Counter[str] = Counter()
    plan = strikes(seed, part)
    while sum(done[kind] for kind in KILLS) < kills:
        strike(rig, next(plan), done)
    rig.mend()
    rig.finish_publisher()
    struck = time.monotonic()
    rig.settle()
    rig.verify()
    account = rig.account
    faults = ", ".join(f"{count} {kind}" for kind, count in sorted(done.items()))
    rig.tell(
        f"{sum(done[kind] for kind in KILLS)} kills ({faults}); {account.messages} messages, {account.duplicates} of"
        f" them sent twice, {len(account.acknowledged)} readings, all there once; {rig.restarts} times the collector"
        f" gave up; {struck - begun:.0f} s of trouble, {time.monotonic() - struck:.0f} s until all was stored"
    )
    print("\n".join(rig.story[-1:]))


def test_a_dozen_kills_lose_nothing_and_double_nothing(rig: Rig, seed: int):
    survive(rig, seed, kills=12, rate=500)


@pytest.mark.long
@pytest.mark.parametrize("part", range(8))
def test_two_hundred_kills_in_eight_parts_lose_nothing_and_double_nothing(rig: Rig, seed: int, part: int):
    survive(rig, seed, kills=25, rate=800, part=part)
