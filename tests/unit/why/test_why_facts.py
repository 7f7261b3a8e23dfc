"""What a month is made of, read from statement documents so small that a calculator is enough.

The building of most months: flats of 40, 60 and 100 m2 in April, which has 30 days. Prices are without VAT: sun 20
cents, surplus 5, a fixed 3.00 a month; 20 percent VAT on electricity and 10 on heat. Of the heat cost 60 percent follow
the meters.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest

from core.communityfile import build
from settlement.why.facts import Facts, entry_of, facts
from settlement.why.parts import change

Document = dict[str, Any]

TARIFF = {
    "from": "2025-01-01", "solar_eur_per_kwh": "0.20", "feed_in_eur_per_kwh": "0.05", "fixed_eur_per_month": "3.00",
    "prices_include_vat": "false", "vat_percent": {"electricity": "20", "heat": "10"},
}  # fmt: skip
HEAT = {"from": "2025-01-01", "measured_percent": "60"}
SHARING = {"from": "2025-01-01", "key": "proportional"}
FLATS = [{"id": flat, "floor_area_m2": area} for flat, area in (("A", "40"), ("B", "60"), ("C", "100"))]
HOUSE = {
    "community": "mees", "name": "Mees", "timezone": "Europe/Amsterdam", "owner": "owner", "flats": FLATS,
    "households": [{"id": f"h-{flat.lower()}", "flat": flat, "from": "2025-01-01"} for flat in "ABC"],
    "meters": [{"id": "pv", "measures": "solar_generation", "unit": "kWh"}],
    "sharing": [SHARING], "tariffs": [TARIFF], "heat": [HEAT],
}  # fmt: skip


def line(code: str, quantity: str | None, unit: str | None, price: str | None = None, **eur: str) -> Document:
    return {
        "code": code, "quantity": quantity, "unit": unit, "price_eur": price,
        "net_eur": eur.get("net", "0.00"), "amount_eur": eur.get("amount", "0.00"),
    }  # fmt: skip


def home(flat: str | None, *lines: Document, **figures: Any) -> Document:
    """One entry; ``used`` and ``given`` in kWh, ``kwh`` of measured heat, where it has such a meter."""
    given = {"consumed_kwh": figures["used"], "shared_kwh": figures["given"]} if "used" in figures else None
    heat = {"measured_kwh": figures["kwh"]} if "kwh" in figures else None
    return {
        "party": figures.get("party", f"h-{flat}".lower()), "flat": flat, "lines": [*lines],
        "from": figures.get("first", "2026-04-01"), "until": figures.get("until", "2026-05-01"),
        "electricity": given, "heat": heat, "total_eur": figures.get("total", "0.00"),
    }  # fmt: skip


def month(*homes: Document, **figures: Any) -> Document:
    """A month's document; of the building 200 kWh were used, 100 came from the roof, of which 60 were used."""
    energy = {"solar_kwh": "100", "consumed_kwh": "200", "shared_kwh": "60", "surplus_kwh": "40"}
    return {
        "month": "2026-04", "energy": energy | figures.get("energy", {}), "pellets": figures.get("pellets"),
        "statements": list(homes),
    }  # fmt: skip


def pellets(kg: str, eur: str, *, estimated: bool = False) -> Document:
    return {"burnt_kg": kg, "burnt_eur": eur, "estimated": estimated}


def read(document: Document, household: str = "h-a", previous: Document | None = None, **changes: Any) -> Facts:
    """Read a household's month; ``changes`` are of the community."""
    return facts(document, build(HOUSE | changes, "the case").community, household, previous)


def test_an_entry_is_that_of_the_household() -> None:
    here = month(home("A"), home("B", total="7.00"))
    own = entry_of(here, "h-b")
    assert own is not None
    assert own["total_eur"] == "7.00"
    assert entry_of(here, "h-x") is None
    assert read(here, "h-b").total == 700


def test_what_the_building_and_the_others_used() -> None:
    """The common area has what the flats were not given: 60 - 30 - 14 - 6 = 10 kWh; a flat without a meter has none."""
    found = read(
        month(
            home("A", used="50.5", given="30", total="12.34"),
            home("B", used="40", given="14"),
            home("C", used="70", given="6"),
            home(None, party="owner"),
        )
    )
    assert (found.total, found.sun, found.surplus) == (1234, 100, 40)
    assert (found.used, found.used_by_others, found.given) == (Fraction("50.5"), Fraction("149.5"), 30)
    assert found.common_sun == 10
    assert found.lived == 1


