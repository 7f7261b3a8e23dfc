"""The common area's turn, whose the surplus is, and numbers near the limit of 64 bits; each case both ways, by hand."""

from __future__ import annotations

from typing import Any

import pytest

from core.community import Community
from settlement.amounts import Amounts, Table
from settlement.division import COMMON, Divider
from settlement.sharing import key_of
from tests.support.sharingtown import sharing_town

NEW_YEAR = 1_767_222_000_000_000
Shares = dict[str, int]


def divided(town: Community, sun: int, use: dict[str, int | None]) -> tuple[Shares, Shares | None]:
    """What everyone is given in an interval, and whose the surplus is; the same one by one and many at once."""
    divider = Divider(town, town.sharing[0], [*use])
    given, spare = divider.interval(NEW_YEAR, sun, use)
    many, spares = divider.block(
        [NEW_YEAR], Amounts.of([sun]).array, Table.of({n: [v] for n, v in use.items()}, 1).rows
    )
    assert many[:, 0].tolist() == [given.get(name, 0) for name in use]
    flats = [flat.id for flat in town.flats]
    assert (spares is None) == (town.sharing[0].surplus != "unused_share")
    if spares is None:
        assert spare == {}
        return given, None
    assert spares[:, 0].tolist() == [spare.get(flat, 0) for flat in flats]
    return given, dict(zip(flats, spares[:, 0].tolist(), strict=True))


def town(key: str, common: str = "never", **rule: Any) -> Community:
    return sharing_town(["A", "B"], {"key": key, "common": common, **rule}, common=True)


@pytest.mark.parametrize(
    ("mode", "sun", "shares"),
    [
        ("first", 20, (0, 0, 20)),
        ("first", 65, (14, 21, 30)),
        ("first", 110, (32, 48, 30)),
        ("last", 65, (26, 39, 0)),
        ("last", 110, (40, 60, 10)),
        ("last", 200, (40, 60, 30)),
        ("participant", 65, (20, 30, 15)),
        ("participant", 110, (34, 51, 25)),  # 33.8, 50.8 and 25.4
        ("never", 65, (26, 39, None)),
        ("never", 110, (40, 60, None)),
    ],
)
def test_the_common_area_is_served_first_last_with_the_others_or_never(
    mode: str, sun: int, shares: tuple[int, int, int | None]
) -> None:
    """A uses 40, B 60 and the common area 30; by use."""
    given, spare = divided(town("proportional", mode), sun, {"A": 40, "B": 60, COMMON: 30})
    assert ((given["A"], given["B"], given.get(COMMON)), spare) == (shares, None)


@pytest.mark.parametrize("unit", [1, 2**64])
@pytest.mark.parametrize(
    ("use", "spare"),
    [
        ((0, 30), (45, 15)),
        ((15, 30), (30, 15)),
        ((None, 30), (0, 60)),  # of a flat that was not read nobody knows that it left its part
        ((None, None), (45, 45)),
    ],
)
def test_what_is_left_is_theirs_who_used_less_than_their_part(
    use: tuple[int | None, int | None], spare: tuple[int, int], unit: int
) -> None:
    a, b = (None if one is None else one * unit for one in use)
    left = sum(spare) * unit
    given, found = divided(town("equal", surplus="unused_share"), 90 * unit, {"A": a, "B": b})
    assert sum(given.values()) == 90 * unit - left
    assert found == {"A": spare[0] * unit, "B": spare[1] * unit}


@pytest.mark.parametrize(
    ("weights", "sun", "use", "spare"),
    [
        (("1", "1"), 2**60, (2**60, 0), (0, 2**59)),
        (("1", "1"), 2**60, (0, 0), (2**59, 2**59)),
        (("33", "31"), 2**55, (0, 0), (33 * 2**49, 31 * 2**49)),
    ],
)
def test_whose_the_surplus_is_of_sums_whose_quotients_do_not_fit_in_64_bits(
    weights: tuple[str, str], sun: int, use: tuple[int, int], spare: tuple[int, int]
) -> None:
    rule = town("fixed", surplus="unused_share", weights=dict(zip("AB", weights, strict=True)))
    assert divided(rule, sun, dict(zip("AB", use, strict=True)))[1] == dict(zip("AB", spare, strict=True))


def test_who_has_all_it_needs_takes_no_part_in_the_drawing_of_what_is_left() -> None:
    """Of 10 A needs 1, and B and C share the other 9: one of them gets the odd one, whatever the hour."""
    flats = {"A": [1] * 48, "B": [100] * 48, "C": [100] * 48}
    rule = {"key": "optimal", "weights": dict.fromkeys(flats, "1")}
    alike = sharing_town([*flats], rule, common=False)
    starts = [NEW_YEAR + hour * 3_600_000_000 for hour in range(48)]
    divider = Divider(alike, alike.sharing[0], [*flats])
    found, _ = divider.block(starts, Amounts.of([10] * 48).array, Table.of(flats, 48).rows)
    assert set(map(tuple, found.T.tolist())) == {(1, 4, 5), (1, 5, 4)}


@pytest.mark.parametrize(
    ("weights", "common", "whole"),
    [
        ({"A": "60", "B": "40"}, "20", [3, 2, 1]),
        ({"A": "0.50", "B": "1.5"}, "0", [1, 3, 0]),
        ({"A": "7"}, "0", [1, 0]),
    ],
)
def test_weights_are_whole_numbers_without_a_common_divisor_and_a_common_area_may_have_none(
    weights: dict[str, str], common: str, whole: list[int]
) -> None:
    rule = {"key": "fixed", "common": "participant", "weights": weights, "common_weight": common}
    alike = sharing_town([*weights], rule, common=True)
    key, found = key_of(alike, alike.sharing[0])
    assert (found, key.weights) == (whole, whole)


def test_an_order_that_the_key_does_not_ask_for_is_ignored_whoever_it_names() -> None:
    alike = town("equal", order=["gone", "B"])
    assert divided(alike, 90, {"A": 100, "B": 20}) == ({"A": 45, "B": 20}, None)
    ranked = town("priority", order=["B", "A"])
    assert divided(ranked, 90, {"A": 100, "B": 20}) == ({"A": 70, "B": 20}, None)
