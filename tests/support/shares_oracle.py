"""What every party gets by the formulas alone, in exact fractions; shares no code with the settlement.

Water is filled by trying which parties are full, where the settlement sorts once; everything else is the formula as
it stands in the literature.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from itertools import combinations
from math import floor
from typing import TypeVar

Exact = dict[str, Fraction]
Party = TypeVar("Party")


def exact_shares(key: str, sun: int, use: Mapping[str, Fraction], weights: Exact, order: Sequence[str]) -> Exact:
    """What every party gets by the formulas, unrounded."""
    total = sum(use.values(), Fraction(0))
    whole = sum(weights.values(), Fraction(0))
    part = {name: weight / whole for name, weight in weights.items()}
    if key in ("fixed", "equal"):
        return {name: min(part[name] * sun, own) for name, own in use.items()}
    if key == "proportional":
        return {name: own * min(Fraction(sun), total) / total if total else Fraction(0) for name, own in use.items()}
    if key == "priority":
        shares, rest = {}, Fraction(sun)
        for name in order:
            shares[name] = min(use[name], rest)
            rest -= shares[name]
        return shares
    if key == "hybrid":
        given = {name: min(part[name] * sun, own) for name, own in use.items()}
        rest = sun - sum(given.values(), Fraction(0))
        need = {name: own - given[name] for name, own in use.items()}
        wanted = sum(need.values(), Fraction(0))
        if wanted:
            given = {name: given[name] + need[name] * min(rest, wanted) / wanted for name in given}
        return given
    return water(sun, use, part)


def water(sun: int, use: Mapping[str, Fraction], part: Exact) -> Exact:
    """Weighted water-filling: the one set of full parties whose level fits."""
    able = [name for name in use if part[name]]
    if sum(use[name] for name in able) <= sun:
        return {name: use[name] if name in able else Fraction(0) for name in use}
    for size in range(len(able)):
        for full in combinations(able, size):
            rest = sun - sum((use[name] for name in full), Fraction(0))
            level = rest / sum(part[name] for name in able if name not in full)
            if level < 0:
                continue
            given = {name: min(use[name], level * part[name]) for name in use}
            if sum(given.values()) == sun:
                return given
    raise AssertionError("no level of the water fits")


def largest_remainder(shares: Mapping[Party, Fraction], total: int, tie: Callable[[Party], bytes]) -> dict[Party, int]:
    """Floor of every share; the rest one by one to the largest remainders, equal ones in the order of ``tie``."""
    parts = {party: floor(share) for party, share in shares.items()}
    ordered = sorted(shares, key=lambda party: (-(shares[party] - floor(shares[party])), tie(party)))
    for party in ordered[: total - sum(parts.values())]:
        parts[party] += 1
    return parts
