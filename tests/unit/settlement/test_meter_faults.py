"""What meters really do: dips, spikes, resets, roll-overs, swaps, silence. Findings tell; measured values stay."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from core.community import Community
from core.communityfile import build
from core.time import Month, microseconds, rfc3339
from core.time import from_microseconds as instant
from settlement.model import Finding, MeterReadings, Series
from settlement.month import settle
from settlement.readings import boundaries, intervals, register_gaps, total_between
from settlement.selection import used

HOUR = 3_600_000_000
KWH = 10**6
JANUARY = Month(2026, 1)


def town(*swaps: dict[str, str], **meter: Any) -> Community:
    return build(
        {
            "community": "c",
            "name": "C",
            "timezone": "UTC",
            "settlement_interval": "1h",
            "owner": "owner",
            "flats": [{"id": "A"}],
            "households": [],
            "meters": [{"id": "el", "measures": "electricity", "flat": "A", "unit": "kWh"} | meter],
            "replacements": list(swaps),
            "sharing": [{"from": "2026-01-01", "key": "proportional"}],
            "tariffs": [{"from": "2026-01-01", "solar_eur_per_kwh": "0", "vat_percent": {"electricity": "0"}}],
        },
        "the case",
    ).community


START = microseconds(JANUARY.bounds(town().zone)[0])


def hours(values: dict[float, str], community: Community | None = None) -> tuple[Series, list[Finding]]:
    """Read a register at hours of the first day; energies of that day's first eight hours [kWh]."""
    community = community or town()
    times = tuple(START + int(hour * HOUR) for hour in sorted(values))
    known = MeterReadings("register", times, tuple(Decimal(values[hour]) for hour in sorted(values)))
    return intervals(community, community.meters[0], known, [START + hour * HOUR for hour in range(9)])


def kwh(series: Series) -> list[float | None]:
    return [None if value is None else value / KWH for value in series.energy]


def codes(findings: list[Finding]) -> set[str]:
    return {finding.code for finding in findings} - {"missing-intervals", "estimated-intervals"}


def steady(**odd: str) -> dict[float, str]:
    """A register that counts one kWh an hour from 100, but for the hours given as ``h3="..."``."""
    values = {float(hour): str(100 + hour) for hour in range(9)}
    for name, value in odd.items():
        values[float(name[1:])] = value
    return values


def test_a_steady_register_has_nothing_to_tell() -> None:
    series, findings = hours(steady())
    assert (kwh(series), findings) == ([1.0] * 8, [])
    assert set(series.quality) == {"measured"}


def test_a_dip_that_comes_back_within_the_hour_is_left_out() -> None:
    series, findings = hours(steady() | {3.5: "0", 3.75: "103.75"})
    assert kwh(series) == [1.0] * 8
    assert codes(findings) == {"register-dipped"}


def test_a_spike_for_one_reading_is_left_out() -> None:
    series, findings = hours(steady(h3="900"))
    assert kwh(series) == [1.0] * 8
    assert codes(findings) == {"register-spiked"}


def test_a_reset_costs_the_hour_it_fell_in_and_no_other() -> None:
    series, findings = hours(steady(h4="0.5", h5="1.5", h6="2.5", h7="3.5", h8="4.5"))
    assert kwh(series) == [1.0, 1.0, 1.0, None, 1.0, 1.0, 1.0, 1.0]
    assert codes(findings) == {"register-fell"}
    assert series.quality[3] == "missing"


@pytest.mark.parametrize(("digits", "found"), [("3", "register-rolled-over"), (None, "register-fell")])
def test_a_roll_over_is_one_only_where_the_digits_say_so(digits: str | None, found: str) -> None:
    values = {float(hour): str((996 + hour) % 1000) for hour in range(9)}
    series, findings = hours(values, town(**({"digits": digits} if digits else {})))
    assert codes(findings) == {found}
    assert kwh(series)[3] == (1.0 if digits else None)


def test_a_fall_from_the_middle_of_the_dial_is_no_roll_over() -> None:
    values = steady(h4="2", h5="3", h6="4", h7="5", h8="6")
    assert codes(hours(values, town(digits="3"))[1]) == {"register-fell"}


