"""Which registers to ask a device for, as a conversation: requests out, answers in, no I/O.

    conversation = requests(profile)
    request = next(conversation)
    request = conversation.send(answer)        # the registers, or a sentence why the device refused
    ... until StopIteration, whose value is the `Registers` of the poll

Only declared blocks are asked for; a block that is longer than the device allows is read in parts.
"""

from __future__ import annotations

from collections.abc import Collection, Generator, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from collector.profile import Profile
from collector.raw import Registers
from collector.refusal import NoAnswer, NoValue
from collector.registers import Memory
from collector.sunspec import END, FUNCTION, HEADER, MARKER, MOST_MODELS, Place, choose, find_models


@dataclass(frozen=True)
class Request:
    """Registers to ask for."""

    function: int
    start: int
    count: int


LAST_ADDRESS: Final = 0xFFFF

Answer = tuple[int, ...] | str
Conversation = Generator[Request, Answer, tuple[Registers, ...]]


def requests(
    profile: Profile, map_known: Sequence[Registers] = (), resting: Collection[str] = frozenset()
) -> Conversation:
    """Ask for everything a profile needs.

    Parameters
    ----------
    profile
        A profile for Modbus.
    map_known
        What an earlier `model_map` of the same connection returned; saves walking the models again.
    resting
        Blocks that are not asked for this time.

    Raises
    ------
    NoAnswer
        If the device refuses a block without which the others do not count (``on_error: fail``).
    """
    if profile.sunspec is not None:
        return _models(profile, map_known)
    return _blocks(profile, resting)


def model_map(registers: Iterable[Registers]) -> tuple[Registers, ...]:
    """Return the marker and the model headers of a SunSpec poll, which do not change while a device is connected.

    Empty if the walk was cut short: a device that was busy for a moment must not lose its other models for good.
    """
    headers = tuple(run for run in registers if run.error is None and len(run.values) <= HEADER)
    return headers if any(run.values[0] == END for run in headers) else ()


def _blocks(profile: Profile, resting: Collection[str]) -> Conversation:
    found: list[Registers] = []
    for block in profile.blocks:
        if block.id in resting:
            continue
        runs = yield from _run(profile, block.function, block.start, block.count)
        refused = next((run.error for run in runs if run.error is not None), None)
        if refused is not None and block.on_error == "fail":
            raise NoAnswer(f"the device did not give block '{block.id}': {refused}")
        found += runs
    return tuple(found)


def _run(profile: Profile, function: int, start: int, count: int) -> Conversation:
    found: list[Registers] = []
    for at in range(start, start + count, profile.link.max_registers):
        request = Request(function, at, min(profile.link.max_registers, start + count - at))
        answer = yield request
        found.append(_registers(request, answer))
    return tuple(found)


def _registers(request: Request, answer: Answer) -> Registers:
    if isinstance(answer, str):
        return Registers(request.function, request.start, (), answer, request.count)
    return Registers(request.function, request.start, answer, None, request.count)


def _models(profile: Profile, map_known: Sequence[Registers]) -> Conversation:
    headers = tuple(map_known) or (yield from _walk(profile))
    bases = profile.sunspec.bases if profile.sunspec is not None else ()
    try:
        places = find_models(Memory(headers), bases)
    except NoValue:
        return headers
    found = list(headers)
    for place in sorted(_needed(profile, places)):
        found += yield from _run(profile, FUNCTION, place.at, HEADER + place.length)
    return tuple(found)


def _needed(profile: Profile, places: dict[int, Place]) -> set[Place]:
    needed = set()
    for point in profile.points:
        try:
            needed.add(places[choose(places, point.sunspec)[0]])
        except NoValue:
            continue  # the device has no model for this point; decoding says so
    return needed


def _walk(profile: Profile) -> Conversation:
    """Find the marker, then hop from header to header."""
    found: list[Registers] = []
    for base in profile.sunspec.bases if profile.sunspec is not None else ():
        request = Request(FUNCTION, base, len(MARKER))
        answer = yield request
        found.append(_registers(request, answer))
        if answer == MARKER:
            break
    else:
        return tuple(found)
    address = base + len(MARKER)
    for _ in range(MOST_MODELS):
        request = Request(FUNCTION, address, HEADER)
        answer = yield request
        if isinstance(answer, str):  # the end block of some devices has no length
            request = Request(FUNCTION, address, 1)
            answer = yield request
        found.append(_registers(request, answer))
        if isinstance(answer, str) or answer[0] == END or len(answer) < HEADER:
            break
        address += HEADER + answer[1]
        if address + HEADER > LAST_ADDRESS:
            break
    return tuple(found)
