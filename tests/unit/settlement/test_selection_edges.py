"""Which readings and events a month is settled from, exactly at the ends of their spans; and their canonical form."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from core.community import Community
from core.time import microseconds
from settlement import selection
from settlement.model import MeterReadings
from tests.support import finaltown
from tests.support.finaltown import FEBRUARY, tree

HOUR = 3_600_000_000
BEGIN, END = (microseconds(datetime(2026, month, day, 23, tzinfo=UTC)) for month, day in ((1, 31), (2, 28)))
"""Of the local month."""
LEVEL = {"id": "silo", "measures": "pellet_stock", "unit": "kg"}


def meter(community: Community, name: str) -> Any:
    return next(one for one in community.meters if one.id == name)


def known(times: Sequence[int], kind: Any = "register") -> MeterReadings:
    return MeterReadings(kind, tuple(times), tuple(Decimal(place) for place in range(len(times))))


def kept(times: Iterable[int], name: str = "el-A", **sections: Any) -> list[int]:
    """Instants that February is settled from, of readings at so many microseconds."""
    selected = selection.used(finaltown.town(**sections), FEBRUARY, {name: known(sorted(times))})
    return [*selected[name].times] if name in selected else []


def test_a_month_needs_an_hour_on_either_side_and_one_reading_more() -> None:
    first, last = BEGIN - HOUR, END + HOUR
    exactly = [first - 2, first - 1, first, first + 1, BEGIN, END, last - 1, last, last + 1, last + 2]
    assert kept(exactly) == exactly[1:-1]
    around = [first - 2, first - 1, first + 1, last - 1, last + 1, last + 2]
    assert kept(around) == around[1:-1]
    assert kept([first, last]) == [first, last]
    assert kept([first - 2, first - 1]) == [first - 1]
    assert kept([last + 1, last + 2]) == [last + 1]
    assert kept([]) == []


def test_every_value_stays_with_its_time() -> None:
    times = [BEGIN - 9 * HOUR, BEGIN - 8 * HOUR, BEGIN, BEGIN + 1, END + 2 * HOUR, END + 9 * HOUR]
    one = selection.used(finaltown.town(), FEBRUARY, {"el-A": known(times, "interval")})["el-A"]
    assert (one.kind, one.times, one.values) == ("interval", tuple(times[1:5]), (1, 2, 3, 4))


def test_a_level_is_read_half_a_day_around_the_months_end_and_only_where_it_may_not_differ() -> None:
    meters, half = [*tree()["meters"], LEVEL], 12 * HOUR
    times = [END - half - 2, END - half - 1, END - half, END, END + half, END + half + 1, END + half + 2]
    strict = tree()["pellets"] | {"level_tolerance_percent": "0"}
    assert kept(times, "silo", meters=meters, pellets=strict) == times[1:-1]
    assert kept(times, "silo", meters=meters) == []
    assert kept(times, "silo", meters=meters, pellets=None) == []


@pytest.mark.parametrize(
    ("opening", "counts", "since"),
    [
        ("2026-02-01T00:00:00+01:00", ["2026-03-01T00:00:00+01:00"], BEGIN),
        ("2026-01-20T00:00:00+01:00", ["2026-02-01T00:00:00+01:00", "2026-03-01T00:00:00+01:00"], BEGIN),
        ("2026-01-20T00:00:00+01:00", [], BEGIN - 288 * HOUR),
        ("2026-01-01T00:00:00+01:00", ["2026-01-30T00:00:00+01:00"], BEGIN - 48 * HOUR),
        ("2026-02-10T00:00:00+01:00", [], BEGIN),  # an opening within the month shortens nothing
    ],
)
def test_boiler_heat_reaches_back_to_the_last_known_stock(opening: str, counts: list[str], since: int) -> None:
    fuel = tree()["pellets"] | {
        "opening": tree()["pellets"]["opening"] | {"at": opening},
        "counts": [{"at": at, "kg": "1100"} for at in counts],
    }
    community = finaltown.town(pellets=fuel)
    assert selection.window(community, FEBRUARY, meter(community, "boiler")) == (since - HOUR, END + HOUR)
    assert selection.window(community, FEBRUARY, meter(community, "heat-A")) == (BEGIN - HOUR, END + HOUR)


def test_two_selections_are_one_in_order_of_time() -> None:
    first, second = known([5, 7]), MeterReadings("register", (1, 7, 9), (Decimal(10), Decimal(1), Decimal(30)))
    both = selection.merged({"a": first, "b": known([3], "interval")}, {"a": second, "c": first})
    assert [*both] == ["a", "b", "c"]
    assert both["a"] == MeterReadings("register", (1, 5, 7, 9), tuple(map(Decimal, (10, 0, 1, 30))))
    assert both["b"] == known([3], "interval")
    assert both["c"] == first


def test_only_heat_meters_are_compared_with_another_month() -> None:
    before, times = FEBRUARY.shift(-1), [BEGIN - 800 * HOUR, BEGIN - 10 * HOUR, BEGIN + 3 * HOUR, BEGIN + 9 * HOUR]
    given = {name: known(times) for name in ("el-A", "heat-A", "heat-B", "boiler")}
    found = selection.compared(finaltown.town(), "heat", before, given)
    assert {name: one.times for name, one in found.items()} == {
        name: tuple(times[:3]) for name in ("heat-A", "heat-B")
    }  # fmt: skip


def test_a_long_gap_widens_the_windows_of_its_kind_and_never_narrows_one() -> None:
    community = finaltown.town(estimates="shaped")
    hours = [BEGIN + hour * HOUR for hour in range(-1, 674)]
    gap = [at for at in hours if not BEGIN + 100 * HOUR < at < BEGIN + 110 * HOUR]
    wide = selection.wide_windows(community, FEBRUARY, {"el-A": known(gap)})
    # Four weeks before the fifth of February, from midnight on.
    assert wide == dict.fromkeys(("el-A", "el-B", "el-common"), (BEGIN + (4 - 28) * 24 * HOUR, END + HOUR))
    assert selection.wide_windows(community, FEBRUARY, {"el-A": known(hours)}) == {}
    late = [at for at in hours if at <= END - 5 * HOUR] + [END + 5 * HOUR]  # the last gap reaches over the hour
    assert selection.wide_windows(community, FEBRUARY, {"el-A": known(late)})["el-B"][1] == END + 5 * HOUR


def canonical(**sections: Any) -> dict[str, Any]:
    line = next(selection.canonical(finaltown.town(**sections), FEBRUARY, {}))
    assert line.endswith("}\n")
    found: dict[str, Any] = json.loads(line)
    return found


def names(entries: list[dict[str, Any]], field: str) -> list[str]:
    return [entry[field] for entry in entries]


def test_what_begins_after_the_months_last_day_is_left_out() -> None:
    days = ("2026-03-01", "2026-02-28", "2026-02-01", "2026-03-02")
    households = [
        {"id": f"h-{place}", "flat": "A", "from": day, "until": str(date.fromisoformat(day) + timedelta(days=1))}
        for place, day in enumerate(days)
    ]
    advances = [{"household": f"h-{place}", "from": day, "eur_per_month": "1"} for place, day in enumerate(days)]
    costs = [{"date": day, "pool": "heat", "eur": "1", "invoice": day} for day in days]
    told = canonical(households=households, advances=advances, costs=costs)
    assert names(told["households"], "id") == ["h-1", "h-2"]
    assert names(told["advances"], "from") == ["2026-02-01", "2026-02-28"]
    assert names(told["costs"], "date") == ["2026-02-01", "2026-02-28"]


def test_pellet_events_count_until_twelve_hours_after_the_month() -> None:
    last, over = "2026-03-01T12:00:00+01:00", "2026-03-01T12:00:01+01:00"
    fuel = tree()["pellets"] | {
        "deliveries": [{"at": at, "kg": "1", "eur": "1", "invoice": at} for at in (over, last)],
        "counts": [{"at": at, "kg": "1100"} for at in (over, last)],
        "corrections": [{"at": at, "kg": "1", "why": "x", "by": "y"} for at in (over, last)],
    }
    told = canonical(pellets=fuel)["pellets"]
    for section in ("deliveries", "counts", "corrections"):
        assert names(told[section], "at") == ["2026-03-01T11:00:00Z"]


def test_work_counts_in_the_local_month_in_which_it_was_done() -> None:
    times = ("2026-01-31T22:59:59Z", "2026-01-31T23:00:00Z", "2026-02-28T22:59:59Z", "2026-02-28T23:00:00Z")
    work = [{"at": at, "household": "h-a", "task": "ash", "bags": "2"} for at in times]
    given = {"tasks": [{"id": "ash"}], "work": work}
    rule = [{"from": "2025-01-01", "eur_per_bag": "0.50", "eur": {"ash": "5.00"}}]
    assert names(canonical(**given, work_credits=rule)["work"], "at") == [*times[1:3]]
    assert not {"work", "work_credits"} & canonical(**given).keys()
    assert canonical(tasks=[{"id": "ash"}], work_credits=rule)["work"] == []


def events() -> dict[str, Any]:
    """Sections that hold several events each, in an order of their own."""
    rule = {"from": "2025-01-01", "eur_per_bag": "0.50", "eur": {"ash": "5.00"}}
    swap = {"meter": "el-B", "at": "2026-02-12T10:00:00Z", "old_end": "9", "new_start": "0"}
    edit = {"meter": "el-A", "by": "a volunteer", "why": "dark"}
    return {
        "households": tree()["households"],
        "advances": [{"household": name, "from": "2025-01-01", "eur_per_month": "9"} for name in ("h-a", "h-b")],
        "costs": [{"date": "2026-02-20", "pool": "heat", "eur": "6", "invoice": name} for name in ("M-4", "M-5")],
        "replacements": [swap, swap | {"at": "2026-02-13T10:00:00Z"}],
        "edits": [edit | {"at": f"2026-02-1{day}T09:00:00Z", "value": "161.7"} for day in (0, 1)],
        "tasks": [{"id": "ash"}],
        "work_credits": [rule],
        "work": [{"at": f"2026-02-1{day}T09:00:00Z", "household": "h-a", "task": "ash"} for day in (0, 1)],
        "pellets": tree()["pellets"] | {
            "deliveries": [
                {"at": "2026-02-10T09:00:00Z", "kg": "9", "eur": "3", "invoice": name} for name in ("P-1", "P-2")
            ],
            "counts": [{"at": f"2026-02-2{day}T09:00:00Z", "kg": "1100"} for day in (0, 1)],
            "corrections": [
                {"at": f"2026-02-1{day}T09:00:00Z", "kg": "1", "why": "x", "by": "y"} for day in (0, 1)
            ],
        },
    }  # fmt: skip


@pytest.mark.parametrize(
    "section",
    ["households", "advances", "costs", "replacements", "edits", "work", "deliveries", "counts", "corrections"],
)
def test_the_order_of_events_says_nothing(section: str) -> None:
    turned = events()
    holder = turned["pellets"] if section in turned["pellets"] else turned
    holder[section] = holder[section][::-1]
    as_given, as_turned = canonical(**events()), canonical(**turned)
    assert as_turned == as_given
    found = (as_given["pellets"] if section in as_given["pellets"] else as_given)[section]
    assert len(found) == 2
    assert found[0] != found[1]


def test_who_swapped_a_meter_is_not_in_the_hash_and_who_read_it_is() -> None:
    signed = events()
    signed["replacements"] = [one | {"by": "a fitter", "why": "worn"} for one in signed["replacements"]]
    assert canonical(**signed) == canonical(**events())
    assert {one["by"] for one in canonical(**events())["edits"]} == {"a volunteer"}


def test_what_says_nothing_is_left_out() -> None:
    plain = canonical()
    assert {"edits", "work", "work_credits", "estimates", "location"} & plain.keys() == set()
    assert {"corrections", "level_tolerance_percent"} & plain["pellets"].keys() == set()
    assert {"hot_water", "failed_meters"} & plain["heat"][0].keys() == set()
    assert {"until", "windows", "solar_at_most_percent_of_grid", "netting_until"} & plain["tariffs"][0].keys() == set()
    # But what says nothing and has always been there stays.
    assert plain["tariffs"][0]["grid_eur_per_kwh"] is None
    assert plain["replacements"] == []
    assert "max_kw" not in plain["meters"][0]
    assert plain["month"] == "2026-02"
    shaped = canonical(estimates="shaped")
    assert (shaped["estimates"], shaped["location"]) == ("shaped", None)
    strict = canonical(pellets=tree()["pellets"] | {"level_tolerance_percent": "0"})
    assert strict["pellets"]["level_tolerance_percent"] == "0"
    ruled = canonical(heat=[tree()["heat"][0] | {"failed_meters": "estimate"}])
    assert ruled["heat"][0]["failed_meters"] == "estimate"
    assert canonical(heat=None, costs=[], pellets=None)["pellets"] is None
    ended = canonical(tariffs=[tree()["tariffs"][0] | {"until": "2027-01-01"}])
    assert ended["tariffs"][0]["until"] == "2027-01-01"


def test_letters_are_written_as_they_are() -> None:
    cost = tree()["costs"][0] | {"what": "financiële \u20ac"}
    line = next(selection.canonical(finaltown.town(costs=[cost]), FEBRUARY, {}))
    assert '"what":"financiële \u20ac"' in line


def test_lengths_of_time_are_in_milliseconds() -> None:
    assert {one["every"] for one in canonical()["meters"]} == {3_600_000}


def test_readings_follow_by_meter_and_time() -> None:
    selected = {
        "pv": MeterReadings("interval", (BEGIN,), (Decimal("1.50"),)),
        "el-A": MeterReadings("register", (BEGIN, BEGIN + 500_000), (Decimal("2E+1"), Decimal("0.000"))),
    }
    assert [*selection.canonical(finaltown.town(), FEBRUARY, selected)][1:] == [
        "el-A,2026-01-31T23:00:00Z,20\n",
        "el-A,2026-01-31T23:00:00.500000Z,0\n",
        "pv,2026-01-31T23:00:00Z,1.5,interval\n",
    ]


@pytest.mark.parametrize(
    ("value", "text"), [("1.50", "1.5"), ("100", "100"), ("10.0", "10"), ("1E+2", "100"), ("0.10", "0.1"), ("0", "0")]
)
def test_a_value_is_printed_in_one_way(value: str, text: str) -> None:
    assert selection.plain(Decimal(value)) == text
