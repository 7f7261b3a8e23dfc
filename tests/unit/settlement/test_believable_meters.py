"""Which meters of a month are doubted: those that hung, those that count too much at once, and flats in the dark."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal

import pytest

from core.community import Community
from core.communityfile import build
from settlement.model import Finding, Quality, Series
from settlement.plausibility import Stand, of_meters, standing

HOUR = 3_600_000_000
KWH = 10**6
Row = Sequence[str | int | None]
"""What a meter counted in each hour [kWh]: None is missing, a number that ends in ``e`` was estimated."""

KINDS = {
    "el-A": ("electricity", "A"), "el-B": ("electricity", "B"), "el-C": ("electricity", "C"),
    "el-D": ("electricity", "D"), "el-common": ("electricity", None), "in": ("grid_import", None),
    "out": ("grid_export", None),
    "pv": ("solar_generation", None), "boiler": ("heat_produced", None),
    "heat-A": ("heat", "A"), "heat-B": ("heat", "B"), "heat-C": ("heat", "C"), "heat-D": ("heat", "D"),
}  # fmt: skip


def town(unit: str = "kWh", extra: Sequence[Mapping[str, str]] = ()) -> Community:
    meters = [
        {"id": name, "measures": kind, "unit": unit if kind == "heat" else "kWh"}
        | ({"flat": flat} if flat else {"common": "true"} if kind == "electricity" else {})
        for name, (kind, flat) in KINDS.items()
    ]
    return build(
        {
            "community": "c",
            "name": "C",
            "timezone": "UTC",
            "settlement_interval": "1h",
            "owner": "owner",
            "flats": [{"id": flat, "floor_area_m2": "50"} for flat in "ABCD"],
            "households": [],
            "meters": [{"id": "silo", "measures": "pellet_stock", "unit": "kg"}, *meters, *extra],
            "sharing": [{"from": "2026-01-01", "key": "proportional"}],
            "tariffs": [{"from": "2026-01-01", "solar_eur_per_kwh": "0", "vat_percent": {"electricity": "0"}}],
        },
        "the case",
    ).community


TOWN = town()


def series(name: str, row: Row) -> Series:
    energy = [None if one is None else int(Decimal(str(one).removesuffix("e")) * KWH) for one in row]
    quality: list[Quality] = [
        "missing" if one is None else "estimated" if str(one).endswith("e") else "measured" for one in row
    ]
    return Series.of(name, energy, quality, [None] * len(row))


def look(rows: Mapping[str, Row], community: Community = TOWN, step: int = HOUR) -> list[Finding]:
    """Look at a month of the meters that have a row, and of a silo's level, of which no interval is known."""
    meters = tuple(one for one in community.meters if one.id in rows or one.measures == "pellet_stock")
    community = community.model_copy(update={"meters": meters})
    size = len(next(iter(rows.values())))
    bounds = [place * step for place in range(size + 1)]
    return of_meters(community, {name: series(name, row) for name, row in rows.items()}, bounds)


def told(found: Sequence[Finding], step: int = HOUR) -> list[tuple[str, str | None, float | None, float | None]]:
    """Code, meter, and from which interval to which."""
    return [(one.code, one.meter, *(at if at is None else at / step for at in (one.start, one.until))) for one in found]


def hung(still: int, at_once: str, *other: int) -> list[str | int | None]:
    """Ten hours of use, other standstills with ten hours after each, the standstill, what came at once, and use."""
    row: list[str | int | None] = [1] * 10
    for length in other:
        row += [0] * length + [1] * 10
    return [*row, *[0] * still, at_once, *[1] * 40]


def begins(*other: int) -> int:
    """The hour in which the standstill of `hung` begins."""
    return 10 + sum(other) + 10 * len(other)


# ---- standstills


def test_a_standstill_is_where_a_meter_was_read_and_did_not_move() -> None:
    assert standing(series("m", [0, 0, 1, 0, None, 0, "0e", 0, 0])) == [
        Stand(0, 2), Stand(3, 4), Stand(5, 6), Stand(7, 9),
    ]  # fmt: skip
    assert standing(series("m", [1, None, "0e"])) == []


# ---- those that caught up


