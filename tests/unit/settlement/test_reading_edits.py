"""What a person did to readings: put in by hand, set aside; told with who and why; others are not touched."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from core.community import Community
from core.communityfile import build
from core.time import Month
from settlement import edits
from settlement.model import MeterReadings
from settlement.readings import register_gaps, total_between
from settlement.selection import canonical

HOUR = 3_600_000_000
START = 1_767_225_600_000_000
"""2026-01-01T00:00:00Z [microseconds]."""
SEVEN = tuple(START + hour * HOUR for hour in range(7))


def town(*done: dict[str, str]) -> Community:
    meters = [{"id": name, "measures": "electricity", "flat": flat, "unit": "kWh"} for name, flat in METERS.items()]
    tree: dict[str, Any] = {
        "community": "c",
        "name": "C",
        "timezone": "UTC",
        "settlement_interval": "1h",
        "owner": "owner",
        "flats": [{"id": flat} for flat in METERS.values()],
        "households": [],
        "meters": meters,
        "edits": [{"meter": "el-A", "by": "a resident", "why": "the display was read", **one} for one in done],
        "sharing": [{"from": "2026-01-01", "key": "proportional"}],
        "tariffs": [{"from": "2026-01-01", "solar_eur_per_kwh": "0", "vat_percent": {"electricity": "0"}}],
    }
    return build(tree, "the case").community


METERS = {"el-A": "A", "el-B": "B"}


def at(hour: int) -> str:
    return f"2026-01-01T{hour:02}:00:00Z"


def counted(*hours: int) -> MeterReadings:
    """A register that counts one kWh an hour from 100, read at these hours."""
    return MeterReadings("register", tuple(SEVEN[hour] for hour in hours), tuple(Decimal(100 + hour) for hour in hours))


def left(community: Community, known: MeterReadings | None, place: int = 0) -> dict[int, str] | None:
    """Values that count, by hour."""
    found = edits.applied(community, community.meters[place], known)
    if found is None:
        return None
    assert list(found.times) == sorted(found.times)
    return {(time - START) // HOUR: str(value) for time, value in zip(found.times, found.values, strict=True)}


def test_readings_of_a_meter_nobody_edited_are_the_very_same() -> None:
    community, known = town({"at": at(2), "exclude": "true"}), counted(*range(7))
    assert edits.applied(community, community.meters[1], known) is known
    assert edits.applied(community, community.meters[1], None) is None


def test_one_instant_is_set_aside_alone() -> None:
    assert left(town({"at": at(2), "exclude": "true"}), counted(1, 2, 3)) == {1: "101", 3: "103"}


def test_a_span_is_set_aside_with_both_of_its_ends() -> None:
    span = {"at": at(2), "until": at(4), "exclude": "true"}
    assert left(town(span), counted(*range(7))) == {0: "100", 1: "101", 5: "105", 6: "106"}


def test_what_a_person_read_counts_before_what_the_meter_said_and_stands_in_its_place() -> None:
    community = town({"at": at(3), "value": "103.5"}, {"at": at(1), "value": "101.25"})
    assert left(community, counted(0, 3, 5)) == {0: "100", 1: "101.25", 3: "103.5", 5: "105"}
    found = edits.applied(community, community.meters[0], counted(0, 3, 5))
    assert found is not None
    assert found.by_hand == {SEVEN[1], SEVEN[3]}


def test_a_value_read_by_hand_within_a_span_that_was_set_aside_counts() -> None:
    community = town({"at": at(1), "until": at(5), "exclude": "true"}, {"at": at(3), "value": "103"})
    assert left(community, counted(*range(7))) == {0: "100", 3: "103", 6: "106"}


def test_a_meter_that_only_people_read_has_a_register() -> None:
    community = town({"at": at(0), "value": "7"}, {"at": at(6), "value": "9"})
    found = edits.applied(community, community.meters[0], None)
    assert found is not None
    assert (found.kind, left(community, None)) == ("register", {0: "7", 6: "9"})


def test_a_value_for_an_interval_stays_a_quantity() -> None:
    community = town({"at": at(1), "value": "0.25"})
    found = edits.applied(community, community.meters[0], MeterReadings("interval", (SEVEN[0],), (Decimal("0.5"),)))
    assert found is not None
    assert found.kind == "interval"


def test_where_everything_was_set_aside_there_is_nothing_to_go_by() -> None:
    community, known = town({"at": at(0), "until": at(6), "exclude": "true"}), counted(*range(7))
    assert left(community, known) is None
    meter = community.meters[0]
    assert total_between(community, meter, known, SEVEN[0], SEVEN[6]) is None
    assert register_gaps(community, meter, known, SEVEN) == []


@pytest.mark.parametrize(
    ("done", "code", "said"),
    [
        ({"at": at(3), "value": "103.5"}, "reading-by-hand", "Meter el-A: 103.5 was read by hand by a resident: "),
        (
            {"at": at(3), "exclude": "true"},
            "readings-excluded",
            "Meter el-A: the reading of 2026-01-01T03:00:00Z was set aside by a resident: ",
        ),
        (
            {"at": at(3), "until": at(3), "exclude": "true"},
            "readings-excluded",
            "Meter el-A: the reading of 2026-01-01T03:00:00Z was set aside by a resident: ",
        ),
        (
            {"at": at(3), "until": at(5), "exclude": "true"},
            "readings-excluded",
            "Meter el-A: the readings from 2026-01-01T03:00:00Z to 2026-01-01T05:00:00Z were set aside by a resident: ",
        ),
    ],
)
def test_every_edit_is_told_with_who_and_why(done: dict[str, str], code: str, said: str) -> None:
    community = town(done)
    (found,) = edits.findings(community, community.meters[0], SEVEN)
    assert (found.code, found.meter) == (code, "el-A")
    assert found.text == said + "the display was read."
    assert (found.start, found.until) == (SEVEN[3], SEVEN[5] if "05:" in done.get("until", "") else SEVEN[3])
    assert edits.findings(community, community.meters[1], SEVEN) == []


def test_a_photo_of_the_display_is_named() -> None:
    community = town({"at": at(3), "value": "103", "photo": "hall.jpg"})
    (found,) = edits.findings(community, community.meters[0], SEVEN)
    assert found.text.endswith(" the display was read. Photo: hall.jpg.")


@pytest.mark.parametrize(
    ("first", "last", "told"), [(0, 1, False), (0, 2, True), (3, 3, True), (4, 6, True), (5, 6, False), (0, 6, True)]
)
def test_an_edit_is_told_where_it_touches_the_span(first: int, last: int, told: bool) -> None:
    community = town({"at": at(2), "until": at(4), "exclude": "true"})
    found = edits.findings(community, community.meters[0], [SEVEN[first], SEVEN[last]])
    assert bool(found) is told


def test_edits_go_into_the_hash_in_an_order_of_their_own_and_only_where_there_are_any() -> None:
    def line(*done: dict[str, str]) -> str:
        return next(iter(canonical(town(*done), Month(2026, 1), {})))

    one, other = {"at": at(3), "value": "103.5", "photo": "hall.jpg"}, {"at": at(1), "until": at(2), "exclude": "true"}
    assert line(one, other) == line(other, one)
    assert (
        '"edits":[{"at":"2026-01-01T01:00:00Z","by":"a resident","exclude":true,"meter":"el-A","photo":null,'
        '"until":"2026-01-01T02:00:00Z","value":null,"why":"the display was read"},'
        '{"at":"2026-01-01T03:00:00Z","by":"a resident","exclude":false,"meter":"el-A","photo":"hall.jpg",'
        '"until":null,"value":"103.5","why":"the display was read"}]'
    ) in line(one, other)
    assert '"edits"' not in line()
