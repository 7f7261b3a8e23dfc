"""Why a total is different, every step worked out on paper: what moves when, what each part then is, what is rounded.

The months here are invented so that a calculator is enough. `APRIL` comes to 27.00:

* sun: 30 of the roof's 100 kWh for 20 cents, less 8 kWh of surplus for 5: 560. By use alone, 50 of 200 kWh, it would be
  25 kWh, so its hours met the sun 1.2 times as well; 0.4 of the sun was left over, 0.2 of that credited to it.
* heat: 240 kg for 30 cents and an invoice of 800 are 8000. Of the 0.6 that follow the meters it has 300 of 1200 kWh, of
  the rest a tenth: 8000 x (0.6 x 0.25 + 0.4 x 0.1) = 1520. For one kWh of heat 0.2 kg were burnt.
* common area: 10 kWh for 20 cents and an invoice of 1800, of which a twentieth: 100. Fixed: 0.8 of 300, 240.
* with VAT (560 + 100 + 240) x 1.2 + 1520 x 1.1 = 2752, and lines of -92 and 40 make it 2700.
"""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest

from core.time import Month
from settlement.why.facts import Facts
from settlement.why.parts import change
from settlement.why.samerule import Divided

MONEY = (
    "total", "solar_price", "feed_in_price", "fuel_price", "heat_invoices", "common_price", "common_invoices",
    "fixed_price",
)  # fmt: skip

APRIL = Facts(
    month=Month(2026, 4), total=2700, lived=Fraction(4, 5), sun=Fraction(100), surplus=Fraction(40), used=Fraction(50),
    used_by_others=Fraction(150), given=Fraction(30), solar_price=Fraction(20), feed_in_price=Fraction(5),
    credited=Fraction(8), heat=Fraction(300), heat_of_others=Fraction(900), fuel_kg=Fraction(240),
    fuel_price=Fraction(30), heat_invoices=Fraction(800), measured_part=Fraction("0.6"), by_meter=None,
    by_area=Fraction("0.1"), common_sun=Fraction(10), common_price=Fraction(20), common_invoices=Fraction(1800),
    by_common_area=Fraction("0.05"), fixed_price=Fraction(300), other={"work": -92, "sundry": 40},
    sharing_rule=("equal",), heat_rule="60", heat_by_home={}, corrects_stock=False, electricity_vat=Fraction("1.2"),
    heat_vat=Fraction("1.1"),
)  # fmt: skip


def having(facts: Facts, /, **changes: Any) -> Facts:
    """Change some figures of a month; fractions may be written as text."""
    figures = {name: Fraction(one) for name, one in changes.items() if isinstance(one, str) and name != "heat_rule"}
    return replace(facts, **changes | figures)


def told(before: Facts, after: Facts, same_rule: Divided | None = None) -> dict[str, Decimal]:
    """Tell the parts to the thousandth of a cent: with all money a thousandfold none of them is rounded."""

    def thousandfold(month: Facts) -> Facts:
        more: dict[str, Any] = {name: getattr(month, name) * 1000 for name in MONEY}
        assert more["total"] == int(more["total"])
        other = {code: cents * 1000 for code, cents in month.other.items()}
        return replace(month, **more | {"total": int(more["total"]), "other": other})

    found = change(thousandfold(before), thousandfold(after), same_rule)
    return {part: Decimal(cents) / 1000 for part, cents in found.parts.items()}


def parts(**cents: str) -> dict[str, Decimal]:
    return {part: Decimal(one) for part, one in cents.items()}


# A month of another season, in which everything is different: half the days, other use, other rules, other prices.
NOVEMBER = having(
    APRIL, month=Month(2026, 11), lived="2/5", sun="200", surplus="50", used="75", used_by_others="225", given="40",
    solar_price="30", feed_in_price="4", credited="20", heat="425", heat_of_others="1275", fuel_kg="510",
    fuel_price="40", heat_invoices="1800", measured_part="0.5", by_area="0.08", common_sun="20", common_price="25",
    common_invoices="2800", fixed_price="350", other={"work": -30, "correction": 70}, sharing_rule=("priority",),
    heat_rule="50", electricity_vat="1.1", heat_vat="1.2",
    # (40 x 30 - 20 x 4 + 3300 / 20 + 0.4 x 350) x 1.1 + (510 x 40 + 1800) x (0.5 x 0.25 + 0.5 x 0.08) x 1.2 + 40
    total="6003.1",
)  # fmt: skip