def test_a_meter_that_hung_is_told_once_and_from_when_to_when() -> None:
    """60 kWh at once are more than a flat's connection carries, and its neighbours went on: one finding says it all."""
    rows = {"el-A": hung(60, "61"), "el-B": [1] * 111, "el-C": [1] * 111}
    (one,) = look(rows)
    assert told([one]) == [("register-frozen", "el-A", 10, 70)]
    assert one.text == (
        "Meter el-A (flat A) stood still for 60 hours and then counted at once what it had missed: it hung. Nothing was"
        " changed; set what it showed meanwhile aside to have it estimated."
    )


def test_a_meter_that_belongs_to_no_flat_is_named_by_itself() -> None:
    (one,) = look({"el-common": hung(30, "31")})
    assert one.text.startswith("Meter el-common stood still for 30 hours")


@pytest.mark.parametrize(("still", "so"), [(5, False), (6, True)])
def test_six_hours_are_the_shortest_that_is_looked_at(still: int, so: bool) -> None:
    assert told(look({"el-A": hung(still, "7")})) == ([("register-frozen", "el-A", 10, 10 + still)] if so else [])


def test_six_hours_are_24_quarters() -> None:
    quarter = HOUR // 4
    assert look({"el-A": hung(23, "13")}, step=quarter) == []
    (one,) = look({"el-A": hung(24, "13")}, step=quarter)
    assert told([one], quarter) == [("register-frozen", "el-A", 10, 34)]
    assert "stood still for 6 hours" in one.text


@pytest.mark.parametrize(("others", "so"), [((4, 9), True), ((9, 4), True), ((4, 10), False), ((10, 4), False)])
def test_what_always_moves_hung_only_where_it_never_stands_still_a_third_as_long(
    others: tuple[int, int], so: bool
) -> None:
    for meter in ("el-A", "in"):
        row = hung(30, "31", *others)
        found = [("register-frozen", meter, begins(*others), begins(*others) + 30)] if so else []
        assert told(look({meter: row})) == found
        # The longest counts, wherever it stands among the others.
        first, second = others
        row = [*hung(30, "31", first), *[0] * second, *[1] * 5]
        found = [("register-frozen", meter, begins(first), begins(first) + 30)] if so else []
        assert told(look({meter: row})) == found


@pytest.mark.parametrize(("other", "so"), [(7, True), (8, False)])
def test_what_rests_every_night_hung_only_where_it_never_rests_as_long(other: int, so: bool) -> None:
    start = begins(other)
    assert told(look({"pv": hung(8, "9", other)})) == ([("register-frozen", "pv", start, start + 8)] if so else [])


@pytest.mark.parametrize(
    ("meter", "at_once", "so"),
    [("el-A", "2", False), ("el-A", "2.000001", True), ("pv", "6", False), ("pv", "6.000001", True)],
)
def test_what_came_at_once_is_the_largest_of_the_month_and_for_the_sun_three_times_any_other(
    meter: str, at_once: str, so: bool
) -> None:
    row = hung(6, at_once)
    row[3] = 2
    assert told(look({meter: row})) == ([("register-frozen", meter, 10, 16)] if so else [])


@pytest.mark.parametrize(("at_once", "so"), [("9.999999", False), ("10", True)])
def test_a_quarter_of_what_is_usual_is_reckoned_from_the_hours_that_are_known(at_once: str, so: bool) -> None:
    """40 hours at a pace of one, whatever is missing: a quarter of them is 10 kWh."""
    row = [*[1] * 10, *[0] * 40, at_once, *[None] * 30, *[1] * 10]
    assert told(look({"el-A": row})) == ([("register-frozen", "el-A", 10, 50)] if so else [])


def test_who_did_not_count_on_at_once_has_not_caught_up() -> None:
    assert look({"el-A": [*[1] * 40, *[0] * 20]}) == []  # the month ends
    assert look({"el-A": [*[1] * 40, *[0] * 20, None, 21, *[1] * 10]}) == []  # nobody knows


def test_a_meter_of_which_nothing_else_is_known_has_no_pace_that_it_could_have_missed() -> None:
    assert look({"el-A": [*[None] * 40, *[0] * 20, 5, *[None] * 10]}) == []


def test_what_goes_out_may_rest_for_weeks() -> None:
    assert look({"out": hung(30, "31")}) == []


# ---- those that stood still while others went on