def swap(hour: float, old_end: str, new_start: str) -> dict[str, str]:
    return {"meter": "el", "at": rfc3339(instant(START + int(hour * HOUR))), "old_end": old_end, "new_start": new_start}


def test_a_replaced_meter_counts_on_in_the_hour_of_the_swap() -> None:
    values = steady(h4="0.25", h5="1.25", h6="2.25", h7="3.25", h8="4.25")
    series, findings = hours(values, town(swap(3.5, "103.75", "0")))
    # 0.75 until the swap, 0.25 after it: the hour is whole.
    assert (kwh(series), codes(findings)) == ([1.0] * 8, set())


def test_a_meter_replaced_twice_counts_on() -> None:
    values = {0.0: "100", 1.0: "101", 3.0: "1", 4.0: "2", 6.0: "51", 7.0: "52", 8.0: "53"}
    series, findings = hours(values, town(swap(2, "102", "0"), swap(5, "3", "50")))
    assert (kwh(series), codes(findings)) == ([1.0] * 8, set())


def test_a_new_meter_that_was_not_read_yet_ends_with_the_old_one() -> None:
    series, _ = hours({0.0: "100", 1.0: "101", 2.0: "102"}, town(swap(3, "103", "0")))
    assert kwh(series) == [1.0, 1.0, 1.0, None, None, None, None, None]


def test_silence_is_estimated_between_readings_and_missing_behind_them() -> None:
    series, findings = hours({0.0: "100", 1.0: "101", 5.0: "105", 6.0: "106"})
    assert kwh(series) == [1.0] * 6 + [None] * 2
    assert series.quality == ("measured", *["estimated"] * 4, "measured", *["missing"] * 2)
    assert [(f.code, f.text) for f in findings] == [
        ("estimated-intervals", "Meter el (flat A): 4 intervals estimated."),
        ("missing-intervals", "Meter el (flat A): 2 intervals missing."),
    ]
    assert (findings[0].start, findings[0].until) == (START + HOUR, START + 5 * HOUR)


def test_a_meter_that_is_read_seldom_is_measured_all_the_same() -> None:
    series, _ = hours({0.0: "100", 4.0: "104", 8.0: "108"}, town(every="4h"))
    assert (kwh(series), set(series.quality)) == ([1.0] * 8, {"measured"})


@pytest.mark.parametrize(
    ("zone", "month", "interval", "size"),
    [
        ("Europe/Amsterdam", "2026-01", "15min", 2976),
        ("Europe/Amsterdam", "2026-03", "15min", 2972),
        ("Europe/Amsterdam", "2026-10", "15min", 2980),
        ("Europe/Amsterdam", "2026-10", "30min", 1490),
        ("Europe/Amsterdam", "2026-03", "1h", 743),
        ("America/New_York", "2028-02", "1h", 696),
        ("Asia/Kolkata", "2026-01", "1h", 744),
    ],
)
def test_a_month_has_the_intervals_of_its_clocks(zone: str, month: str, interval: str, size: int) -> None:
    community = town().model_copy(update={"timezone": zone, "settlement_interval": interval})
    assert len(boundaries(community, Month.parse(month))) == size + 1


def test_a_spike_of_several_readings_is_left_out() -> None:
    series, findings = hours(steady(h3="900", h4="901.5", h5="902"))
    assert kwh(series) == [1.0] * 8
    assert series.quality[2:6] == ("estimated",) * 4
    strayed = findings[0]
    assert (strayed.code, strayed.start, strayed.until) == ("register-strayed", START + 3 * HOUR, START + 5 * HOUR)


def test_zero_for_hours_is_no_reset_and_its_end_is_no_use() -> None:
    """It came back to where it would have been: what no connection carries at once was not used then."""
    series, findings = hours(steady(h3="0", h4="0", h5="0"))
    assert kwh(series) == [1.0] * 8
    assert codes(findings) == {"register-strayed"}


def test_zero_for_hours_on_a_dial_that_is_nearly_full_is_no_roll_over() -> None:
    values = {float(hour): str(900 + hour) for hour in range(9)} | dict.fromkeys((3.0, 4.0, 5.0), "0")
    series, findings = hours(values, town(digits="3"))
    assert (kwh(series), codes(findings)) == ([1.0] * 8, {"register-strayed"})


