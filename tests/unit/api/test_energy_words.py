"""What the sun saved, what a step of time is worth, and how numbers are said."""

from __future__ import annotations

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest

from api.energy import grid, heat_unit, quality, saved_cents, tariff_on
from api.pages.home import Sums, day_chart, month_chart, sentence, tenths
from api.pages.words import Words
from api.store import FlatEnergy
from core.community import Community
from core.communityfile import parse
from tests.support.house import COMMUNITY

ZONE = ZoneInfo("Europe/Amsterdam")
KWH = 1_000_000
NL, EN = Words("nl", ZONE), Words("en", ZONE)
START = datetime(2026, 5, 13, 12, tzinfo=UTC)


def community(text: str = COMMUNITY) -> Community:
    return parse(text).community


def row(consumed: int | None = KWH, shared: int = 0, known: int = 4, estimated: int = 0) -> FlatEnergy:
    return FlatEnergy(START, consumed, shared, None, 4, known, estimated)


def sums(consumed: int, shared: int) -> Sums:
    return Sums(consumed, shared, consumed - shared, None, estimated=False, saved=None)


def test_savings_are_the_difference_of_two_prices_rounded_once() -> None:
    # 0.14 euro a kWh; three times a third of a cent is one cent, not nothing.
    days = [(date(2026, 5, day), KWH // 42) for day in (1, 2, 3)]
    assert saved_cents(community(), days) == 1
    assert saved_cents(community(), [(date(2026, 5, 1), 10 * KWH)]) == 140


def test_savings_follow_the_price_of_each_day() -> None:
    dearer = (
        '\ntariffs:\n  - {from: 2026-05-10, solar_eur_per_kwh: "0.18", grid_eur_per_kwh: "0.38",'
        ' vat_percent: {electricity: "21", heat: "21"}}'
    )
    two = community(COMMUNITY.replace("\ntariffs:", dearer))
    assert saved_cents(two, [(date(2026, 5, 9), KWH), (date(2026, 5, 10), KWH)]) == 14 + 20
    assert tariff_on(two, date(2026, 3, 1)) is None


def test_savings_are_unknown_without_a_grid_price_and_when_the_sun_is_dearer() -> None:
    without = community(COMMUNITY.replace('    grid_eur_per_kwh: "0.32"\n', ""))
    assert saved_cents(without, [(date(2026, 5, 9), KWH)]) is None
    dear = community(COMMUNITY.replace('grid_eur_per_kwh: "0.32"', 'grid_eur_per_kwh: "0.10"'))
    assert saved_cents(dear, [(date(2026, 5, 9), KWH)]) is None


def test_a_step_is_as_good_as_its_worst_interval() -> None:
    assert quality(row()) == "measured"
    assert quality(row(estimated=1)) == "estimated"
    assert quality(row(known=3, estimated=1)) == "missing"
    assert quality(row(known=0)) == "missing"


def test_what_is_missing_is_never_zero() -> None:
    assert grid(row(consumed=None)) is None
    assert NL.kwh(None) == "\N{EN DASH}"


def test_heat_is_counted_in_units_where_allocators_hang() -> None:
    units = COMMUNITY.replace(
        "heat-A01, measures: heat, flat: A01, unit: kWh", "heat-A01, measures: heat, flat: A01, unit: units"
    )
    units = units.replace(
        "flat: A02, unit: kWh}\n  - {id: heat-A03, measures: heat, flat: A03, unit: kWh",
        "flat: A02, unit: units}\n  - {id: heat-A03, measures: heat, flat: A03, unit: units",
    )
    assert heat_unit(community(units), "A01") == "units"
    assert heat_unit(community(), "A01") == "kWh"
    assert NL.heat(1_500_000, "units") == "1,5\N{NO-BREAK SPACE}eenheden"


@pytest.mark.parametrize(
    ("consumed", "shared", "said"),
    [
        (10 * KWH, 6 * KWH, "Vandaag kwam 6 van de 10 delen van uw stroom van het dak."),
        (10 * KWH, 10 * KWH, "Vandaag kwam 10 van de 10 delen van uw stroom van het dak."),
        (100 * KWH, KWH, "Vandaag kwam een klein beetje van uw stroom van het dak."),
        (KWH, 0, "Vandaag kwam er nog geen stroom van het dak."),
    ],
)
def test_one_plain_sentence_tells_the_day(consumed: int, shared: int, said: str) -> None:
    assert sentence(NL, sums(consumed, shared), sums(0, 0)) == said


def test_before_anything_is_measured_today_the_sentence_tells_the_month() -> None:
    assert sentence(NL, sums(0, 0), sums(10 * KWH, 3 * KWH)).startswith("Deze maand kwam 3 van de 10")
    assert sentence(EN, sums(0, 0), sums(0, 0)) == "We have not measured anything for you yet."


def test_tenths_are_rounded_half_up_and_never_more_than_ten() -> None:
    assert [tenths(sums(100, shared)) for shared in (0, 4, 5, 14, 15, 95, 100)] == [0, 0, 1, 1, 2, 10, 10]
    assert tenths(sums(0, 0)) == 0


def test_a_day_has_as_many_bars_as_hours_when_clocks_change() -> None:
    lengths = {
        day: len(day_chart(NL, community(), [], day).bars)
        for day in (date(2026, 3, 29), date(2026, 10, 25), date(2026, 5, 13))
    }
    assert list(lengths.values()) == [23, 25, 24]
    autumn = day_chart(NL, community(), [], date(2026, 10, 25))
    assert [bar.name for bar in autumn.bars[1:4]] == [
        "01:00\N{EN DASH}02:00",
        "02:00\N{EN DASH}02:00",
        "02:00\N{EN DASH}03:00",
    ]


def test_a_month_chart_has_a_bar_for_every_day() -> None:
    assert len(month_chart(NL, community(), [], date(2026, 2, 10)).bars) == 28


def test_no_amount_is_ever_printed_as_a_negative_number() -> None:
    assert NL.amount("-3.00") == "€\N{NO-BREAK SPACE}3,00 terug"
    assert NL.balance("-12.34") == "U krijgt €\N{NO-BREAK SPACE}12,34 terug."
    assert EN.balance("12.34") == "You pay €12.34."
    assert NL.balance("0.00") == "U hoeft niets te betalen."


def test_numbers_are_rounded_half_up_as_people_do() -> None:
    assert NL.kwh(50_000) == "0,1\N{NO-BREAK SPACE}kWh"
    assert NL.number("0.25", 1) == "0,3"
    assert NL.price("0.18") == "€\N{NO-BREAK SPACE}0,18"
    assert EN.price("0.1875") == "€0.1875"


def test_times_are_local_and_name_the_day_only_when_it_is_not_today() -> None:
    assert NL.moment(datetime(2026, 5, 13, 12, 15, tzinfo=UTC), START) == "om 14:15"
    assert NL.moment(datetime(2026, 5, 12, 21, 0, tzinfo=UTC), START) == "op 12 mei om 23:00"


def test_a_line_tells_what_its_amount_is_made_of() -> None:
    line = {"code": "solar", "quantity": "103.400000", "unit": "kWh", "price_eur": "0.18"}
    assert NL.how(line) == "103,4\N{NO-BREAK SPACE}kWh \N{MULTIPLICATION SIGN} €\N{NO-BREAK SPACE}0,18"
    fixed = {"code": "fixed", "quantity": "30", "unit": "days", "price_eur": "4.50"}
    assert NL.how(fixed) == "30\N{NO-BREAK SPACE}dagen, €\N{NO-BREAK SPACE}4,50 voor een hele maand"
    area = {"code": "heat_fixed", "quantity": "1860", "unit": "m²·days", "price_eur": None}
    assert NL.how(area) == "1.860\N{NO-BREAK SPACE}m² \N{MULTIPLICATION SIGN} dagen"


def test_remarks_of_a_kind_are_said_once_with_their_meters() -> None:
    def remark(code: str, meter: str | None, text: str = "as it is") -> dict[str, str | None]:
        return {"code": code, "meter": meter, "text": text}

    said = NL.findings([remark("estimated-intervals", "el-A01"), remark("estimated-intervals", "el-A02"),
                        remark("estimated-intervals", "el-A01"), remark("brand-new", None)])  # fmt: skip
    assert said == ["Cijfers zijn deels geschat: el-A01, el-A02.", "as it is"]