@pytest.mark.parametrize(("still", "so"), [(47, False), (48, True)])
def test_two_days_are_the_shortest_for_a_flats_electricity(still: int, so: bool) -> None:
    rows = {"el-A": hung(still, "1"), "el-B": [1] * (51 + still)}
    found = look(rows)
    assert told(found) == ([("register-frozen", "el-A", 10, 10 + still)] if so else [])
    text = "Meter el-A (flat A) was read but stood still for 48 hours while others of its kind went on."
    assert [one.text for one in found] == ([text] if so else [])


@pytest.mark.parametrize(("other", "so"), [(49, True), (50, False)])
def test_who_stood_still_as_long_before_is_not_frozen_whichever_came_first(other: int, so: bool) -> None:
    early, late = hung(50, "1", other), [*hung(50, "1"), *[0] * other, 1]
    for row, start in ((early, begins(other)), (late, 10)):
        found = look({"el-A": row, "el-B": [1] * len(row)})
        assert told(found) == ([("register-frozen", "el-A", start, start + 50)] if so else [])


@pytest.mark.parametrize(("still", "so"), [(48, False), (49, True)])
def test_who_is_alone_is_frozen_beyond_three_times_its_longest_rest(still: int, so: bool) -> None:
    found = look({"pv": hung(still, "1", 16)})
    assert told(found) == ([("register-frozen", "pv", 36, 85)] if so else [])
    assert [one.text for one in found] == (["Meter pv was read but stood still for 49 hours."] if so else [])


def test_a_neighbour_that_was_not_read_meanwhile_did_not_go_on() -> None:
    """Nobody can tell then: to say that others went on would be untrue."""
    still = hung(50, "1")
    silent = [*[1] * 10, *[None] * 50, *[1] * 41]
    assert look({"el-A": still, "el-B": silent}) == []
    never: Row = [None] * 101
    assert look({"el-A": still, "el-B": never}) == []
    (one,) = look({"el-A": still, "el-B": never, "el-C": [1] * 101})
    assert told([one]) == [("register-frozen", "el-A", 10, 60)]


def test_a_neighbour_that_was_silent_and_had_counted_on_when_it_spoke_again_did_go_on() -> None:
    moved, rested = ([*[1] * 10, *[one] * 50, *[1] * 41] for one in ("1e", "0e"))
    assert told(look({"el-A": hung(50, "1"), "el-B": moved})) == [("register-frozen", "el-A", 10, 60)]
    assert look({"el-A": hung(50, "1"), "el-B": rested}) == []


def test_a_neighbour_went_on_where_it_moved_at_all_meanwhile() -> None:
    for hour in (10, 59):
        row = [*[1] * 10, *[0] * 50, *[1] * 41]
        row[hour] = 1
        assert ("register-frozen", "el-A", 10, 60) in told(look({"el-A": hung(50, "1"), "el-B": row}))
    # Who rested from before to after has moved in none of it; its own rest is longer, and the other went on in that.
    longer = [*[1] * 9, *[0] * 52, *[1] * 40]
    assert told(look({"el-A": hung(50, "1"), "el-B": longer})) == [("register-frozen", "el-B", 9, 61)]


def off(first: int, still: int) -> list[int]:
    """Heat of 300 hours, with none for some."""
    return [1 if not first <= hour < first + still else 0 for hour in range(300)]


@pytest.mark.parametrize(("still", "so"), [(167, False), (168, True)])
def test_a_week_is_the_shortest_for_a_flats_heat(still: int, so: bool) -> None:
    rows = {"heat-A": off(50, still), "heat-B": off(0, 0), "heat-C": off(0, 0)}
    assert told(look(rows)) == ([("register-frozen", "heat-A", 50, 50 + still)] if so else [])


def test_heat_that_one_other_flat_turned_off_as_long_too_is_no_fault_and_a_shorter_rest_tells_nothing() -> None:
    a, goes_on = off(50, 200), off(0, 0)
    two_more = {"heat-C": goes_on, "heat-D": goes_on}
    assert look({"heat-A": a, "heat-B": off(50, 200), **two_more}) == []
    assert told(look({"heat-A": a, "heat-B": off(40, 220), **two_more})) == [("register-frozen", "heat-B", 40, 260)]
    for shorter in (off(51, 199), off(50, 199)):
        assert told(look({"heat-A": a, "heat-B": shorter, **two_more})) == [("register-frozen", "heat-A", 50, 250)]
    # What rests beside it is of another kind.
    assert told(look({"heat-A": a, "heat-B": goes_on, "pv": [0] * 300})) == [("register-frozen", "heat-A", 50, 250)]


