"""Many intervals divided at once give, bit for bit, what dividing them one by one gives; and what must not matter."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.keys import KEYS, KeyName
from core.time import microseconds, midnight
from settlement.amounts import Amounts, Table
from settlement.division import COMMON, Divider
from settlement.model import Quality
from settlement.remainders import DIVISOR_FITS, times_over
from settlement.sun import Sun, share
from settlement.tariffs import stretches_between
from tests.support.sharingtown import sharing_town

MODES = ("first", "participant", "last", "never")
QUARTER = 900_000_000
NEW_YEAR = 1_767_222_000_000_000
"""Midnight of 1 January 2026 in Amsterdam [microseconds UTC]."""

SCALES = (
    st.integers(0, 12),
    st.integers(0, 3_000_000),
    st.integers(2**38, 2**45),
    st.integers(2**54, 2**63),
    st.integers(2**63, 2**70),
)
"""An interval's numbers are of one size: a single large one among them would send it the slow way."""
weights = st.one_of(st.integers(0, 9).map(str), st.decimals(0, 100, places=3).map(str), st.just("999999999.123456789"))


def rule_of(key: KeyName, common: str, surplus: str, flats: Sequence[str], parts: Sequence[str]) -> dict[str, Any]:
    rule: dict[str, Any] = {"key": key, "common": common, "surplus": surplus, "common_weight": parts[-1]}
    return rule | {"weights": dict(zip(flats, parts, strict=False)), "order": list(reversed(flats))}


def surplus_rules(key: KeyName) -> tuple[str, ...]:
    return ("owner", "unused_share") if KEYS[key].entitles else ("owner",)


@pytest.mark.parametrize("mode", [*MODES, "nobody's"])
@given(st.data())
def test_many_intervals_at_once_give_what_one_by_one_gives(mode: str, data: st.DataObject) -> None:
    flats = [f"F{number}" for number in range(data.draw(st.integers(1, 6)))]
    metered = mode in MODES
    names = [*flats, COMMON] if metered else flats
    parts = data.draw(st.lists(weights, min_size=len(flats) + 1, max_size=len(flats) + 1))
    if not any(Fraction(part) for part in parts[: len(flats)]):
        parts[0] = "1"
    key = data.draw(st.sampled_from(sorted(KEYS)))
    surplus = data.draw(st.sampled_from(surplus_rules(key)))
    rule = rule_of(key, mode if metered else data.draw(st.sampled_from(MODES)), surplus, flats, parts)
    town = sharing_town(flats, rule, common=metered)
    size = data.draw(st.integers(1, 6))
    suns: list[int] = []
    uses: dict[str, list[int | None]] = {name: [] for name in names}
    for _ in range(size):
        amounts = data.draw(st.sampled_from(SCALES))
        suns.append(1 + data.draw(amounts))
        for column in uses.values():
            column.append(data.draw(st.one_of(amounts, st.none())))
    starts = [NEW_YEAR + place * QUARTER for place in range(size)]

    divider = Divider(town, town.sharing[0], names)
    sun = Amounts.of(suns).array
    given_all, spare_all = divider.block(starts, sun, Table.of(uses, size).rows)

    for place, start in enumerate(starts):
        use = {name: column[place] for name, column in uses.items()}
        given_one, spare_one = divider.interval(start, suns[place], use)
        assert given_all[:, place].tolist() == [given_one.get(name, 0) for name in names]
        if spare_all is not None:
            assert spare_all[:, place].tolist() == [spare_one.get(name, 0) for name in flats]
        else:
            assert not spare_one


class OnlyAtOnce(Divider):
    """Refuses to divide an interval on its own."""

    def interval(self, start: int, sun: int, use: Mapping[str, int | None]) -> tuple[dict[str, int], dict[str, int]]:
        raise AssertionError(f"the interval at {start} did not fit")