def test_everything_changed_and_every_step_is_on_paper() -> None:
    """Each line is what the month comes to after the step: electricity with its VAT, heat with its VAT, other lines.

    Nobody divided the sun by the old rule, so all that changed about how it was divided, the sun of the common area
    with it, is due to the key.
    """
    april = 900 * 1.2 + 1520 * 1.1 - 52
    # Half the days: 25 of 200 kWh used, so 15 kWh of sun, and half of what it was credited; 150 of 1200 kWh of heat,
    # half of both shares by area.
    days = (15 * 20 - 20 + 50 + 120) * 1.2 + 8000 * (0.6 * 0.125 + 0.4 * 0.05) * 1.1 - 52
    # Twice the sun: 30 kWh and 8 credited. By the table 120 for 80: heat is 1.5 times as much, 1800 kWh of 0.2 kg.
    weather = (30 * 20 - 40 + 50 + 120) * 1.2 + (360 * 30 + 800) * 0.095 * 1.1 - 52
    # 75 of 250 kWh used: 200 x 1.2 x 0.3 = 72 kWh of sun. 425 of 2000 kWh of heat.
    own_use = (72 * 20 - 40 + 50 + 120) * 1.2 + (400 * 30 + 800) * (0.6 * 0.2125 + 0.02) * 1.1 - 52
    # 75 of 300 kWh used: 60 kWh of sun. 425 of 1700 kWh of heat. A twentieth of the common area again.
    others_use = (60 * 20 - 40 + 100 + 120) * 1.2 + (340 * 30 + 800) * (0.6 * 0.25 + 0.02) * 1.1 - 52
    # 40 kWh given where 50 would be by use alone, 20 of 50 kWh left over credited; 20 kWh for the common area.
    key = (40 * 20 - 100 + 110 + 120) * 1.2 + (340 * 30 + 800) * (0.5 * 0.25 + 0.5 * 0.08) * 1.1 - 52
    # 0.3 kg for one kWh.
    losses = 930 * 1.2 + (510 * 30 + 800) * 0.165 * 1.1 - 52
    price = (40 * 30 - 20 * 4 + 115 + 140) * 1.1 + (510 * 40 + 800) * 0.165 * 1.2 - 52
    costs = (1120 + 165 + 140) * 1.1 + (510 * 40 + 1800) * 0.165 * 1.2 - 52
    paper = [april, days, weather, own_use, others_use, key, losses, price, costs, costs + 70 + 22]
    assert [round(one, 2) for one in paper] == [
        2700, 1324, 2036.2, 3908.8, 3661, 3060.5, 3986.15, 5658.1, 5911.1, 6003.1
    ]  # fmt: skip
    assert told(APRIL, NOVEMBER) == parts(
        days="-1376", weather="712.2", own_use="1872.6", others_use="-247.8", key="-600.5", losses="925.65",
        price="1671.95", costs="253", corrections="70", other="22",
    )  # fmt: skip


