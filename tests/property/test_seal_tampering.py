"""Whatever is changed in a sealed bundle is found: any byte, any field, also by someone who can seal anew."""

from __future__ import annotations

import json
from random import Random
from typing import Any

import pytest

from settlement.seal.archive import pack, unpack
from settlement.seal.bundle import resident_bundle
from settlement.seal.commitments import canonical
from settlement.seal.verify import Damaged, verify
from settlement.statement import dump
from tests.support.sealhouse import House, drawn, flipped, leaves_of, resealed

FIGURES = ("statement.json", "community.json", "totals.json", "charges.json", "postings.json", "commitments.json")

UNSEEN: dict[str, set[str]] = {
    "statement.json": {"quality", "findings", "checks", "input_sha256", "result_sha256", "unit"},
    "totals.json": set(),
    "charges.json": {"origin"},
    "postings.json": set(),
    "commitments.json": {"intervals", "statement_salt", "padding"},
}
"""Where a forger who can seal anew may change something that no other figure in the bundle contradicts.

What readings say of themselves (quality, findings) is proved by a replay; texts are for people; the unit is one of two
where heat is charged by the fixed measure; salts and the tree are made anew with the root.
"""
RULES = {
    "community", "month", "owner", "settlement_interval", "floor_area_m2", "solar_eur_per_kwh", "feed_in_eur_per_kwh",
    "fixed_eur_per_month", "grid_eur_per_kwh", "measured_percent", "fixed_by", "electricity",
}  # fmt: skip
"""Of the rules, those that count in the month of this house."""


@pytest.fixture(scope="module")
def house() -> House:
    return drawn(50)


def caught(bundle: bytes, **given: Any) -> bool:
    """Tell whether verify says no, in a sentence; anything but a sentence raises here."""
    try:
        return bool(verify(bundle, **given).wrong)
    except Damaged as reason:
        if not str(reason).endswith("."):
            raise
        return True


def parsed(files: dict[str, bytes]) -> dict[str, Any]:
    return {name: json.loads(content) for name, content in files.items() if name.endswith(".json")}


def written(name: str, tree: Any) -> bytes:
    return dump(tree) if name == "statement.json" else canonical(tree)


def places(bundle: bytes) -> list[tuple[str, tuple[str | int, ...]]]:
    return [(name, at) for name, tree in sorted(parsed(unpack(bundle)).items()) for at, _ in leaves_of(tree)]


def flips_are_caught(bundle: bytes, chosen: list[tuple[str, tuple[str | int, ...]]]) -> None:
    files = unpack(bundle)
    trees = parsed(files)
    assert not caught(bundle)
    for name, at in chosen:
        changed = {**files, name: written(name, flipped(trees[name], at))}
        assert caught(pack(changed)), f"{name} {at}"


def bytes_are_caught(bundle: bytes, chosen: list[int]) -> None:
    for place in chosen:
        for bit in (0x01, 0x80):
            changed = bytearray(bundle)
            changed[place] ^= bit
            assert caught(bytes(changed)), f"byte {place}"


def test_some_fields_of_every_file(house: House) -> None:
    draw = Random(1)
    all_places = places(house.sealed.bundle)
    few = [
        place
        for name in sorted({name for name, _ in all_places})
        for place in draw.sample([one for one in all_places if one[0] == name], k=3 if name != "salt.json" else 1)
    ]
    flips_are_caught(house.sealed.bundle, few)


@pytest.mark.long
def test_every_field_of_every_file(house: House) -> None:
    flips_are_caught(house.sealed.bundle, places(house.sealed.bundle))


def test_some_bytes_of_the_archive(house: House) -> None:
    bundle = house.sealed.bundle
    draw = Random(2)
    # The first file's header, the index and the archive's end, and anything between.
    bytes_are_caught(
        bundle, [*range(12), *draw.sample(range(len(bundle)), k=25), *range(len(bundle) - 30, len(bundle))]
    )


@pytest.mark.long
def test_every_hundredth_byte_and_all_of_the_index(house: House) -> None:
    bundle = house.sealed.bundle
    index = bundle.index(b"PK\x01\x02")
    bytes_are_caught(bundle, [*range(0, index, 100), *range(index, len(bundle))])


def test_a_bundle_cut_short_or_longer(house: House) -> None:
    bundle = house.sealed.bundle
    for size in (0, 1, 100, len(bundle) // 2, len(bundle) - 1):
        assert caught(bundle[:size])
    assert caught(bundle + b"\0")
    assert caught(b"\0" + bundle)


def test_a_resident_s_bundle_by_field(house: House) -> None:
    own = resident_bundle(house.sealed.bundle, house.settled.spells[0].label, house.sealed.openings)
    draw = Random(3)
    flips_are_caught(own, draw.sample(places(own), k=40))


@pytest.mark.long
def test_a_resident_s_bundle_by_every_field_and_many_bytes(house: House) -> None:
    own = resident_bundle(house.sealed.bundle, house.settled.spells[0].label, house.sealed.openings)
    flips_are_caught(own, places(own))
    bytes_are_caught(own, [*range(0, len(own), 100)])


def forgeries(bundle: bytes) -> list[tuple[str, tuple[str | int, ...]]]:
    """Fields whose change must be found by what the figures say, hashes aside."""
    trees = parsed(unpack(bundle))
    found = []
    for name in FIGURES:
        for at, _ in leaves_of(trees[name]):
            if (name, at[1:]) == ("postings.json", (3,)):
                continue  # what a posting is for: a text for people
            seen = {str(at[place]) for place in (0, 2, -1) if place < len(at)}
            if seen & RULES if name == "community.json" else not seen & UNSEEN[name]:
                found.append((name, at))
    return found


def forgeries_are_caught(bundle: bytes, chosen: list[tuple[str, tuple[str | int, ...]]]) -> None:
    files = unpack(bundle)
    trees = parsed(files)
    missed = []
    for name, at in chosen:
        if not caught(resealed(files, {name: written(name, flipped(trees[name], at))})):
            missed.append((name, at))
    assert missed == []


def test_sealing_anew_without_a_change_is_well(house: House) -> None:
    assert resealed(unpack(house.sealed.bundle), {}) == house.sealed.bundle


def test_some_forged_figures(house: House) -> None:
    forgeries_are_caught(house.sealed.bundle, Random(4).sample(forgeries(house.sealed.bundle), k=60))


@pytest.mark.long
def test_every_forged_figure(house: House) -> None:
    forgeries_are_caught(house.sealed.bundle, forgeries(house.sealed.bundle))