def test_a_household_without_a_meter_used_nothing() -> None:
    found = read(month(home("A"), home("B", used="40", given="14")))
    assert (found.used, found.used_by_others, found.given, found.common_sun) == (0, 200, 0, 46)


SOLAR = (line("fixed", "30", "days", "3.00"), line("feed_in", "8", "kWh", "0.05"))


@pytest.mark.parametrize(
    ("own", "others", "cents"),
    [
        (("30", [("10", "0.20"), ("20", "0.35")]), ("14", [("14", "0.50")]), 30),  # (10 x 20 + 20 x 35) / 30
        (("40", [("10", "0.20")]), ("14", [("14", "0.50")]), 5),  # 30 kWh on days when it was free have no line
        (("0", []), ("10", [("10", "0.50")]), 50),  # what others paid, where it had none
        (("0", []), ("0", []), 20),  # the tariff's
    ],
)
def test_the_price_of_the_sun_is_a_mean_by_what_was_given(own: Any, others: Any, cents: int) -> None:
    homes = [
        home(flat, *SOLAR, *(line("solar", kwh, "kWh", price) for kwh, price in lines), used="50", given=given)
        for flat, (given, lines) in (("A", own), ("B", others))
    ]
    assert read(month(*homes)).solar_price == cents


@pytest.mark.parametrize(
    ("own", "owner", "cents"),
    [
        ([("3", "0.04"), ("1", "0.08")], [("6", "0.10")], 5),  # (3 x 4 + 1 x 8) / 4
        ([], [("6", "0.10"), ("2", "0.02")], 8),  # (60 + 4) / 8
        ([], [], 5),  # the tariff's
    ],
)
def test_the_price_of_the_surplus_is_a_mean_by_what_was_credited(
    own: list[tuple[str, str]], owner: list[tuple[str, str]], cents: int
) -> None:
    others = (
        line("solar", "30", "kWh", "0.20"),
        line("netting", "9", "kWh", "0.40"),
    )  # what was netted is another line
    homes = [
        home(flat, *others, *(line("feed_in", kwh, "kWh", price) for kwh, price in lines), party=party)
        for flat, party, lines in (("A", "h-a", own), (None, "owner", owner))
    ]
    found = read(month(*homes))
    assert found.feed_in_price == cents
    assert found.credited == sum(int(kwh) for kwh, _ in own)


def test_measured_heat_is_what_the_line_says_and_the_meter_where_it_has_none() -> None:
    """A line in kWh has what was estimated too; units are counted where there are no kWh; m2 days are no heat."""
    sun = line("solar", "77", "kWh", "0.20")
    area = line("heat_measured", "1200", "m²·days")
    for own, kwh, heat in (
        ([sun, line("heat_measured", "320.5", "kWh")], "300", Fraction("320.5")),
        ([sun, line("heat_measured", "45", "units")], None, 45),
        ([sun, area], "300", 300),
        ([sun], "300", 300),
        ([sun, line("heat_fixed", "30", "kWh")], None, 0),
    ):
        found = read(month(home("A", *own, kwh=kwh), home("B", line("heat_measured", "80", "kWh"), kwh="70")))
        assert (found.heat, found.heat_of_others) == (heat, 80)
        assert found.by_meter is None
    assert read(month(home("A", sun), home("B", kwh="70"))).heat == 0  # nobody settles its heat


def test_where_no_heat_was_measured_the_measured_part_follows_what_the_line_says() -> None:
    lines = [line("heat_measured", days, "m²·days") for days in ("1200", "1800", "3000")]
    homes = [home(flat, one, line("solar", "9", "kWh"), kwh="0") for flat, one in zip("ABC", lines, strict=True)]
    found = read(month(*homes))
    assert (found.heat, found.heat_of_others, found.by_meter) == (0, 0, Fraction(1, 5))


def heated(measured: str, fixed: str, water: tuple[str, str] = ("0.00", "0.00"), **figures: Any) -> Document:
    """A month whose heat was charged to two homes; amounts with VAT are other ones, to be told apart."""
    codes = ("heat_measured", "heat_fixed", "hot_water_measured", "hot_water_fixed")
    lines = [
        line(code, None, None, net=eur, amount="999.00")
        for code, eur in zip(codes, (measured, fixed, *water), strict=True)
        if eur != "0.00"
    ]
    owner = home(None, line("feed_in", "5", "kWh", "0.05", net="-0.25"), party="owner")
    return month(home("A", *lines[:1], kwh="300"), home("B", *lines[1:], kwh="900"), owner, **figures)