def test_electricity_is_not_turned_off_so_two_that_rest_while_most_go_on_are_told() -> None:
    rests = hung(50, "1")
    rows = {"el-A": rests, "el-B": rests, "el-C": [1] * 101, "el-D": [1] * 101}
    assert told(look(rows)) == [("register-frozen", "el-A", 10, 60), ("register-frozen", "el-B", 10, 60)]


def test_a_flat_whose_heat_was_not_read_keeps_nobody_from_telling() -> None:
    rows = {"heat-A": off(50, 200), "heat-B": [None] * 300, "heat-C": off(0, 0)}
    assert told(look(rows)) == [("register-frozen", "heat-A", 50, 250)]


# ---- more than a connection carries


@pytest.mark.parametrize(
    ("meter", "carried", "step"),
    [
        ("el-A", "55.2", HOUR),  # the largest small connection, though a flat's usual one carries 17.25
        ("el-common", "55.2", HOUR),
        ("el-A", "13.8", HOUR // 4),
        ("heat-A", "60", HOUR),
        ("in", "172.5", HOUR),
        ("boiler", "500", HOUR),
    ],
)
def test_an_interval_that_holds_more_than_is_carried_is_told(meter: str, carried: str, step: int) -> None:
    more = str(Decimal(carried) + Decimal("0.000001"))
    assert look({meter: [1, 1, carried, 1, None]}, step=step) == []
    assert told(look({meter: [1, 1, more, 1, None]}, step=step), step) == [("register-jumped", meter, 2, 3)]
    assert told(look({meter: [1, more, carried, more, 1]}, step=step), step) == [("register-jumped", meter, 1, 4)]


def test_of_units_nobody_knows_how_many_come_at_once() -> None:
    assert look({"heat-A": [1, 10**6, 1]}, town("units")) == []


# ---- flats in the dark


@pytest.mark.parametrize(("heat", "so"), [("9.999999", False), ("10", True)])
def test_a_flat_that_took_twenty_kilowatt_hours_of_heat_uses_electricity(heat: str, so: bool) -> None:
    found = look({"heat-A": [heat, 10, None], "el-A": [0, 0, 0]})
    assert told(found) == ([("heat-without-electricity", "el-A", None, None)] if so else [])
    text = "Flat A took heat but no electricity; check whether its electricity meter hangs."
    assert [one.text for one in found] == ([text] if so else [])


@pytest.mark.parametrize("electricity", [[0, 0, "0.000001"], [0, 0, None], [0, 0, "0e"], [None] * 3])
def test_only_of_what_was_read_throughout_and_never_moved_can_that_be_said(electricity: Row) -> None:
    assert look({"heat-A": [10, 10, 10], "el-A": electricity}) == []


def test_every_flat_is_looked_at_by_its_own_meters() -> None:
    community = town(extra=[{"id": "el-A2", "measures": "electricity", "flat": "A", "unit": "kWh"},
                            {"id": "heat-A2", "measures": "heat", "flat": "A", "unit": "kWh"}])  # fmt: skip
    warm, dark = [4, 4, 4], [0, 0, 0]
    rows = {"heat-A": warm, "heat-A2": warm, "heat-B": warm, "el-A": dark, "el-A2": dark, "el-B": dark}
    everything = {name: [1, 1, 1] for name in KINDS} | rows
    assert told(look(everything, community)) == [("heat-without-electricity", "el-A", None, None)]
    assert look(everything | {"el-A2": [0, 0, 1]}, community) == []
    assert look(everything | {"el-A2": [0, 0, None]}, community) == []


def test_a_flat_without_a_meter_for_electricity_is_in_no_dark_and_units_are_no_heat_in_kilowatt_hours() -> None:
    assert look({"heat-A": [10, 10, 10]}) == []
    assert look({"heat-A": [10, 10, 10], "el-A": [0, 0, 0]}, town("units")) == []
