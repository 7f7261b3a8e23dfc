"""From where to where readings are needed to bridge gaps: which gaps are long, and how far their kind looks back."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from core.time import from_microseconds, microseconds, rfc3339
from settlement import intervals
from settlement.intervals import Span, of_all, spans_needed
from settlement.model import MeterReadings
from tests.support import finaltown
from tests.support.finaltown import tree

HOUR = 3_600_000_000
DAY = 24 * HOUR
BEGIN = microseconds(datetime(2026, 1, 31, 23, tzinfo=UTC))
BOUNDS = [BEGIN + hour * HOUR for hour in range(28 * 24 + 1)]
SHAPED = finaltown.town(estimates="shaped")
LOOK_BACK = 28 * DAY


def hourly(*gaps: tuple[int, int]) -> MeterReadings:
    """A kilowatt-hour an hour; no readings strictly between two hours of the month."""
    hours = [hour for hour in range(-1, 28 * 24 + 2) if not any(a < hour < b for a, b in gaps)]
    times = [BEGIN + hour * HOUR for hour in hours]
    return MeterReadings("register", tuple(times), tuple(Decimal(at - BEGIN + DAY) / HOUR for at in times))


def needed(community: Any = SHAPED, **known: MeterReadings) -> dict[str, Span]:
    return spans_needed(community, {name.replace("_", "-"): one for name, one in known.items()}, BOUNDS)


def test_a_gap_is_long_from_more_than_two_hours_on_and_any_is_for_the_sun() -> None:
    assert needed(el_A=hourly((100, 102))) == {}
    assert needed(el_A=hourly((100, 103))) == {"electricity": Span(BEGIN + 4 * DAY - LOOK_BACK, BEGIN + 103 * HOUR)}
    assert needed(pv=hourly((100, 102))) == {"solar_generation": Span(BEGIN + 4 * DAY - LOOK_BACK, BEGIN + 102 * HOUR)}
    assert needed(pv=hourly()) == {}


def test_a_kind_looks_back_before_its_first_gap_and_on_to_the_end_of_its_last() -> None:
    early, late = hourly((50, 60)), hourly((300, 400))
    span = Span(BEGIN + 2 * DAY - LOOK_BACK, BEGIN + 400 * HOUR)
    for first, second in ((early, late), (late, early)):
        assert needed(el_A=first, el_B=second) == {"electricity": span}
    assert needed(el_A=hourly((50, 60), (300, 400))) == {"electricity": span}
    wide, inside = hourly((50, 400)), hourly((100, 110))
    assert needed(el_A=wide, el_B=inside) == needed(el_A=inside, el_B=wide) == {"electricity": span}


def test_kinds_look_back_each_by_itself_and_under_straight_lines_none_does() -> None:
    two = {"el_A": hourly((50, 60)), "heat_B": hourly((300, 310))}
    assert needed(**two) == {
        "electricity": Span(BEGIN + 2 * DAY - LOOK_BACK, BEGIN + 60 * HOUR),
        "heat": Span(BEGIN + 12 * DAY - LOOK_BACK, BEGIN + 310 * HOUR),
    }
    assert needed(finaltown.town(), **two) == {}


def strayed(odd: Iterable[int], by: int) -> MeterReadings:
    """A register that shows something else at some hours."""
    whole, at = hourly(), {BEGIN + hour * HOUR for hour in odd}
    values = [value + by * (time in at) for time, value in zip(whole.times, whole.values, strict=True)]
    return MeterReadings("register", whole.times, tuple(values))


def test_what_may_have_strayed_over_an_end_is_looked_at_two_days_around() -> None:
    last = strayed(range(670, 674), 900)
    span = Span(BEGIN + (669 - 48) * HOUR, BEGIN + (670 + 48) * HOUR)
    assert needed(finaltown.town(), el_A=last) == {"electricity": span}
    first = strayed(range(-1, 3), 900)
    early = Span(BEGIN + (2 - 48) * HOUR, BEGIN + (3 + 48) * HOUR)
    assert needed(finaltown.town(), el_A=first) == {"electricity": early}
    for one, other in ((first, last), (last, first)):
        assert needed(finaltown.town(), el_A=one, el_B=other) == {"electricity": Span(early.start, span.end)}


def test_a_gap_and_a_stray_of_one_kind_need_both_spans() -> None:
    last, gap = strayed(range(670, 674), 900), hourly((100, 110))
    for one, other in ((gap, last), (last, gap)):
        assert needed(el_A=one, el_B=other) == {
            "electricity": Span(BEGIN + 4 * DAY - LOOK_BACK, BEGIN + (670 + 48) * HOUR)
        }
    first, long = strayed(range(-1, 3), 900), hourly((24 * 28 - 30, 24 * 28 - 10))
    for one, other in ((first, long), (long, first)):
        (span,) = needed(el_A=one, el_B=other).values()
        assert span == Span(BEGIN + 26 * DAY - LOOK_BACK, BEGIN + 662 * HOUR)


def test_a_level_is_no_counter() -> None:
    community = finaltown.town(
        meters=[*tree()["meters"], {"id": "silo", "measures": "pellet_stock", "unit": "kg"}], estimates="shaped"
    )
    level = MeterReadings("register", hourly().times, tuple(Decimal(9000 - at) for at in range(len(hourly().times))))
    known = {"silo": level, "el-A": hourly()}
    assert spans_needed(community, known, BOUNDS) == {}
    series, _ = of_all(community, known, BOUNDS)
    assert [*series] == [one["id"] for one in tree()["meters"]]


def busy(*gaps: tuple[int, int]) -> MeterReadings:
    """A register that counts 5 kWh in every hour that begins at six, else nothing; four weeks longer."""
    times, values, level = [], [], Decimal(0)
    for hour in range(-28 * 24 - 1, 28 * 24 + 2):
        if not any(a < hour < b for a, b in gaps):
            times.append(BEGIN + hour * HOUR)
            values.append(level)
        level += 5 if hour % 24 == 6 else 0
    return MeterReadings("register", tuple(times), tuple(values))


def methods(known: dict[str, MeterReadings], name: str, bounds: Sequence[int] = BOUNDS) -> dict[int, str]:
    series, _ = of_all(SHAPED, known, bounds)
    return {place: how for place, how in enumerate(series[name].method) if how is not None}


def test_long_gaps_are_shaped_and_short_ones_of_the_same_meter_are_straight() -> None:
    known = {"el-A": busy((96, 120), (200, 202)), "el-B": busy()}
    found = methods(known, "el-A")
    assert found == dict.fromkeys(range(96, 120), "weekday-profile") | dict.fromkeys((200, 201), "linear")
    series, _ = of_all(SHAPED, known, BOUNDS)
    assert [place for place in range(96, 120) if series["el-A"].energy[place]] == [102]
    assert methods(known, "el-B") == {}


def test_a_meter_without_a_history_is_shaped_by_its_neighbours_over_the_whole_gap() -> None:
    short = busy((96, 120))
    since = short.times.index(BEGIN)
    new = MeterReadings("register", short.times[since:], short.values[since:])
    assert set(methods({"el-A": new, "el-B": busy()}, "el-A").values()) == {"neighbours"}
    # A neighbour that was not read in the last hour of the gap tells nothing about it.
    for gap in ((118, 121), (95, 98)):
        unread = {"el-A": new, "el-B": busy(gap)}
        assert set(methods(unread, "el-A").values()) == {"linear"}


def test_the_last_hour_of_a_gap_belongs_to_it_though_it_ends_between_two_boundaries() -> None:
    short = busy((96, 120))
    since, until = short.times.index(BEGIN), short.times.index(BEGIN + 120 * HOUR)
    times = [*short.times[since:until], BEGIN + 120 * HOUR - HOUR // 2, *short.times[until:]]
    values = [*short.values[since:until], short.values[until], *short.values[until:]]
    new = MeterReadings("register", tuple(times), tuple(values))
    assert methods({"el-A": new, "el-B": busy()}, "el-A")[118] == "neighbours"


def test_each_kind_is_shaped_over_its_own_span() -> None:
    known = {"el-A": busy((400, 424)), "heat-A": busy((96, 120))}
    assert set(methods(known, "el-A").values()) == set(methods(known, "heat-A").values()) == {"weekday-profile"}


def test_a_gap_between_readings_by_hand_is_shaped_though_the_meter_itself_was_never_read() -> None:
    whole = hourly()
    level = dict(zip(whole.times, whole.values, strict=True))
    read = [BEGIN + hour * HOUR for hour in (-1, 96, 192, 288, 480, 576, 672)]
    edits = [
        {
            "meter": "el-A", "value": str(level[at]), "by": "a volunteer", "why": "the meter sends nothing",
            "at": rfc3339(from_microseconds(at)),
        }
        for at in read
    ]  # fmt: skip
    community = finaltown.town(estimates="shaped", edits=edits)
    # Read every four days; eight of them without a reading are a gap.
    assert needed(community) == {"electricity": Span(BEGIN + 12 * DAY - LOOK_BACK, BEGIN + 480 * HOUR)}
    series, _ = of_all(community, {"el-B": busy()}, BOUNDS)
    how = series["el-A"].method
    assert (how[287], how[288], how[479], how[480]) == ("linear", "neighbours", "neighbours", "linear")
    busiest = [place for place in range(288, 480) if series["el-A"].energy[place]]
    assert busiest == [place for place in range(288, 480) if place % 24 == 6]


@pytest.mark.parametrize("start", [5, 6])
def test_a_shaper_knows_its_own_gaps_alone(start: int) -> None:
    class Told:
        def shape(self, *_: Any) -> str:
            return "shape"

    told: Any = Told()
    shaper: Any = intervals._only(told, {5})
    assert shaper(None, start, 9) == ("shape" if start == 5 else None)