def cost(found: Facts) -> tuple[Fraction, Fraction, Fraction]:
    return found.fuel_kg, found.fuel_price, found.heat_invoices


def test_the_heat_cost_is_pellets_and_invoices() -> None:
    """48.00 + 32.00 were charged, 240 kg for 72.00 were burnt: 30 cents a kg, and 8.00 of invoices."""
    assert cost(read(heated("48.00", "32.00", pellets=pellets("240", "72.00")))) == (240, 30, 800)
    assert cost(read(heated("48.00", "32.00"))) == (0, 0, 8000)


def test_hot_water_has_its_part_of_pellets_and_invoices() -> None:
    """30.00 + 10.00 for rooms and 7.00 + 3.00 for water: four fifths of 250 kg for 40.00 are the rooms'."""
    assert cost(read(heated("30.00", "10.00", ("7.00", "3.00"), pellets=pellets("250", "40.00")))) == (200, 16, 800)
    half = heated("30.00", "10.00", ("30.00", "10.00"), pellets=pellets("250", "60.00"))
    assert cost(read(half)) == (125, 24, 1000)
    all_water = heated("0.00", "0.00", ("30.00", "10.00"), pellets=pellets("250", "40.00"))
    assert cost(read(all_water)) == (0, 0, 0)


def test_a_count_that_found_more_than_was_estimated_tells_no_price() -> None:
    for kg, eur in (("-10", "-3.00"), ("0", "0.00")):
        assert cost(read(heated("48.00", "32.00", pellets=pellets(kg, eur)))) == (0, 0, 8000)
    little = cost(read(heated("48.00", "32.00", pellets=pellets("0.5", "0.10"))))
    assert little == (Fraction(1, 2), 20, 7990)


def test_pellets_are_burnt_also_where_a_credit_note_pays_for_them() -> None:
    """240 kg for 72.00, and a credit note of 72.00: the pool is 0 and no heat was charged. A month later it was.

    So what changed are the costs, not the price of pellets, and not what was lost: of 72.00 the home pays 0.6 x 0.25
    for its heat and 0.4 x 0.2 for its area, with VAT 7200 x 0.23 x 1.1 = 1821.6 cents.
    """
    paid = heated("0.00", "0.00", pellets=pellets("240", "72.00"))
    before = read(paid)
    assert cost(before) == (240, 30, -7200)
    charged = heated("43.20", "28.80", pellets=pellets("240", "72.00"))
    own = charged["statements"][0] | {"total_eur": "18.22"}
    after = read(charged | {"month": "2027-04", "statements": [own, *charged["statements"][1:]]})
    assert cost(after) == (240, 30, 0)
    assert change(before, after).parts == {"costs": 1822}
    assert change(after, before).parts == {"costs": -1822}


def test_pellets_of_a_building_that_settles_no_heat_cost_nobody_anything() -> None:
    homes = [home("A", line("work", None, None, net="-1.00", amount="-1.00")), home("B")]
    found = read(month(*homes, pellets=pellets("240", "72.00")), heat=None)
    assert cost(found) == (0, 0, 0)
    assert (found.measured_part, found.heat_rule) == (0, "")
    assert found.by_area == Fraction(1, 5)


def test_pools_are_read_with_vat_where_prices_include_it() -> None:
    homes = [
        home("A", line("heat_measured", None, None, net="10.00", amount="11.00"), kwh="9"),
        home("B", line("common", None, None, net="50.00", amount="60.00"), kwh="9"),
    ]
    without = read(month(*homes))
    assert (without.heat_invoices, without.electricity_vat, without.heat_vat) == (
        1000,
        Fraction(6, 5),
        Fraction(11, 10),
    )
    included = read(month(*homes), tariffs=[TARIFF | {"prices_include_vat": "true"}])
    assert (included.heat_invoices, included.electricity_vat, included.heat_vat) == (1100, 1, 1)
    one_rate = read(month(*homes), tariffs=[TARIFF | {"vat_percent": {"electricity": "20"}}], heat=None)
    assert one_rate.heat_vat == Fraction(6, 5)
    no_vat = read(month(*homes), tariffs=[TARIFF | {"vat_percent": {"electricity": "20", "heat": "0"}}])
    assert no_vat.heat_vat == 1