def test_what_the_old_rule_gives_of_the_new_month_parts_the_key_from_the_hours() -> None:
    """By the old rule it would have had 50 kWh and 13.5 of 60 kWh left over, the common area 15 kWh.

    Of its hours, and not of the key, is what lies between 60 kWh and 8 credited, as in April, and these figures:
    (1000 - 67.5 - 1200 + 40) x 1.2 = -273. Days changed 25 kWh, the sun 100, own use 50, others' 50: 273/225 a kWh.
    """
    same_rule = Divided(
        sun=Fraction(200), surplus=Fraction(60), used=Fraction(75), used_by_others=Fraction(225), given=Fraction(50),
        credited=Fraction("13.5"), common_sun=Fraction(15),
    )  # fmt: skip
    others_use = (60 * 20 - 40 + 105 + 120) * 1.2 + 11000 * 0.17 * 1.1 - 52  # the common area with 15 kWh
    assert round(others_use - 3908.8, 2) == -241.8
    assert told(APRIL, NOVEMBER, same_rule) == parts(
        days="-1406.333", weather="590.867", own_use="1811.933", others_use="-302.467", key="-333.5", losses="925.65",
        price="1671.95", costs="253", corrections="70", other="22",
    )  # fmt: skip


def test_under_the_same_rules_nothing_is_due_to_the_key() -> None:
    """What others count by area, and the sun of the common area, then are others'; the hours are divided by kWh.

    (700 - 1160) x 1.2 = -552, over 225 kWh: -2.453 for each.
    """
    after = having(NOVEMBER, sharing_rule=APRIL.sharing_rule, heat_rule=APRIL.heat_rule, measured_part="0.6")
    others_use = (60 * 20 - 40 + 110 + 120) * 1.2 + 11000 * (0.6 * 0.25 + 0.4 * 0.08) * 1.1 - 52
    assert round(others_use - 3908.8, 2) == -90.6
    losses = 170 * 30 * 0.182 * 1.1  # 510 kg for 340, of which it pays 0.6 x 0.25 + 0.4 x 0.08
    price = (1375 * 1.1 - 930 * 1.2) + (21200 * 1.2 - 16100 * 1.1) * 0.182
    costs = 1000 * 0.182 * 1.2 + 55
    assert [round(one, 2) for one in (losses, price, costs)] == [1021.02, 1803.36, 273.4]
    # 1425 cents of electricity with 1.1, 22200 x 0.182 of heat with 1.2, lines of 40.
    assert told(APRIL, having(after, total="6455.98")) == parts(
        days="-1437.333", weather="466.867", own_use="1749.933", others_use="-213.267",  # by kWh: 25, 100, 50, 50
        losses="1021.02", price="1803.36", costs="273.4", corrections="70", other="22",
    )  # fmt: skip


YEARS = {"month": Month(2027, 4)}  # a year later, so that the table of the season says nothing
LARGE = 1_000_000


@pytest.mark.parametrize(
    ("changes", "part", "cents"),
    [
        ({"sun": "150", "surplus": "60", "given": "45", "credited": "12"}, "weather", "336"),  # half as much again
        ({"used": "100", "given": "48"}, "own_use", "432"),  # 100 of 250 kWh: 40, and 1.2 times that
        ({"heat": "600", "fuel_kg": "300"}, "own_use", "1346.4"),  # 600 of 1500 kWh: 9800 x 0.28
        ({"used_by_others": "100", "given": "40"}, "others_use", "240"),
        ({"heat_of_others": "300", "fuel_kg": "120"}, "others_use", "-26.4"),  # 300 of 600 kWh: 4400 x 0.34
        ({"by_area": "0.2"}, "others_use", "352"),
        ({"by_common_area": "0.1"}, "others_use", "120"),
        ({"common_sun": "60"}, "others_use", "60"),
        ({"given": "35"}, "moment", "120"),
        ({"surplus": "50", "credited": "10"}, "moment", "-12"),
        ({"credited": "18"}, "moment", "-60"),
        ({"given": "35", "sharing_rule": ("new",)}, "key", "120"),
        ({"surplus": "50", "credited": "18", "sharing_rule": ("new",)}, "key", "-60"),
        ({"common_sun": "60", "sharing_rule": ("new",)}, "key", "60"),
        ({"by_area": "0.2", "heat_rule": "new"}, "key", "352"),
        ({"measured_part": "0.5", "heat_rule": "new"}, "key", "-132"),
        ({"fuel_kg": "740"}, "losses", "3135"),
        ({"fuel_kg": "740", "corrects_stock": True}, "corrections", "3135"),
        ({"solar_price": "30"}, "price", "360"),
        ({"feed_in_price": "15"}, "price", "-96"),
        ({"fuel_price": "80"}, "price", "2508"),
        ({"common_price": "40"}, "price", "12"),
        ({"fixed_price": "400"}, "price", "96"),
        ({"electricity_vat": "1.1"}, "price", "-90"),
        ({"heat_vat": "1.2"}, "price", "152"),
        ({"heat_invoices": "1800"}, "costs", "209"),
        ({"common_invoices": "2800"}, "costs", "60"),
        ({"other": {"sundry": 40}}, "other", "92"),
        ({"other": APRIL.other | {"correction": -7}}, "corrections", "-7"),
        ({"other": APRIL.other | {"correction_of_2025": -7}}, "corrections", "-7"),
    ],
)  # fmt: skip
def test_what_changed_alone_is_a_part_alone(changes: dict[str, Any], part: str, cents: str) -> None:
    """A line of its own is so much larger that what a slip leaves would fall to it, and not make the part right."""
    before = having(APRIL, other=APRIL.other | {"work_by_others": LARGE})
    after = having(APRIL, **YEARS, **changes)
    after = replace(after, total=before.total + Fraction(cents) - LARGE)
    expected = {"other": Decimal(-LARGE)}
    expected[part] = expected.get(part, Decimal(0)) + Decimal(cents)
    assert told(before, after) == expected


