"""Sealed months of small drawn communities: what verify proves, with and without openings, under every rule."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from settlement.amounts import Table
from settlement.seal import figures
from settlement.seal.bundle import COMMON, SUN, Sealed, resident_bundle, seal
from settlement.seal.verify import verify
from tests.support.sealhouse import AT, House, drawn, salt, wrong

KEYS = ("fixed", "equal", "proportional", "optimal", "hybrid", "priority")
SURPLUS = ("owner", "community", "unused_share")
RULES = [(k, s) for k in KEYS for s in SURPLUS if s != "unused_share" or k not in ("proportional", "priority")]


def proves_everything(house: House) -> None:
    """Nothing is wrong without openings, with all, and in every resident's own bundle."""
    sealed = house.sealed
    assert wrong(sealed.bundle) == []
    everything = verify(sealed.bundle, openings=list(sealed.openings.values()))
    assert everything.wrong == []
    assert "Every share of every interval is what the key gives, to the milliwatt-hour." in everything.proved
    for label in set(sealed.openings) - {SUN, COMMON}:
        own = verify(resident_bundle(sealed.bundle, label, sealed.openings))
        assert own.wrong == []
        assert "Your intervals are what was sealed, and come to your totals." in own.proved
        assert "What you were given is, in every interval, within what sun and key allow." in own.proved


@settings(max_examples=6)
@given(st.integers(0, 2**32))
def test_a_sealed_month_is_proved(seed: int) -> None:
    proves_everything(drawn(seed))


@pytest.mark.long
@settings(max_examples=500)
@given(st.integers(0, 2**64))
def test_five_hundred_sealed_months_are_proved(seed: int) -> None:
    proves_everything(drawn(seed))


@pytest.mark.parametrize(("key", "surplus"), RULES)
def test_a_sealed_month_is_proved_under_every_rule(key: str, surplus: str) -> None:
    proves_everything(drawn(54, {"key": key, "surplus": surplus}))


# Under priority nothing can be given back: whoever comes first lacks nothing where the other was given something.
@pytest.mark.parametrize("key", [key for key in KEYS if key != "priority"])
def test_a_milliwatt_hour_moved_between_neighbours_is_found(key: str) -> None:
    """Whoever seals may make everything fit, to the totals of both; all openings together still tell."""
    house = drawn(54, {"key": key, "surplus": "owner"})
    bad = forged(house)
    assert wrong(bad.bundle) == []
    for label in set(bad.openings) - {SUN, COMMON}:
        assert [text for text in wrong(bad.bundle, openings=[bad.openings[label]]) if "key" not in text] == []
    found = wrong(bad.bundle, openings=list(bad.openings.values()))
    assert len(found) == 1
    assert "by the key" in found[0]


def forged(house: House) -> Sealed:
    """Seal the month once more after one flat gave a milliwatt-hour to another, and got it back an hour later."""
    settled = house.settled
    sun = settled.energy.sun
    rows = {name: list(column) for name, column in sun.shared.items()}
    spells = {s.flat: s for s in settled.spells if s.days == settled.month.days}
    one, other = [flat for flat in spells if any(rows[flat])][:2]

    def room(flat: str, hour: int) -> int:
        return (sun.used[flat][hour] or 0) - rows[flat][hour]

    days = [range(*figures.span(settled, part.start, part.until)) for part in settled.stretches]
    there, back = next(
        (a, b)
        for part in days
        for a in part
        if rows[one][a] and room(other, a)
        for b in part
        if a != b and rows[other][b] and room(one, b)
    )
    for hour, giver, taker in ((there, one, other), (back, other, one)):
        rows[giver][hour] -= 1
        rows[taker][hour] += 1
    shared = Table.of(rows, len(sun.sun))
    energy = replace(settled.energy, sun=replace(sun, shared=shared))
    return seal(
        replace(settled, energy=energy), house.statement, house.selected, number="1", previous=None, at=AT, salts=salt
    )