@pytest.mark.parametrize("factor", [Decimal(1000), Decimal("0.001")])
def test_another_unit_for_some_hours_is_left_out(factor: Decimal) -> None:
    values = steady() | {float(hour): str((100 + hour) * factor) for hour in (2, 3, 4, 5)}
    series, findings = hours(values)
    assert kwh(series) == [1.0] * 8
    assert codes(findings) == {"unit-slipped"}


def test_a_register_in_another_unit_that_does_not_come_back_is_cut_where_it_fell() -> None:
    values = steady() | {float(hour): str((100 + hour) / 1000) for hour in range(4, 9)}
    series, findings = hours(values)
    assert kwh(series)[:4] == [1.0, 1.0, 1.0, None]
    assert codes(findings) == {"register-fell"}


def test_a_reset_that_counts_beyond_its_old_value_within_a_day_has_not_strayed() -> None:
    """A young register: it takes no jump to get back, so what was counted is counted."""
    values = {0.0: "2", 1.0: "3", 2.0: "0.5", 3.0: "1.5", 4.0: "2.5", 5.0: "3.5", 6.0: "4.5", 7.0: "5.5", 8.0: "6.5"}
    series, findings = hours(values)
    assert kwh(series) == [1.0, None, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0]
    assert codes(findings) == {"register-fell"}


def test_zero_for_hours_and_then_quite_another_register_has_not_come_back() -> None:
    """From 102 to 5005 no connection carries in four hours: this is another register, and where it began is cut."""
    series, findings = hours(steady(h3="0", h4="0", h5="0", h6="5005", h7="5006", h8="5007"))
    assert kwh(series)[2] is None
    assert codes(findings) == {"register-fell"}


def test_a_spike_of_several_readings_that_comes_back_too_high_has_not_come_back() -> None:
    series, findings = hours(steady(h3="9000", h4="9001", h5="500", h6="501", h7="502", h8="503"))
    assert kwh(series)[4:] == [None, 1.0, 1.0, 1.0]
    assert codes(findings) == {"register-fell"}


def test_a_register_restored_from_hours_ago_is_no_spike() -> None:
    """It lost what it counted last, without any jump: nobody can tell, so that interval is missing."""
    values = {hour / 4: str(100 + hour / 4) for hour in range(17)}
    values |= {hour / 4: str(98 + hour / 4) for hour in range(17, 33)}
    series, findings = hours(values)
    assert kwh(series) == [1.0, 1.0, 1.0, 1.0, None, 1.0, 1.0, 1.0]
    assert codes(findings) == {"register-fell"}


def test_what_is_away_for_longer_than_two_days_has_not_strayed() -> None:
    values = {float(hour): str(100 + hour) for hour in range(80)}
    away = values | {float(hour): "0" for hour in range(4, 53)}
    assert "register-fell" in codes(hours(away)[1])
    back = values | {float(hour): "0" for hour in range(4, 51)}
    series, findings = hours(back)
    assert kwh(series) == [1.0] * 8
    assert codes(findings) == {"register-strayed"}


def test_readings_of_two_clocks_that_run_into_each_other_lose_nothing_and_are_told_once() -> None:
    """For an hour one device sends both the right time and one an hour early; each low value comes back at once."""
    early = {4 + minute / 60: f"{105 + minute / 60:.3f}" for minute in range(1, 60, 6)}
    right = {4 + minute / 60: f"{104 + minute / 60:.3f}" for minute in range(3, 180, 6)}
    series, findings = hours(steady() | early | right)
    assert sum(value or 0 for value in series.energy) == 8 * KWH
    dipped = [finding for finding in findings if finding.code == "register-dipped"]
    assert len(dipped) == 1
    assert "times)" in dipped[0].text