SUN = having(
    APRIL, total=4000, lived="1", sun="100", surplus="0", used="40", used_by_others="60", given="40",
    solar_price="100", credited="0", heat="0", heat_of_others="0", fuel_kg="0", heat_invoices="0", by_meter="0",
    common_sun="0", common_invoices="0", fixed_price="0", other={}, electricity_vat="1",
)  # fmt: skip
"""Nothing but sun, for a euro a kWh and without VAT: of 100 kWh it is given 40, as much as by use alone."""


def test_what_the_hours_did_goes_to_those_that_changed_by_how_many_kwh_less() -> None:
    """Half the days, 20 kWh: 100 x 20/100 = 20. Sun 90: 18. Own use 10: 90 x 10/90 = 10. Others 40: 90 x 10/50 = 18.

    It was given 10, so its hours cost it 8 kWh: 0.1 for each of 20, 10, 10 and 40 kWh.
    """
    after = having(SUN, **YEARS, lived="1/2", sun="90", used="10", used_by_others="40", given="10", total=1000)
    assert told(SUN, after) == parts(days="-2200", weather="-300", own_use="-900", others_use="400")


def test_what_the_hours_did_goes_to_those_that_changed_by_how_many_kwh_more() -> None:
    """Given 10 of 18 by use. All days, 20 and 30 kWh: 90 x 5/9 x 20/50 = 20. Sun 180: 40. Own use 30 of 60: 50.

    Others 70: 30. It was given 45, so its hours brought it 15 kWh: 0.1 for each of 10, 90, 10 and 40 kWh.
    """
    before = having(SUN, lived="1/2", sun="90", used="10", used_by_others="40", given="10", total=1000)
    after = having(SUN, **YEARS, sun="180", used="30", used_by_others="70", given="45", total=4500)
    assert told(before, after) == parts(days="1100", weather="2900", own_use="1100", others_use="-1600")


def test_a_month_without_sun_has_the_hours_of_the_other() -> None:
    """Given 0.8 of what it would be by use: 0.8 x 200 x 40/100 = 64, and 0.1 of the sun credited for 5 cents."""
    dark = having(SUN, **YEARS, sun="0", given="0", total=0)
    bright = having(SUN, sun="200", given="64", surplus="40", credited="20", total=6300)
    assert told(dark, bright) == parts(weather="6300")
    assert told(bright, dark) == parts(weather="-6300")
    no_surplus = having(SUN, sun="200", given="64", total=6400)
    # How much was left over belongs to the sun, but not who it was credited to: that the darker month cannot tell.
    assert told(no_surplus, having(bright, **YEARS)) == parts(moment="-100")


