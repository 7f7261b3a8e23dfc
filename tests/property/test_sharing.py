"""Keys against an oracle written from the formulas alone, in exact fractions.

Rounding adds: whole milliwatt-hours, within one of the exact share, and their
sum is the exact sum rounded down.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from fractions import Fraction
from math import floor
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.community import Community
from core.communityfile import build
from core.time import microseconds, midnight
from settlement.model import Quality
from settlement.sun import COMMON, Sun, share
from settlement.tariffs import stretches_between
from tests.support.shares_oracle import Exact, exact_shares

KEYS = ("fixed", "equal", "proportional", "optimal", "hybrid", "priority")
WEIGHTED = ("fixed", "optimal", "hybrid")
COMMON_MODES = ("first", "participant", "last", "never")
DAY = date(2026, 1, 1)

Use = Mapping[str, int | None]


@dataclass(frozen=True)
class Case:
    """One interval of one building."""

    key: str
    common: str
    surplus: str
    weights: Mapping[str, str]
    common_weight: str
    order: tuple[str, ...]
    sun: int
    use: Use

    @property
    def flats(self) -> list[str]:
        return [name for name in self.use if name != COMMON]


def oracle(case: Case) -> tuple[Exact, Fraction]:
    """Exact shares of flats and common, and what the key was offered."""
    use = {name: Fraction(own or 0) for name, own in case.use.items()}
    common = use.pop(COMMON, Fraction(0))
    weighted = case.key in WEIGHTED
    weights = {name: Fraction(case.weights[name]) if weighted else Fraction(1) for name in use}
    order = list(case.order)
    offered = case.sun
    shares: Exact = {}
    if COMMON in case.use:
        if case.common == "first":
            shares[COMMON] = min(common, Fraction(offered))
            offered -= int(shares[COMMON])
        elif case.common == "participant":
            use[COMMON], order = common, [*order, COMMON]
            weights[COMMON] = Fraction(case.common_weight) if weighted else Fraction(1)
    shares |= exact_shares(case.key, offered, use, weights, order)
    if COMMON in case.use and case.common == "never":
        shares[COMMON] = Fraction(0)
    return shares, Fraction(offered)


def community(case: Case) -> Community:
    meters = [{"id": f"el-{name}", "measures": "electricity", "flat": name, "unit": "kWh"} for name in case.flats]
    if COMMON in case.use:
        meters.append({"id": "el-common", "measures": "electricity", "common": "true", "unit": "kWh"})
    rule = {
        "from": "2026-01-01",
        "key": case.key,
        "common": case.common,
        "surplus": case.surplus,
        "weights": {name: case.weights[name] for name in case.flats},
        "common_weight": case.common_weight,
        "order": list(case.order),
    }
    prices = {"from": "2026-01-01", "solar_eur_per_kwh": "0.18", "vat_percent": {"electricity": "21"}}
    tree = {
        "community": "c",
        "name": "C",
        "timezone": "Europe/Amsterdam",
        "settlement_interval": "1h",
        "owner": "owner",
        "flats": [{"id": name, "floor_area_m2": "50"} for name in case.flats],
        "households": [],
        "meters": meters,
        "sharing": [rule],
        "tariffs": [prices],
    }
    return build(tree, "the case").community


def settled(case: Case) -> Sun:
    """The first hour of a day, the rest of it dark."""
    town = community(case)
    start, end = (microseconds(midnight(day, town.zone)) for day in (DAY, DAY + timedelta(days=1)))
    bounds = range(start, end + 1, 3_600_000_000)
    size = len(bounds) - 1
    used: dict[str, list[int | None]] = {name: [own] + [None] * (size - 1) for name, own in case.use.items()}
    quality: dict[str, list[Quality]] = {name: ["measured"] * size for name in case.use}
    rules = stretches_between(town, DAY, DAY + timedelta(days=1))
    return share(town, rules, bounds, [case.sun] + [0] * (size - 1), used, quality)


amounts = st.one_of(st.integers(0, 12), st.integers(0, 3_000_000))
weight_texts = st.one_of(st.integers(0, 9).map(str), st.decimals(0, 100, places=3).map(str))


@st.composite
def cases(draw: st.DrawFn, /, keys: Sequence[str] = KEYS, surplus: str | None = None) -> Case:
    flats = [f"F{number}" for number in range(draw(st.integers(1, 5)))]
    key = draw(st.sampled_from(keys))
    use: dict[str, int | None] = {name: draw(st.one_of(amounts, st.none())) for name in flats}
    if draw(st.booleans()):
        use[COMMON] = draw(st.one_of(amounts, st.none()))
    weights = {name: draw(weight_texts) for name in flats}
    if not any(map(Fraction, weights.values())):
        weights[flats[0]] = "1"
    rules = ("owner", "community") if key in ("proportional", "priority") else ("owner", "community", "unused_share")
    return Case(
        key,
        draw(st.sampled_from(COMMON_MODES)),
        surplus or draw(st.sampled_from(rules)),
        weights,
        draw(weight_texts),
        tuple(draw(st.permutations(flats))),
        draw(amounts),
        use,
    )


@given(cases())
def test_shares_are_the_exact_ones_rounded_by_largest_remainder(case: Case) -> None:
    found = settled(case)
    exact, _ = oracle(case)
    given_now = {name: column[0] for name, column in found.shared.items()}
    last = COMMON in case.use and case.common == "last"
    key_sum = sum((share for name, share in exact.items()), Fraction(0))
    assert sum(own for name, own in given_now.items() if not (last and name == COMMON)) == floor(key_sum)
    for name, part in exact.items():
        assert abs(given_now[name] - part) < 1, name
    if last:
        assert given_now[COMMON] == min(case.use[COMMON] or 0, case.sun - floor(key_sum))


@given(cases())
def test_sun_is_conserved_and_nobody_gets_more_than_was_used(case: Case) -> None:
    found = settled(case)
    given_now = {name: column[0] for name, column in found.shared.items()}
    assert sum(given_now.values()) + found.surplus[0] == case.sun
    assert found.surplus[0] >= 0
    for name, own in given_now.items():
        assert 0 <= own <= (case.use[name] or 0)


@given(cases(), st.randoms(use_true_random=False))
def test_the_order_in_which_flats_are_written_does_not_matter(case: Case, random: Random) -> None:
    names = list(case.use)
    random.shuffle(names)
    other = Case(
        case.key, case.common, case.surplus, case.weights, case.common_weight, case.order, case.sun,
        {name: case.use[name] for name in names},
    )  # fmt: skip
    first, second = settled(case), settled(other)
    assert {name: column[0] for name, column in first.shared.items()} == {
        name: column[0] for name, column in second.shared.items()
    }
    assert first.surplus[0] == second.surplus[0]
    assert {name: column[0] for name, column in first.unused.items()} == {
        name: column[0] for name, column in second.unused.items()
    }


@given(cases(keys=("fixed", "equal", "hybrid", "optimal"), surplus="unused_share"))
def test_the_surplus_follows_entitlements_that_were_not_used(case: Case) -> None:
    found = settled(case)
    _, offered = oracle(case)
    weighted = case.key in WEIGHTED
    weights = {name: Fraction(case.weights[name]) if weighted else Fraction(1) for name in case.flats}
    whole = sum(weights.values(), Fraction(0))
    if COMMON in case.use and case.common == "participant":
        whole += Fraction(case.common_weight if weighted else 1)
    entitled = {
        name: Fraction(0) if case.use[name] is None else max(Fraction(0), weights[name] / whole * offered - own)
        for name, own in ((name, Fraction(case.use[name] or 0)) for name in case.flats)
    }
    if not any(entitled.values()):
        entitled = weights  # nobody's: what only the common area, or a silent meter, did not use
    parts = {name: column[0] for name, column in found.unused.items()}
    assert sum(parts.values()) == found.surplus[0]
    for name, amount in entitled.items():
        assert abs(parts[name] - found.surplus[0] * amount / sum(entitled.values())) < 1


@given(cases(keys=("proportional", "hybrid")))
def test_keys_that_offer_twice_leave_nothing_while_somebody_needs_it(case: Case) -> None:
    found = settled(case)
    served = [name for name in case.use if name != COMMON or case.common != "never"]
    needed = sum(case.use[name] or 0 for name in served)
    given_now = sum(found.shared[name][0] for name in served)
    rounding = 1 if case.key == "hybrid" else 0
    assert min(case.sun, needed) - given_now <= rounding


@pytest.mark.parametrize("key", KEYS)
def test_dark_intervals_and_silent_meters_share_nothing(key: str) -> None:
    weights = {"F0": "1", "F1": "2"}
    silent: Use = {"F0": None, "F1": None, COMMON: None}
    night = Case(key, "first", "owner", weights, "1", ("F0", "F1"), 0, {"F0": 5, "F1": 7, COMMON: 1})
    deaf = Case(key, "first", "owner", weights, "1", ("F0", "F1"), 10, silent)
    for case, left in ((night, 0), (deaf, 10)):
        found = settled(case)
        assert [column[0] for column in found.shared.values()] == [0, 0, 0]
        assert found.surplus[0] == left