def over_the_turn(swap_out: str) -> dict[str, MeterReadings]:
    """January and February of a register that shows something else from an hour before their turn to six after it."""
    times = [START + hour * HOUR for hour in range(24 * 59 + 1)]
    values = [Decimal(1000 + hour) for hour in range(len(times))]
    for hour in range(24 * 31 - 1, 24 * 31 + 6):
        values[hour] = Decimal(swap_out) if swap_out == "0" else values[hour] * Decimal(swap_out)
    return {"el": MeterReadings("register", tuple(times), tuple(values))}


@pytest.mark.parametrize("swap_out", ["0", "1000", "0.001"])
def test_what_strays_over_the_end_of_a_month_is_the_same_for_both_months(swap_out: str) -> None:
    community, known = town(), over_the_turn(swap_out)
    for month in (JANUARY, JANUARY.shift(1)):
        selected = used(community, month, known)
        settled = settle(community, month, selected)
        assert settled.energy.series["el"].known() == month.days * 24 * KWH
        assert {f.code for f in settled.findings} & {"register-strayed", "unit-slipped"}
        # What is selected is all that is needed to select the same again: an export replays to the same bytes.
        assert used(community, month, selected) == selected


def test_a_fall_in_the_middle_of_a_month_needs_no_readings_beyond_it() -> None:
    known = over_the_turn("1")
    values = list(known["el"].values)
    values[24 * 15 :] = [value - 1200 for value in values[24 * 15 :]]
    fallen = {"el": MeterReadings("register", known["el"].times, tuple(values))}
    assert used(town(), JANUARY, fallen)["el"].times == used(town(), JANUARY, known)["el"].times


def test_a_dial_that_rolled_over_unseen_before_its_swap_counted_on_until_then() -> None:
    """998, 999, and when it is taken out half past zero: 1.5 since the last reading."""
    values = {0.0: "996", 1.0: "997", 2.0: "998", 3.0: "999", 5.0: "0.5", 6.0: "1.5", 7.0: "2.5", 8.0: "3.5"}
    series, findings = hours(values, town(swap(4.5, "0.5", "0"), digits="3"))
    assert kwh(series) == [1.0] * 8
    assert codes(findings) == set()


def test_what_a_meter_counted_between_two_instants_leaves_out_what_a_reset_hid() -> None:
    community, values = town(), steady(h4="0.5", h5="1.5", h6="2.5", h7="3.5", h8="4.5")
    times = tuple(START + hour * HOUR for hour in range(9))
    known = MeterReadings("register", times, tuple(Decimal(values[float(hour)]) for hour in range(9)))

    def between(first: float, end: float) -> int | None:
        bounds = (START + int(hour * HOUR) for hour in (first, end))
        return total_between(community, community.meters[0], known, *bounds)

    assert between(1, 2.5) == 1.5 * KWH
    assert between(3, 4) is None
    assert between(2, 6) == 3 * KWH  # one before the reset, two after it
    assert between(-5, 2) == 2 * KWH
    assert between(5.5, 40) == 2.5 * KWH
    assert between(9, 40) is None


def test_quantities_between_two_instants_are_those_that_lie_wholly_within() -> None:
    community = town()
    times = tuple(START + hour * HOUR for hour in range(4))
    known = MeterReadings("interval", times, (Decimal(1), Decimal(2), Decimal(4), Decimal(8)))

    def between(first: float, end: float) -> int | None:
        bounds = (START + int(hour * HOUR) for hour in (first, end))
        return total_between(community, community.meters[0], known, *bounds)

    assert between(1, 3) == 6 * KWH
    assert between(0.5, 3.5) == 6 * KWH
    assert between(3, 4) == 8 * KWH
    assert between(1.5, 2.5) is None


@pytest.mark.parametrize("count", [0, 1])
def test_a_register_read_once_or_never_has_no_gaps(count: int) -> None:
    community = town()
    known = MeterReadings("register", (START,) * count, (Decimal(1),) * count)
    assert register_gaps(community, community.meters[0], known, [START - HOUR, START + HOUR]) == []


def test_a_meter_without_a_reading_is_left_out_of_what_is_settled_from() -> None:
    community = town()
    assert used(community, JANUARY, {"el": MeterReadings("register", (), ())}) == {}
    one = MeterReadings("register", (START,), (Decimal(1),))
    assert used(community, JANUARY, {"el": one}) == {"el": one}
