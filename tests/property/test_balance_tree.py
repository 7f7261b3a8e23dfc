"""The balance always adds up: branches and rest are the whole, twice all is twice all, and unknown stays unknown."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, replace
from fractions import Fraction
from typing import Any

from hypothesis import assume, given
from hypothesis import strategies as st

from settlement.balance import Balance, Figures, Node, balance, document, rows_of

AMOUNTS = [
    "sun", "sun_flats", "sun_common", "surplus", "grid_import", "grid_export", "flats", "common", "boiler_heat",
    "flats_heat",
]  # fmt: skip
KINDS = ["solar_generation", "grid_import", "grid_export", "flats", "common", "heat_produced", "heat"]
energy = st.none() | st.integers(0, 10**13)


@st.composite
def figures(draw: st.DrawFn) -> Figures:
    return Figures(
        has=frozenset(draw(st.sets(st.sampled_from(KINDS)))),
        complete=draw(st.booleans()),
        burnt_kg=draw(st.none() | st.fractions(0, 20_000, max_denominator=1000)),
        kwh_per_kg=draw(st.none() | st.just(Fraction(48, 10))),
        **{name: draw(energy) for name in AMOUNTS},
    )


def nodes(tree: Node) -> Iterator[Node]:
    yield tree
    for child in tree.children:
        yield from nodes(child)


def all_of(whole: Balance) -> list[Node]:
    return [*nodes(whole.building), *nodes(whole.sun)]


@given(figures())
def test_branches_and_rest_are_the_whole(drawn: Figures) -> None:
    for node in all_of(balance(drawn)):
        parts = [child.amount for child in node.children]
        if node.amount is None or None in parts or not parts:
            assert node.rest is None
        else:
            assert sum(part for part in parts if part is not None) + (node.rest or 0) == node.amount


@given(figures())
def test_twice_everything_is_twice_everything(drawn: Figures) -> None:
    assume(drawn.fuel is None or drawn.fuel * 2 == replace(drawn, burnt_kg=(drawn.burnt_kg or 0) * 2).fuel)
    doubled = replace(
        drawn,
        burnt_kg=None if drawn.burnt_kg is None else drawn.burnt_kg * 2,
        **{name: None if value is None else value * 2 for name in AMOUNTS for value in [getattr(drawn, name)]},
    )
    for once, twice in zip(rows_of(balance(drawn)), rows_of(balance(doubled)), strict=True):
        assert (once.name, once.depth) == (twice.name, twice.depth)
        assert twice.amount == (None if once.amount is None else 2 * once.amount)


@given(figures(), st.sampled_from(AMOUNTS))
def test_what_is_not_known_is_never_zero(drawn: Figures, name: str) -> None:
    """Whatever hangs on a figure that is missing is missing too: no branch takes it for nothing."""
    with_zero = balance(replace(drawn, **{name: 0}))
    without = balance(replace(drawn, **{name: None}))
    for zero, unknown in zip(all_of(with_zero), all_of(without), strict=True):
        assert unknown.amount in (None, zero.amount)
        assert unknown.rest in (None, zero.rest)
    unknown_names = {row.name for row in rows_of(without) if row.amount is None}
    shown = {row.name for row in rows_of(with_zero)}
    assert (name if name != "grid_import" else "electricity") in unknown_names or name not in shown


@given(figures())
def test_a_machine_is_told_every_branch(drawn: Figures) -> None:
    whole = balance(drawn)

    def names(told: dict[str, Any]) -> Iterator[str]:
        yield told["name"]
        for child in told.get("children", ()):
            yield from names(child)

    assert [*names(document(whole.building)), *names(document(whole.sun))] == [node.name for node in all_of(whole)]
    assert {one.name for one in fields(Figures)} >= set(AMOUNTS)