def test_where_there_was_no_sun_at_all_prices_are_those_of_the_first_day() -> None:
    later = TARIFF | {"from": "2026-04-16", "solar_eur_per_kwh": "0.30", "feed_in_eur_per_kwh": "0.10"}
    found = read(month(home("A")), tariffs=[TARIFF, later])
    assert (found.solar_price, found.feed_in_price) == (20, 5)


def test_the_part_of_the_fixed_cost_is_what_the_line_says() -> None:
    """Half the month in 100 m2: 1500 of 4500 m2 days, whatever the areas say today."""
    homes = [
        home(flat, line("heat_fixed", quantity, "m²·days"), line("heat_measured", "500", "m²·days"))
        for flat, quantity in (("A", "1200"), ("B", "1800"))
    ]
    own = home("C", line("heat_fixed", "1500", "m²·days"), until="2026-04-16")
    assert read(month(*homes, own), "h-c").by_area == Fraction(1, 3)


def test_without_a_line_the_part_of_the_fixed_cost_is_by_area_or_equal() -> None:
    """15 of 30 days in 100 of 200 m2 are a quarter; in one of three flats they are a sixth."""
    half = month(home("A"), home("B"), home("C", until="2026-04-16"))
    equal = [HEAT | {"fixed_by": "equal"}]
    by_area, by_flat = read(half, "h-c"), read(half, "h-c", heat=equal)
    assert (by_area.by_area, by_area.by_meter) == (Fraction(1, 4), Fraction(1, 4))
    assert (by_flat.by_area, by_flat.by_meter) == (Fraction(1, 6), Fraction(1, 6))
    assert by_flat.by_common_area == Fraction(1, 4)  # common areas are by floor area always
    assert by_flat.lived == Fraction(1, 2)


def test_a_flat_without_an_area_has_no_part_by_area() -> None:
    equal = [HEAT | {"fixed_by": "equal"}]
    some = [{"id": "A", "floor_area_m2": "40"}, {"id": "B", "floor_area_m2": "60"}, {"id": "C"}]
    here = month(home("A"), home("C"), home("D", party="h-d"))
    assert [read(here, one, flats=some, heat=equal).by_common_area for one in ("h-a", "h-c")] == [Fraction(2, 5), 0]
    none = [{"id": flat} for flat in "ABC"]
    assert read(here, flats=none, heat=equal).by_common_area == 0
    assert read(here, "h-d").by_common_area == 0  # a flat that the community has no more


def shared_area(net: str, *costs: tuple[str, str], kwh: str = "10", price: str = "0.20") -> Fraction:
    """Read the invoices of a month whose common area was given some sun; 14 kWh more were given to a home."""
    home_a = home("A", line("solar", "14", "kWh", price), line("common", None, None, net=net), used="50", given="14")
    homes = (home_a, home("B", line("common", None, None, net="1.00"), line("fixed", "30", "days", net="3.00")))
    energy = {"shared_kwh": str(14 + Fraction(kwh)), "surplus_kwh": "0"}
    invoices = [
        {"date": day, "pool": "common", "eur": eur, "invoice": f"n-{number}"} for number, (day, eur) in enumerate(costs)
    ]
    return read(month(*homes, energy=energy), costs=invoices).common_invoices


def test_invoices_of_the_common_area_are_what_its_pool_holds_beside_its_sun() -> None:
    """10 kWh for 20 cents are 2.00 of the 20.00 that were charged."""
    assert shared_area("19.00", ("2026-04-02", "10.00"), ("2026-04-30", "8.00"), ("2026-05-01", "4.00")) == 1800
    # An invoice that came after the statement was made is not in it, and one that is gone by now is.
    assert shared_area("19.00", ("2026-04-02", "18.00"), ("2026-04-03", "7.00")) == 1800
    assert shared_area("19.00") == 1800


def test_a_credit_note_of_the_common_area_is_taken_as_it_is() -> None:
    """5 kWh for 20.1 cents are 100.5, and 300 less are -199.5: a half goes away from zero, to -200, as 101 does up.

    What lies between -200 and 101 is not the credit note of 300.
    """
    assert shared_area("-3.00", ("2026-04-02", "-3.00"), kwh="5", price="0.201") == -300


