"""A key alone: both ways in which it says its shares, against the formulas, up to its limit."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from core.keys import KEYS, KeyName
from settlement.amounts import FITS
from settlement.remainders import DIVISOR_FITS
from settlement.sharing import CLASSES, Key
from tests.support.shares_oracle import exact_shares

NAMES = "abcdef"
every_key = pytest.mark.parametrize("name", sorted(KEYS))


@dataclass(frozen=True)
class Case:
    """A key of some parties, and one interval."""

    name: KeyName
    key: Key
    sun: int
    use: list[int]

    @property
    def shares(self) -> list[Fraction]:
        """What the formulas say."""
        names = NAMES[: len(self.use)]
        use = {name: Fraction(own) for name, own in zip(names, self.use, strict=True)}
        weights = dict(zip(names, map(Fraction, self.key.weights), strict=True))
        found = exact_shares(self.name, self.sun, use, weights, [names[place] for place in self.key.order])
        return [found[name] for name in names]


def cases(name: KeyName, amounts: st.SearchStrategy[int], suns: st.SearchStrategy[int]) -> st.SearchStrategy[Case]:
    """Up to six parties; some may have no weight at all, which is not the same as using nothing."""
    weights = st.integers(0, 7) if KEYS[name].weights else st.just(1)

    @st.composite
    def case(draw: st.DrawFn) -> Case:
        count = draw(st.integers(1, len(NAMES)))
        given_weights = draw(st.lists(weights, min_size=count, max_size=count).filter(any))
        key = CLASSES[name](given_weights, draw(st.permutations(range(count))))
        return Case(name, key, draw(suns), draw(st.lists(amounts, min_size=count, max_size=count)))

    return case()


@every_key
@given(st.data())
def test_one_interval_gets_the_exact_shares_of_the_formula(name: KeyName, data: st.DataObject) -> None:
    case = data.draw(cases(name, st.integers(0, 9), st.integers(0, 40)))
    assume(any(case.use))  # of nothing there are no shares, which `divide` says
    tops, bottom = case.key.exact(case.sun, case.use)
    assert [Fraction(top, bottom) for top in tops] == case.shares


@every_key
@given(st.data())
def test_many_intervals_get_its_floor_and_its_whole(name: KeyName, data: st.DataObject) -> None:
    held(data.draw(cases(name, st.integers(0, 9), st.integers(0, 40))))


near = st.one_of(st.integers(FITS // 8, FITS), st.integers(DIVISOR_FITS // 8, DIVISOR_FITS), st.integers(0, 9))


@every_key
@given(st.data())
def test_what_is_said_to_fit_is_exact_up_to_the_limit(name: KeyName, data: st.DataObject) -> None:
    case = data.draw(cases(name, near, near))
    assume(sum(case.use) < FITS)
    if case.key.fits(*columns(case))[0]:
        held(case)


@every_key
def test_the_limit_holds_for_the_sun_and_for_the_use_alike(name: KeyName) -> None:
    weights = [3, 4]
    key = CLASSES[name](weights, [1, 0])
    last = {
        "proportional": DIVISOR_FITS - 1,
        "priority": DIVISOR_FITS - 1,
        "hybrid": DIVISOR_FITS // 7 - 1,
    }.get(name, FITS // 7 - 1)
    for sun, use, fits in [
        (last, [last, 0], True),
        (last + 1, [last, 0], False),
        (last, [last + 1, 0], False),
        (0, [0, 0], True),
    ]:
        case = Case(name, key, sun, use)
        assert bool(key.fits(*columns(case))[0]) is fits
        if fits:
            held(case)


def columns(case: Case) -> tuple[np.ndarray[tuple[int, ...], np.dtype[np.int64]], ...]:
    return np.array([case.sun], dtype=np.int64), np.array([case.use], dtype=np.int64).T


def held(case: Case) -> None:
    """Floors, order of the rests and the whole are those of the formula."""
    parts = case.key.parts(*columns(case))
    exact = case.shares
    assert parts.floors[:, 0].tolist() == [share.__floor__() for share in exact]
    assert parts.total.tolist() == [sum(exact).__floor__()]
    rests = parts.rests[:, 0].tolist()
    finer = [0] * len(rests) if parts.finer is None else parts.finer[:, 0].tolist()
    ranked = sorted(range(len(rests)), key=lambda party: (rests[party], finer[party]))
    left = [exact[party] % 1 for party in ranked]
    assert left == sorted(left)
