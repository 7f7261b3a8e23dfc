"""What is done to the collector and its neighbours, drawn from a seed."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator
from typing import NamedTuple

from collector.writer import PATIENCE_SECONDS
from tests.crash.rig import Rig

_IN_THE_MIDDLE = "database cut in the middle"
KILLS = ("collector killed", "backend killed", "backend terminated")
"""Processes that end."""
BREAKS = (
    "database cut",
    _IN_THE_MIDDLE,
    "database gone",
    "database deaf",
    "database mute",
    "broker cut",
    "broker gone",
    "broker deaf",
    "broker mute",
)
"""What happens to the networks on both sides of the collector."""
_LONGER = (PATIENCE_SECONDS + 0.5, PATIENCE_SECONDS + 3)  # [s] until the collector has given up a silent database
_MIDDLE = 40_000  # [B] a batch at some hundred readings a second is about this long


class Strike(NamedTuple):
    """After a pause, some faults at once, which last a while; then a cut may follow for what was held back."""

    pause: float
    faults: tuple[str, ...]
    lasts: float
    middle: int
    cut: bool


def strikes(seed: int, part: int = 0) -> Iterator[Strike]:
    """Draw strikes without end; the same seed gives the same ones, other ones in every part of a long run."""
    dice = random.Random(f"{seed} {part}")
    while True:
        kind = dice.random()
        if kind < 0.55:
            faults = [dice.choice(KILLS)]
        elif kind < 0.75:
            faults = [dice.choice(BREAKS)]
        else:
            faults = [dice.choice(KILLS), *dice.sample(BREAKS, dice.randint(1, 2))]
            dice.shuffle(faults)
        silent = "database deaf" in faults or "database mute" in faults
        lasts = dice.uniform(*_LONGER) if silent and dice.random() < 1 / 3 else dice.uniform(0.0, 2.0)
        yield Strike(dice.uniform(0.2, 2.5), tuple(faults), lasts, dice.randrange(_MIDDLE), dice.random() < 0.5)


def strike(rig: Rig, what: Strike, done: Counter[str]) -> None:
    """Do it, undo it, and count what was really hit."""
    rig.wait(what.pause)
    hit = [fault for fault in what.faults if _begin(rig, fault, what.middle)]
    rig.wait(what.lasts)
    if rig.to_database.armed:
        hit.remove(_IN_THE_MIDDLE)  # so many bytes did not come
    rig.tell(f"{', '.join(hit) or 'nothing to hit'} for {what.lasts:.2f} s")
    for network in (rig.to_database, rig.to_broker):
        if what.cut:
            network.cut()
        network.hear()
        network.start()
    if rig.collector is None:
        rig.start_collector()
    done.update(hit)


def _begin(rig: Rig, fault: str, middle: int) -> bool:
    if fault == "collector killed":
        return rig.kill_collector()
    if fault == "backend killed":
        return rig.kill_backend()
    if fault == "backend terminated":
        return rig.terminate_backend()
    where, how = fault.split(" ", 1)
    network = rig.to_database if where == "database" else rig.to_broker
    ways: dict[str, Callable[[], None]] = {
        "cut": network.cut,
        "cut in the middle": lambda: network.cut_after(middle),
        "gone": network.stop,
        "deaf": network.deaf,
        "mute": network.mute,
    }
    ways[how]()
    return True