def test_a_month_without_use_has_the_hours_of_the_other() -> None:
    unused = having(SUN, **YEARS, used="0", given="0", total=0)
    used = having(SUN, used="20", given="20", total=2000)  # of 80 kWh 20: 25, of which it was given 0.8
    assert told(unused, used) == parts(own_use="2000")
    assert told(used, unused) == parts(own_use="-2000")
    nobody = having(unused, used_by_others="0", other={"work": LARGE}, total=LARGE)
    # First alone, then with others: 0.8 x 100 x 20/20 = 80, then 20.
    assert told(nobody, used) == parts(own_use="8000", others_use="-6000", other=str(-LARGE))


def test_where_no_month_tells_how_the_sun_is_met_none_is_given_on_the_way() -> None:
    """One month without sun, the other without use: it is given none in either, so there is nothing to explain."""
    dark, away = having(SUN, sun="0", given="0", total=0), having(SUN, **YEARS, used="0", given="0", total=0)
    assert told(dark, away) == told(away, dark) == {}


HEAT = having(
    SUN, total=8000, sun="0", used="0", used_by_others="0", given="0", heat="300", heat_of_others="900", by_meter=None,
    fuel_kg="240", fuel_price="100", heat_invoices="8000", measured_part="1/2", by_area="1/4", heat_vat="1",
)  # fmt: skip
"""Nothing but heat: 240 kg for a euro and an invoice of 80.00 are 320.00, of which a quarter by meter and by area."""
UNMEASURED = having(HEAT, heat="0", heat_of_others="0", by_meter="1/4")


def test_without_meters_pellets_follow_the_weather_and_the_rest_is_losses() -> None:
    """By the table November takes 120 for April's 80: 360 kg, so 30.00 more for a quarter. 400 kg: 10.00."""
    after = having(UNMEASURED, month=Month(2026, 11), fuel_kg="400", total=12000)
    assert told(UNMEASURED, after) == parts(weather="3000", losses="1000")


def test_a_part_by_meter_that_nobody_measured_changes_with_others_or_with_the_rule() -> None:
    after = having(UNMEASURED, **YEARS, by_meter="1/2", total=12000)  # 32000 x (1/4 + 1/8)
    assert told(UNMEASURED, after) == parts(others_use="4000")
    assert told(UNMEASURED, having(after, heat_rule="new")) == parts(key="4000")


def test_a_month_without_meters_beside_one_with_them() -> None:
    """What only one month measured explains nothing: pellets as they are, the measured part where shares change.

    The part by meter goes from 300/1200 to 3/8: 32000 x 1/16. 80 kg more: 8000 x (3/16 + 1/8).
    """
    after = having(UNMEASURED, **YEARS, by_meter="3/8", fuel_kg="320", total=12500)
    assert told(HEAT, after) == parts(others_use="2000", losses="2500")
    # The other way 40000 cents lose 1/16 first, then 8000 lose 1/8 and 1/8.
    assert told(having(after, month=HEAT.month), having(HEAT, **YEARS)) == parts(others_use="-2500", losses="-2000")
    assert told(HEAT, having(after, heat_rule="new")) == parts(key="2000", losses="2500")


def test_heat_that_nobody_takes_on_the_way_is_paid_by_area() -> None:
    """Only the household heated, then only others: between the two nobody does, and 8000 is parted by area alone.

    32000 x (1/2 + 1/8) = 20000; 8000 x 1/4 = 2000; with 300 kWh of others 32000 x 1/8 = 4000.
    """
    before = having(HEAT, heat_of_others="0", heat="300", total=20000)
    after = having(HEAT, **YEARS, heat="0", heat_of_others="300", total=4000)
    assert told(before, after) == parts(own_use="-18000", others_use="2000")