@pytest.mark.parametrize("key", sorted(KEYS))
@pytest.mark.parametrize("flats", [10, 1000])
def test_what_a_building_uses_fits_in_64_bits_under_every_key(key: KeyName, flats: int) -> None:
    names = [f"F{number}" for number in range(flats)]
    areas = [f"{40 + (7 * number) % 97}.5" for number in range(flats)] + ["100"]
    rule = rule_of(key, "participant", surplus_rules(key)[-1], names, areas)
    town = sharing_town(names, rule, common=True)
    random = np.random.default_rng(2026)
    use = random.integers(0, 1_500_000, (flats + 1, 8))  # 6 kW throughout
    sun = random.integers(1, flats * 1_200_000, 8)
    starts = [NEW_YEAR + place * QUARTER for place in range(8)]
    found, _ = OnlyAtOnce(town, town.sharing[0], [*names, COMMON]).block(starts, sun, use)
    assert (found <= use).all()
    assert (found.sum(axis=0) <= sun).all()


@given(
    st.lists(st.integers(0, 2**61), min_size=1, max_size=8),
    st.integers(1, DIVISOR_FITS - 1),
    st.integers(0, DIVISOR_FITS - 1),
)
def test_products_that_do_not_fit_are_divided_exactly(first: list[int], divisor: int, second: int) -> None:
    second %= divisor + 1
    quotient, rest = times_over(np.array([first]).T, np.array([second]), np.array([divisor]))
    assert quotient[:, 0].tolist() == [own * second // divisor for own in first]
    assert rest[:, 0].tolist() == [own * second % divisor for own in first]


def test_a_divisor_that_leaves_no_room_for_a_single_piece_is_refused() -> None:
    for whole in (2**60, 2**61):
        with pytest.raises(ValueError, match="too large to divide piece by piece"):
            times_over(np.array([[8]]), np.array([whole]), np.array([whole]))
    almost = 2**60 - 1  # room for a piece of one bit
    quotient, rest = times_over(np.array([[almost], [8]]), np.array([almost - 1]), np.array([almost]))
    assert (quotient.tolist(), rest.tolist()) == ([[almost - 1], [7]], [[0], [almost - 8]])


def settled(
    rule: Mapping[str, Any], use: Mapping[str, Sequence[int | None]], sun: Sequence[int], interval: str = "1h"
) -> Sun:
    """Divide the intervals of 2025 from its first day on."""
    flats = [name for name in use if name != COMMON]
    town = sharing_town(flats, rule, common=COMMON in use, interval=interval)
    step = town.interval // timedelta(microseconds=1)
    first = date(2025, 1, 1)
    begin = microseconds(midnight(first, town.zone))
    bounds = range(begin, begin + (len(sun) + 1) * step, step)
    quality: dict[str, list[Quality]] = {name: ["measured"] * len(sun) for name in use}
    days = len(sun) * step // (24 * 3_600_000_000) + 2
    return share(town, stretches_between(town, first, first + timedelta(days=days)), bounds, sun, use, quality)


def test_ties_favour_nobody_over_a_year() -> None:
    """Of 35,040 ties each of three flats wins a third, give or take five standard deviations (441)."""
    size = 35_040
    use: dict[str, list[int | None]] = {name: [1000] * size for name in ("A", "B", "C")}
    found = settled({"key": "equal"}, use, [100] * size, "15min")
    assert found.shared.by_interval().tolist() == [100] * size
    won = {name: column.total() - 33 * size for name, column in found.shared.items()}
    assert sum(won.values()) == size
    bound = 5 * (size * 2 / 9) ** 0.5
    assert all(abs(count - size / 3) < bound for count in won.values()), won


def test_ties_favour_nobody_in_any_hour_of_the_day_or_month() -> None:
    """The year's ties again, by hour and by month: 36 parts for each flat, each within five standard deviations."""
    size = 35_040
    use: dict[str, list[int | None]] = {name: [1000] * size for name in ("A", "B", "C")}
    found = settled({"key": "equal"}, use, [200] * size, "15min")
    places = np.arange(size)
    for parts, count in ((places // 4 % 24, 24), (places * 12 // size, 12)):
        for column in found.shared.values():
            won = np.bincount(parts, weights=column.array - 66, minlength=count)
            here = np.bincount(parts, minlength=count)
            assert (np.abs(won - here * 2 / 3) < 5 * np.sqrt(here * 2 / 9)).all()


some_use = st.lists(st.integers(0, 2_000_000), min_size=24, max_size=24)


@st.composite
def days(draw: st.DrawFn) -> tuple[dict[str, Any], dict[str, list[int]], list[int]]:
    """A rule, and a day of a building under it."""
    flats = [f"F{number}" for number in range(draw(st.integers(1, 4)))]
    names = [*flats, COMMON] if draw(st.booleans()) else flats
    parts = draw(st.lists(st.integers(1, 99).map(str), min_size=len(flats) + 1, max_size=len(flats) + 1))
    key = draw(st.sampled_from(sorted(KEYS)))
    rule = rule_of(key, draw(st.sampled_from(MODES)), draw(st.sampled_from(surplus_rules(key))), flats, parts)
    return rule, {name: draw(some_use) for name in names}, draw(some_use)


@given(days())
def test_twice_as_much_of_everything_is_twice_as_much_for_everyone(
    day: tuple[dict[str, Any], dict[str, list[int]], list[int]],
) -> None:
    rule, use, sun = day
    once = settled(rule, use, sun)
    twice = settled(rule, {name: [2 * own for own in column] for name, column in use.items()}, [2 * one for one in sun])
    # Both are rounded, each by less than one; the common area's turn and the surplus take what is left of the others.
    for name in once.shared:
        assert np.abs(twice.shared[name].array - 2 * once.shared[name].array).max() <= 3
    assert np.abs(twice.surplus.array - 2 * once.surplus.array).max() <= 3
    for name in once.unused:
        assert np.abs(twice.unused[name].array - 2 * once.unused[name].array).max() <= 3 + len(use)


@given(days())
def test_what_flats_are_called_decides_nothing_but_ties(
    day: tuple[dict[str, Any], dict[str, list[int]], list[int]],
) -> None:
    rule, use, sun = day
    called = {name: name if name == COMMON else f"home-{name}" for name in use}
    other = dict(rule)
    other["weights"] = {f"home-{name}": part for name, part in rule["weights"].items()}
    other["order"] = [f"home-{name}" for name in rule["order"]]
    one, renamed = settled(rule, use, sun), settled(other, {called[name]: own for name, own in use.items()}, sun)
    assert one.surplus == renamed.surplus
    for name in use:
        assert np.abs(one.shared[name].array - renamed.shared[called[name]].array).max() <= 1


@given(days(), st.integers(0, 2**32))
def test_halving_the_intervals_adds_up_to_the_same_energy_and_never_shares_more(
    day: tuple[dict[str, Any], dict[str, list[int]], list[int]], seed: int
) -> None:
    """What is used in one half cannot meet the sun of the other."""
    rule, use, sun = day
    random = np.random.default_rng(seed)

    def halved(column: list[int]) -> list[int]:
        first = [int(random.integers(0, own, endpoint=True)) for own in column]
        return [half for own, part in zip(column, first, strict=True) for half in (part, own - part)]

    whole = settled(rule, use, sun)
    halves = settled(rule, {name: halved(own) for name, own in use.items()}, halved(sun), "30min")
    assert halves.sun.total() == whole.sun.total()
    assert {name: one.total() for name, one in halves.used.items()} == {
        name: one.total() for name, one in whole.used.items()
    }
    assert halves.shared.total() + halves.surplus.total() == whole.shared.total() + whole.surplus.total()
    # An interval's total is rounded down, so that the whole may fall short of its halves by less than one each time.
    given_then, given_now = whole.shared.by_interval(), halves.shared.by_interval().reshape(-1, 2).sum(axis=1)
    assert (given_now <= given_then + 1).all()


@pytest.mark.parametrize("key", [key for key, needs in KEYS.items() if needs.entitles])
def test_a_missing_consumption_is_not_zero(key: KeyName) -> None:
    """A flat that used nothing left its part to the others; of one that was not read nobody knows that."""
    rule = rule_of(key, "never", "unused_share", ["A", "B", "C"], ["1", "1", "1", "1"])
    idle = settled(rule, {"A": [0], "B": [0], "C": [30]}, [90])
    silent = settled(rule, {"A": [None], "B": [0], "C": [30]}, [90])
    assert (idle.unused["A"][0], idle.unused["B"][0], idle.unused["C"][0]) == (30, 30, 0)
    assert (silent.unused["A"][0], silent.unused["B"][0], silent.unused["C"][0]) == (0, 60, 0)
    assert (silent.used["A"][0], silent.shared["A"][0], silent.surplus[0]) == (None, 0, 60)