def test_the_fixed_price_is_that_of_a_whole_month() -> None:
    """10 days of 3.00 and 5 of 6.00 a month are 100 + 100 cents for half a month: 400 for a whole one."""
    lines = (line("fixed", "10", "days", "3.00"), line("fixed", "5", "days", "6.00"), line("solar", "9", "kWh", "0.20"))
    found = read(month(home("A", *lines, until="2026-04-16", used="9", given="9")))
    assert (found.lived, found.fixed_price) == (Fraction(1, 2), 400)
    assert read(month(home("A"))).fixed_price == 0


def test_lines_of_other_kinds_are_added_up_by_code_as_they_are_paid() -> None:
    known = [
        line(code, "1", "kWh", amount="50.00")
        for code in ("solar", "feed_in", "heat_measured", "heat_fixed", "common", "fixed")
    ]
    others = [
        line("work", None, None, amount="-1.00"), line("netting", "4", "kWh", "0.30", amount="-1.20"),
        line("work", None, None, amount="0.25"), line("hot_water_fixed", "30", "days", amount="2.00"),
    ]  # fmt: skip
    found = read(month(home("A", *known, *others), home("B", line("work", None, None, amount="9.00"))))
    assert found.other == {"work": -75, "netting": -120, "hot_water_fixed": 200}


def test_other_homes_are_those_that_somebody_else_lived_in_all_month() -> None:
    homes = (
        home("A", kwh="100"),
        home("B", kwh="200"),
        home("C", kwh="300", until="2026-04-16"),
        home("C", kwh="50", first="2026-04-16", party="owner"),
        home("D", kwh="70", party="owner"),  # vacant all month
        home("E", line("heat_measured", "410", "kWh"), kwh="400"),
        home("F", kwh="80", party="h-a"),
        home(None, party="owner"),
        home(None, party="h-z"),
    )
    assert read(month(*homes)).heat_by_home == {("h-b", "B"): 200, ("h-e", "E"): 410}


def test_a_count_corrects_only_the_estimate_of_the_month_before() -> None:
    def corrects(before: Document | None, now: Document | None) -> bool:
        return read(month(home("A"), pellets=now), previous=before and month(home("A"), **before)).corrects_stock

    guess, counted = pellets("9", "3.00", estimated=True), pellets("9", "3.00")
    assert corrects({"pellets": guess}, counted)
    assert corrects({"pellets": guess}, None)
    assert not corrects({"pellets": guess}, guess)
    assert not corrects({"pellets": counted}, counted)
    assert not corrects({"pellets": None}, counted)
    assert not corrects(None, counted)
    assert not corrects(None, guess)


def test_rules_are_those_of_the_month() -> None:
    """The heat rule of the first day, whenever it began; the sharing rules of all days, each from its first."""
    here = month(home("A"))
    old = read(here)
    assert old.measured_part == Fraction(3, 5)
    later = {"from": "2026-04-02", "measured_percent": "50"}
    assert read(here, heat=[HEAT, later]).heat_rule == old.heat_rule
    assert read(here, heat=[HEAT, HEAT | {"from": "2026-04-01"}]).heat_rule == old.heat_rule
    new = read(here, heat=[HEAT, later | {"from": "2026-04-01"}])
    assert new.heat_rule != old.heat_rule
    assert new.measured_part == Fraction(1, 2)
    equal = SHARING | {"from": "2026-04-11", "key": "equal"}
    (first,), (other,) = old.sharing_rule, read(here, sharing=[SHARING | {"key": "equal"}]).sharing_rule
    assert first.startswith("1 ")
    mixed = read(here, sharing=[SHARING, equal, SHARING | {"from": "2026-04-21"}]).sharing_rule
    assert mixed == (first, "11" + other[1:], "21" + first[1:])


def test_sharing_rules_are_the_same_only_where_they_are_on_every_day() -> None:
    here = month(home("A"))
    equal = SHARING | {"key": "equal"}
    on_the_11th = read(here, sharing=[SHARING, equal | {"from": "2026-04-11"}]).sharing_rule
    assert on_the_11th != read(here, sharing=[SHARING, equal | {"from": "2026-04-12"}]).sharing_rule
    told_again = [SHARING, SHARING | {"from": "2026-04-05"}, equal | {"from": "2026-04-11"}]
    assert on_the_11th == read(here, sharing=told_again).sharing_rule