def homes(*percent: int) -> tuple[Facts, Facts]:
    """A year later other homes take so much of their heat, whose figures come in this order."""
    keys = [(f"h-{number}", f"{number}") for number in range(len(percent))]
    first = {key: Fraction(10 + number) for number, key in enumerate(keys)}
    second = {key: first[key] * one / 100 for key, one in zip(keys, percent, strict=True)}
    before = having(HEAT, heat_by_home=first)
    return before, having(HEAT, **YEARS, heat_by_home=second)


@pytest.mark.parametrize(
    ("percent", "typical"),
    [
        ((70, 10, 90, 30, 200, 60, 20, 110, 80, 50, 40), 60),  # the sixth of eleven
        ((70, 10, 90, 30, 200, 60, 20, 110, 80, 52), 65),  # the middle of 60 and 70, the fifth and sixth of ten
        ((70, 10, 90, 30, 200, 60, 20, 110, 80, 52, 0), 65),  # a home without heat is not compared
    ],
)
def test_the_weather_is_the_change_of_the_middle_home(percent: tuple[int, ...], typical: int) -> None:
    """A quarter of 24000 cents of pellets; what it and others then take all the same is its own use and theirs."""
    before, after = homes(*percent)
    less = Decimal(6000) * (100 - typical) / 100
    found = told(before, after)
    assert found["weather"] == -less
    assert sum(found.values()) == 0
    assert change(before, after).weather_by == "homes"


def test_a_home_that_did_not_heat_before_is_not_compared() -> None:
    before, after = homes(*[50] * 10, 100)
    gone = {**before.heat_by_home, ("h-10", "10"): Fraction(0)}
    assert told(having(before, heat_by_home=gone), after)["weather"] == -3000
    away = {home: heat for home, heat in after.heat_by_home.items() if home != ("h-9", "9")}
    assert told(before, having(after, heat_by_home=away))["weather"] == -3000
    few = change(having(before, heat_by_home=gone), having(after, heat_by_home=away))
    assert few.weather_by == "season"
    assert few.parts == {}


PLAIN = having(SUN, used="1", used_by_others="99", given="1", total=100)
"""It used and was given 1 of 100 kWh, for a euro: every kWh of the roof's sun is a cent."""


@pytest.mark.parametrize(
    ("changes", "total", "expected"),
    [
        # What rounding leaves, here 5 and -5, goes to the largest part, also where that is less than nothing.
        ({"sun": "4100", "given": "41", "other": {"x": -30}}, 4075, {"weather": 4005, "other": -30}),
        ({"sun": "150", "given": "1.5", "other": {"x": -90}}, 55, {"weather": 50, "other": -95}),
        # A part of one cent is large enough to take it, one of less than a cent is not.
        ({"sun": "101", "given": "1.01"}, 103, {"weather": 3}),
        ({"sun": "99", "given": "0.99"}, 98, {"weather": -2}),
        ({"sun": "101.5", "given": "1.015"}, 103, {"weather": 3}),
        ({"sun": "100.25", "given": "1.0025"}, 101, {"rounding": 1}),
        ({"sun": "100.25", "given": "1.0025"}, 103, {"rounding": 3}),
        # A part of 0 is left out, also one that comes to 0 by rounding.
        ({"sun": "100.25", "given": "1.0025"}, 100, {}),
        # Then cents go to the largest remainders: 0.6 and 0.4 of one; 1.5 and 1.5 of three, by the order of the parts.
        ({"sun": "100.6", "given": "1.006", "solar_price": Fraction(101_000, 1006)}, 101, {"weather": 1}),
        ({"sun": "100.4", "given": "1.004", "solar_price": Fraction(101_000, 1004)}, 101, {"price": 1}),
        ({"sun": "101.5", "given": "1.015", "solar_price": Fraction(103_000, 1015)}, 103, {"weather": 2, "price": 1}),
    ],
)
def test_cents_that_the_lines_were_rounded_by(changes: dict[str, Any], total: int, expected: dict[str, int]) -> None:
    found = change(PLAIN, having(PLAIN, **YEARS, **changes, total=total))
    assert found.parts == expected
    assert (found.before, found.after) == (100, total)
