"""What holds for every profile that reads registers."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from collector.catalogue import FOLDER, load, published
from collector.decode import decode
from collector.plan import Answer, Request, requests
from collector.profile import MODBUS, WORDS, Point, Profile
from collector.raw import Raw
from collector.raw import load as load_raw
from collector.refusal import NoValue
from collector.registers import Memory
from tests.support.registermap import answered, itself, pattern

REGISTERS = [name for name in published() if load(name).link.transport in MODBUS]
MARKED = [name for name in REGISTERS if load(name).identify]


def fixtures(name: str) -> list[Path]:
    """Recordings of a profile, the one without a case first."""
    return [FOLDER / "fixtures" / f"{name}.json", *sorted((FOLDER / "fixtures").glob(f"{name}.*.json"))]


def refusals(file: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(file.read_text(encoding="utf-8"))["expect"]["refusals"]
    return found


def alone(profile: Profile, point: Point) -> Profile:
    """Return the profile with this point only, and visible."""
    return profile.model_copy(update={"points": (point.model_copy(update={"internal": False}),)})


def sentinels() -> Iterator[tuple[str, str, str]]:
    for name in REGISTERS:
        for point in load(name).points:
            for code in point.invalid if point.at is not None else ():
                yield name, point.id, code


def hold(profile: Profile, memory: Memory) -> tuple[Any, ...]:
    """Poll a device that has exactly these registers."""

    def answer(request: Request) -> Answer:
        assert request.count <= profile.link.max_registers
        try:
            return memory.words(request.function, request.start, request.count)
        except NoValue:
            return "illegal data address (exception 2)"

    conversation = requests(profile)
    request = next(conversation)
    while True:
        try:
            request = conversation.send(answer(request))
        except StopIteration as end:
            found: tuple[Any, ...] = end.value
            return found


def test_profiles_are_listed_in_order() -> None:
    assert published() == sorted(published())
    assert len(REGISTERS) == len(set(REGISTERS)) >= 29


@pytest.mark.parametrize("name", REGISTERS)
def test_a_device_that_holds_what_was_recorded_is_polled_to_the_same_values(name: str) -> None:
    profile, recorded = load(name), load_raw(fixtures(name)[0])
    polled = Raw(recorded.at, hold(profile, Memory(recorded.registers)))
    assert decode(polled, profile).values == decode(recorded, profile).values != ()


@pytest.mark.parametrize("name", REGISTERS)
def test_a_profile_shows_what_it_refuses(name: str) -> None:
    assert any(refusals(file) for file in fixtures(name))


@pytest.mark.parametrize("name", MARKED)
def test_a_profile_that_knows_its_device_has_a_recording_of_another_that_is_refused_whole(name: str) -> None:
    assert any(
        refusals(file) and all(line["reason"].startswith("this is another device: ") for line in refusals(file))
        for file in fixtures(name)
    )


@pytest.mark.parametrize(("name", "point", "code"), list(sentinels()))
def test_a_sign_for_no_value_is_never_a_value(name: str, point: str, code: str) -> None:
    profile = load(name)
    place = profile.point(point)
    given = itself(profile)
    if place.status is not None:
        given[place.block or "", place.status.at] = [place.status.good[0]]
    own = given | {(place.block or "", place.at or 0): pattern(profile, place, code)}
    found = decode(answered(profile, own), alone(profile, place))
    assert [(refusal.code, found.values) for refusal in found.refused] == [("no_value", ())]
    one = given | {(place.block or "", place.at or 0): pattern(profile, place, "1")}
    assert len(decode(answered(profile, one), alone(profile, place)).values) == 1


@pytest.mark.parametrize("name", REGISTERS)
def test_the_address_in_the_maker_s_list_stands_beside_each_address_where_they_differ(name: str) -> None:
    profile = load(name)
    offsets = {block.id: block.doc_offset for block in profile.blocks if block.doc_offset is not None}
    for place in (*profile.points, *profile.identify):
        if place.block in offsets:
            assert place.doc_address == (place.at or 0) + (offsets[place.block] or 0), place


@pytest.mark.parametrize("name", REGISTERS)
def test_an_unsigned_counter_of_16_bits_says_where_it_starts_anew_and_a_wrap_is_what_the_bits_hold(name: str) -> None:
    for point in load(name).points:
        if point.type == "uint16" and point.kind == "counter":
            assert point.wrap is not None, point.id
        if point.wrap is not None and point.type is not None:
            assert point.type.startswith("uint")
            assert point.wrap == 2 ** (16 * WORDS[point.type]) * point.scale / (point.divide or 1), point.id


@pytest.mark.parametrize("name", REGISTERS)
def test_only_what_was_proved_on_a_real_recording_may_settle(name: str) -> None:
    profile = load(name)
    proved = any(entry.source.startswith("Proved on ") for entry in profile.provenance)
    assert proved == (profile.maturity == "capture-tested")
    assert all(point.settlement == proved for point in profile.points if point.quantity == "pv_energy")


@pytest.mark.parametrize("name", REGISTERS)
def test_provenance_and_caveats_are_sentences_of_their_own_in_each_language(name: str) -> None:
    profile = load(name)
    assert all(entry.date is not None and len(entry.source) > 20 for entry in profile.provenance)
    assert len(profile.caveats.en) == len(profile.caveats.nl) >= 2
    assert not set(profile.caveats.en) & set(profile.caveats.nl)


def test_the_documentation_lists_every_profile_with_its_kind_and_maturity() -> None:
    text = (FOLDER.parents[1] / "docs" / "devices.md").read_text(encoding="utf-8")
    rows = [line.split(" | ") for line in text.splitlines() if line.startswith("| ") and line.count(" | ") == 2]
    listed = {
        name: (kind.strip("| ").replace(" ", "_"), maturity.split()[0].strip(":"))
        for kind, names, maturity in rows
        for name in re.findall(r"`([a-z0-9_]+\.[a-z0-9_]+)`", names)
        if name in REGISTERS
    }
    assert listed == {name: (load(name).kind, load(name).maturity) for name in REGISTERS}
