"""Prices by date and by the hour, the cap on the price of the sun, and netting that ends on a date."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from core.communityfile import build
from core.errors import BadInput
from core.time import Month
from settlement import selection
from settlement.month import settle
from settlement.replay import settle_document
from tests.support.pricehouse import Amount, Tree, lines, readings, settled, tariff, tree, utc

NIGHT = {"name": "night", "from": "23:00", "until": "07:00", "solar_eur_per_kwh": "0.10", "grid_eur_per_kwh": "0.24"}
AMSTERDAM = ZoneInfo("Europe/Amsterdam")


def refused(*tariffs: Tree) -> str:
    with pytest.raises(BadInput) as error:
        build(tree(tariffs=list(tariffs)), "house.yaml")
    return str(error.value)


def sold(statement: Tree, party: str = "h-F1") -> dict[str | None, tuple[str, str, str]]:
    """Quantity, price and amount of the lines of sun, by the window's name."""
    return {
        line.get("window"): (line["quantity"], line["price_eur"], line["amount_eur"])
        for line in lines(statement, "solar", party)
    }


def only(moment: str) -> dict[str, Amount]:
    """One kilowatt-hour of sun and of use, in the one interval that starts at an instant."""
    at = utc(moment)

    def amount(start: object) -> int:
        return 1_000_000 if start == at else 0

    return {"pv": amount, "el-F1": amount}


# Windows


@pytest.mark.parametrize(
    ("start", "window"),
    [
        ("2026-01-15T22:00", "night"),  # 23:00 in Amsterdam
        ("2026-01-15T21:45", None),
        ("2026-01-16T05:45", "night"),
        ("2026-01-16T06:00", None),  # 07:00: the end is not included
        ("2026-01-31T22:45", "night"),  # the last interval of the month
        ("2025-12-31T23:00", "night"),  # the first: the window that began in the year before
    ],
)
def test_an_interval_belongs_to_the_window_of_its_start(start: str, window: str | None) -> None:
    _, statement = settled(tree(1, tariffs=[tariff(windows=[NIGHT])]), "2026-01", only(start))
    price = "0.10" if window else "0.20"
    assert sold(statement) == {window: ("1.000000", price, f"{price}")}
    assert all(check["holds"] for check in statement["checks"])


def test_a_window_that_starts_within_an_interval_takes_the_next_one() -> None:
    late = NIGHT | {"from": "23:05"}
    for start, window in (("2026-01-15T22:00", None), ("2026-01-15T22:15", "night")):
        _, statement = settled(tree(1, tariffs=[tariff(windows=[late])]), "2026-01", only(start))
        assert list(sold(statement)) == [window]


@pytest.mark.parametrize(
    ("start", "window"),
    [
        ("2026-01-18T23:30", None),  # Monday 00:30: Sunday's night has no window
        ("2026-01-19T22:00", "weekdays"),  # Monday 23:00
        ("2026-01-24T00:00", "weekdays"),  # Saturday 01:00 is still the night of Friday
        ("2026-01-24T22:30", None),  # Saturday 23:30
    ],
)
def test_a_window_over_midnight_belongs_to_the_day_it_begins_on(start: str, window: str | None) -> None:
    weekdays = NIGHT | {"name": "weekdays", "days": ["mon", "tue", "wed", "thu", "fri"]}
    _, statement = settled(tree(1, tariffs=[tariff(windows=[weekdays])]), "2026-01", only(start))
    assert list(sold(statement)) == [window]


def test_sundays_night_goes_on_into_monday() -> None:
    sunday = NIGHT | {"days": ["sun"]}
    _, statement = settled(tree(1, tariffs=[tariff(windows=[sunday])]), "2026-01", only("2026-01-19T05:45"))
    assert list(sold(statement)) == ["night"]


def test_whole_days_and_a_week_that_windows_cover_completely() -> None:
    weekend = {"name": "weekend", "days": ["sat", "sun"], "from": "00:00", "until": "24:00", "solar_eur_per_kwh": "0.1"}
    week = {"name": "week", "days": ["mon", "tue", "wed", "thu", "fri"], "from": "00:00", "until": "24:00"}
    _, statement = settled(tree(1, tariffs=[tariff(windows=[weekend, week])]), "2026-02")  # 28 days, 8 of them weekend
    assert sold(statement) == {
        None: ("1920.000000", "0.20", "384.00"),  # `week` names no price of its own
        "weekend": ("768.000000", "0.1", "76.80"),
    }


@pytest.mark.parametrize(
    ("month", "interval", "night", "day"),
    [
        # 31 nights of eight hours; the missing hour of 29 March and the repeated one of 25 October are the night's.
        ("2026-03", "15min", 31 * 32 - 4, 31 * 64),
        ("2026-10", "15min", 31 * 32 + 4, 31 * 64),
        ("2026-03", "30min", 31 * 16 - 2, 31 * 32),
        ("2026-10", "30min", 31 * 16 + 2, 31 * 32),
        ("2026-03", "1h", 31 * 8 - 1, 31 * 16),
        ("2026-10", "1h", 31 * 8 + 1, 31 * 16),
    ],
)
def test_windows_follow_the_wall_clock_when_clocks_change(month: str, interval: str, night: int, day: int) -> None:
    given = tree(1, tariffs=[tariff(windows=[NIGHT])], settlement_interval=interval)
    _, statement = settled(given, month)
    assert {name: Decimal(quantity) for name, (quantity, _, _) in sold(statement).items()} == {
        None: day,
        "night": night,
    }


@pytest.mark.parametrize(("day", "night"), [("2026-03-29", 28), ("2026-10-25", 36), ("2026-10-26", 32)])
def test_a_day_of_92_or_100_quarter_hours_has_its_own_night(day: str, night: int) -> None:
    def amount(start: Any) -> int:
        return 1_000_000 if str(start.astimezone(AMSTERDAM).date()) == day else 0

    given = tree(1, tariffs=[tariff(windows=[NIGHT])])
    _, statement = settled(given, day[:7], {"pv": amount, "el-F1": amount})
    assert {name: Decimal(quantity) for name, (quantity, _, _) in sold(statement).items()} == {None: 64, "night": night}


def test_a_price_change_within_the_month_gives_a_line_per_price_and_window() -> None:
    dearer = NIGHT | {"solar_eur_per_kwh": "0.12"}
    tariffs = [tariff(windows=[NIGHT]), tariff(**{"from": "2026-01-11"}, windows=[dearer])]
    _, statement = settled(tree(1, tariffs=tariffs), "2026-01")
    told = [
        (line.get("window"), line["price_eur"], Decimal(line["quantity"])) for line in lines(statement, "solar", "h-F1")
    ]
    # The night that begins on the 10th ends under the tariff of the 11th: the price is that of the interval's day.
    assert told == [(None, "0.20", 31 * 64), ("night", "0.10", 10 * 32), ("night", "0.12", 21 * 32)]


def test_what_the_sun_saved_follows_the_windows() -> None:
    _, statement = settled(tree(1, tariffs=[tariff(windows=[NIGHT])]), "2026-02")
    day, night = 28 * 64 * Decimal("0.10"), 28 * 32 * Decimal("0.14")
    assert statement["statements"][0]["electricity"]["saved_eur"] == f"{day + night:.2f}"


def test_without_a_grid_price_outside_the_windows_nothing_is_told_to_be_saved() -> None:
    bare = {name: value for name, value in tariff(windows=[NIGHT]).items() if name != "grid_eur_per_kwh"}
    _, statement = settled(tree(1, tariffs=[bare]), "2026-02")
    assert statement["statements"][0]["electricity"]["saved_eur"] is None
    whole = bare | {"windows": [NIGHT | {"from": "00:00", "until": "24:00"}]}
    _, statement = settled(tree(1, tariffs=[whole]), "2026-02")
    assert statement["statements"][0]["electricity"]["saved_eur"] == f"{28 * 96 * Decimal('0.14'):.2f}"


def test_surplus_and_the_common_area_follow_the_windows_too() -> None:
    given = tree(1, tariffs=[tariff(windows=[NIGHT | {"feed_in_eur_per_kwh": "0.01"}])])
    given["meters"].append({"id": "el-common", "measures": "electricity", "common": "true", "unit": "kWh"})
    amounts = {"pv": lambda _: 3_000_000, "el-F1": lambda _: 1_000_000, "el-common": lambda _: 1_000_000}
    _, statement = settled(given, "2026-02", amounts)
    credited = {line.get("window"): line["amount_eur"] for line in lines(statement, "feed_in", "owner")}
    assert credited == {None: f"-{28 * 64 * Decimal('0.05'):.2f}", "night": f"-{28 * 32 * Decimal('0.01'):.2f}"}
    (common,) = lines(statement, "common", "h-F1")
    assert common["amount_eur"] == f"{28 * 64 * Decimal('0.20') + 28 * 32 * Decimal('0.10'):.2f}"
    assert {"kWh: solar lines = shared", "kWh: feed-in and netting lines = surplus"} <= {
        check["name"] for check in statement["checks"]
    }


def test_windows_that_overlap_are_refused_naming_the_moment() -> None:
    told = refused(tariff(windows=[NIGHT, {"name": "early", "days": ["tue"], "from": "06:30", "until": "09:00"}]))
    assert told == (
        "house.yaml: tariffs[0].windows[1]: 'early' and 'night' both cover tue 06:30; let one of them end before."
    )
    assert "both cover mon 00:00" in refused(
        tariff(
            windows=[NIGHT | {"days": ["sun"]}, {"name": "monday", "days": ["mon"], "from": "00:00", "until": "06:00"}]
        )
    )


@pytest.mark.parametrize(
    ("window", "said"),
    [
        (NIGHT | {"until": "23:00"}, "no length"),
        (NIGHT | {"from": "24:00", "until": "06:00"}, "no length"),
        (NIGHT | {"from": "25:00"}, "not a time of day"),
        (NIGHT | {"from": "7:00"}, "not a time of day"),
        (NIGHT | {"days": ["monday"]}, "'monday' is not possible here"),
        (NIGHT | {"days": []}, "at least one entry"),
    ],
)
def test_a_window_that_cannot_be_is_refused(window: Tree, said: str) -> None:
    assert said in refused(tariff(windows=[window]))


def test_two_windows_of_one_name_are_refused() -> None:
    assert "'night' is used twice" in refused(tariff(windows=[NIGHT, NIGHT | {"from": "12:00", "until": "13:00"}]))


# The cap


@pytest.mark.parametrize(
    ("solar", "grid", "percent", "price"),
    [
        ("0.30", "0.32", "80", "0.256"),  # 80 % of 0.32, exactly
        ("0.256", "0.32", "80", "0.256"),
        ("0.20", "0.32", "80", "0.20"),  # below the cap: as it is written
        ("0.30", "0.333333333333", "66.6666", "0.222221999999777778"),
        ("0.30", "0.25", "80", "0.2"),
        ("0.30", "100.00", "0", "0"),
    ],
)
def test_the_sun_is_never_dearer_than_its_share_of_the_grid(solar: str, grid: str, percent: str, price: str) -> None:
    capped = tariff(solar_eur_per_kwh=solar, grid_eur_per_kwh=grid, solar_at_most_percent_of_grid=percent)
    result, statement = settled(tree(1, tariffs=[capped]), "2026-02", only("2026-02-10T12:00"))
    (charge,) = (charge for charge in result.charges if charge.code == "solar")
    assert format(charge.price or Decimal(0), "f") == price
    assert [line["price_eur"] for line in lines(statement, "solar", "h-F1")] == ([price] if price != "0" else [])
    saved = Decimal(grid) - Decimal(price)
    assert Decimal(statement["statements"][0]["electricity"]["saved_eur"]) == saved.quantize(Decimal("0.01"))


def test_a_window_that_never_opens_has_no_line_and_no_charge() -> None:
    sunday = {"name": "sunday", "days": ["sun"], "from": "00:00", "until": "24:00", "solar_eur_per_kwh": "0.10"}
    plain = tariff(**{"from": "2026-02-03"})
    on_sunday = [tariff(windows=[sunday]), plain]  # which 1 February is
    on_monday = [tariff(), tariff(windows=[sunday], **{"from": "2026-02-02"}), plain]
    for tariffs, names in ((on_sunday, {None, "sunday"}), (on_monday, {None})):
        result, _ = settled(tree(1, tariffs=tariffs), "2026-02")
        assert {charge.window for charge in result.charges if charge.code == "solar"} == names


def test_a_cheap_night_caps_the_sun_of_the_night_alone() -> None:
    cheap = {"name": "night", "from": "23:00", "until": "07:00", "grid_eur_per_kwh": "0.20"}
    capped = tariff(windows=[cheap], solar_at_most_percent_of_grid="80")
    _, statement = settled(tree(1, tariffs=[capped]), "2026-02")
    assert sold(statement) == {
        None: (f"{28 * 64}.000000", "0.20", f"{28 * 64 * Decimal('0.20'):.2f}"),
        "night": (f"{28 * 32}.000000", "0.16", f"{28 * 32 * Decimal('0.16'):.2f}"),
    }


def test_a_cap_and_netting_need_a_grid_price() -> None:
    bare = {name: value for name, value in tariff().items() if name != "grid_eur_per_kwh"}
    assert "needs a grid price" in refused(bare | {"solar_at_most_percent_of_grid": "80"})
    assert "needs a grid price" in refused(bare | {"netting_until": "2027-01-01"})
    negative = tariff(grid_eur_per_kwh="-0.01", solar_at_most_percent_of_grid="80")
    assert "below 0 caps nothing" in refused(negative)


# Netting


def netting(until: str, **other: Any) -> Tree:
    """Sun at noon, use at night: nothing is shared, so all sun is surplus and all use is from the grid."""
    return tree(1, tariffs=[tariff(netting_until=until, **other)])


def noon(kwh: int) -> Amount:
    return lambda start: kwh * 1_000_000 if (start.hour, start.minute) == (12, 0) else 0


def midnight(kwh: int) -> Amount:
    return lambda start: kwh * 1_000_000 if (start.hour, start.minute) == (0, 0) else 0


def credited(statement: Tree, party: str = "owner") -> dict[str, tuple[str, str, str]]:
    return {
        line["code"]: (line["quantity"], line["price_eur"], line["amount_eur"])
        for code in ("feed_in", "netting")
        for line in lines(statement, code, party)
    }


def test_netting_without_a_grid_price_is_never_settled_in_silence() -> None:
    """The file cannot say so; whatever else builds a community cannot either."""
    file = build(netting("2027-01-01"), "the house")
    (rule,) = file.community.tariffs
    bare = file.community.model_copy(update={"tariffs": (rule.model_copy(update={"grid_eur_per_kwh": None}),)})
    month = Month.parse("2026-02")
    with pytest.raises(LookupError, match="no grid price"):
        settle(bare, month, readings(file, month, {"pv": noon(10), "el-F1": midnight(3)}))


def test_surplus_up_to_the_use_from_the_grid_earns_the_price_of_the_grid() -> None:
    _, statement = settled(netting("2027-01-01"), "2026-02", {"pv": noon(10), "el-F1": midnight(3)})
    assert credited(statement) == {
        "netting": ("84.000000", "0.30", "-25.20"),
        "feed_in": ("196.000000", "0.05", "-9.80"),
    }


def test_less_surplus_than_use_is_netted_completely() -> None:
    _, statement = settled(netting("2027-01-01"), "2026-02", {"pv": noon(2), "el-F1": midnight(3)})
    assert credited(statement) == {"netting": ("56.000000", "0.30", "-16.80")}


def test_common_use_from_the_grid_counts() -> None:
    given = netting("2027-01-01")
    given["meters"].append({"id": "el-common", "measures": "electricity", "common": "true", "unit": "kWh"})
    amounts = {"pv": noon(10), "el-F1": midnight(3), "el-common": midnight(2)}
    _, statement = settled(given, "2026-02", amounts)
    assert credited(statement)["netting"][0] == "140.000000"


def test_netting_ends_on_its_day_and_so_does_the_use_it_is_held_against() -> None:
    _, statement = settled(netting("2026-02-11"), "2026-02", {"pv": noon(10), "el-F1": midnight(3)})
    # 10 days with netting: 100 kWh of surplus against 30 kWh from the grid; 18 days without.
    assert credited(statement) == {
        "netting": ("30.000000", "0.30", "-9.00"),
        "feed_in": ("250.000000", "0.05", "-12.50"),
    }


def test_after_its_end_netting_is_not_there() -> None:
    amounts = {"pv": noon(10), "el-F1": midnight(3)}
    given = tree(1, tariffs=[tariff(netting_until="2026-02-01")])
    without = tree(1)
    assert credited(settled(given, "2026-02", amounts)[1]) == credited(settled(without, "2026-02", amounts)[1])
    assert set(credited(settled(given, "2026-01", amounts)[1])) == {"feed_in", "netting"}


def test_windows_net_by_the_same_share_each_at_its_own_price() -> None:
    window = {"name": "noon", "from": "13:00", "until": "14:00", "grid_eur_per_kwh": "0.40"}
    # Of 30 kWh of surplus a day 3 are netted, a tenth: of the 10 at noon and of the 20 at night.
    amounts: dict[str, Amount] = {
        "pv": lambda start: noon(10)(start) + midnight(20)(start),
        "el-F1": lambda start: 3_000_000 if (start.hour, start.minute) == (18, 0) else 0,
    }
    _, statement = settled(netting("2027-01-01", windows=[window]), "2026-02", amounts)
    told = [(line["code"], line.get("window"), line["quantity"]) for line in statement["statements"][-1]["lines"]]
    assert told == [("feed_in", None, "756.000000"), ("netting", None, "56.000000"), ("netting", "noon", "28.000000")]


def test_printed_quantities_add_up_where_half_a_milliwatt_hour_is_netted() -> None:
    window = {"name": "noon", "from": "13:00", "until": "14:00", "grid_eur_per_kwh": "0.40"}
    moments = ("2026-02-10T12:00", "2026-02-10T00:00")  # one milliwatt-hour of sun in the window, one outside
    amounts: dict[str, Amount] = {
        "pv": lambda start: int(start in map(utc, moments)),
        "el-F1": lambda start: int(start == utc("2026-02-10T18:00")),
    }
    _, statement = settled(netting("2027-01-01", windows=[window]), "2026-02", amounts)
    quantities = [Decimal(line["quantity"]) for line in statement["statements"][-1]["lines"]]
    assert len(quantities) == 3
    assert sum(quantities) == Decimal("0.000002")


def test_what_is_netted_goes_to_whom_the_surplus_goes() -> None:
    given = netting("2027-01-01") | {"sharing": [{"from": "2025-01-01", "key": "equal", "surplus": "community"}]}
    _, statement = settled(given, "2026-02", {"pv": noon(10), "el-F1": midnight(3)})
    assert credited(statement, "h-F1")["netting"] == ("84.000000", "0.30", "-25.20")


# A day has exactly one price


def test_a_day_before_the_first_tariff_is_named() -> None:
    with pytest.raises(
        BadInput, match=r"There is no tariff for 2026-01-01; add one with 'from' on or before that day\."
    ):
        settled(tree(tariffs=[tariff(**{"from": "2026-01-05"})]), "2026-01")


def test_a_day_between_two_tariffs_is_named() -> None:
    tariffs = [tariff(until="2026-01-10"), tariff(**{"from": "2026-01-12"})]
    with pytest.raises(BadInput, match="no tariff for 2026-01-10: the one from 2025-01-01 ends on 2026-01-10"):
        settled(tree(tariffs=tariffs), "2026-01")


def test_a_day_after_the_last_tariff_is_named() -> None:
    with pytest.raises(BadInput, match="no tariff for 2026-01-31"):
        settled(tree(tariffs=[tariff(until="2026-01-31")]), "2026-01")
    settled(tree(tariffs=[tariff(until="2026-02-01")]), "2026-01")


def test_a_day_with_two_tariffs_is_named() -> None:
    assert "2 entries start on 2025-01-01; a day needs exactly one" in refused(tariff(), tariff(solar_eur_per_kwh="1"))
    told = refused(tariff(until="2026-01-12"), tariff(**{"from": "2026-01-10"}))
    assert told == (
        "house.yaml: tariffs[0].until: another tariff starts on 2026-01-10, so that day has two prices;"
        " end this one on 2026-01-10."
    )
    assert "must be later than 'from'" in refused(tariff(until="2025-01-01"))


# What was there before


def test_a_fixed_amount_is_charged_by_days_and_by_price() -> None:
    households = [
        {"id": "h-F1", "flat": "F1", "from": "2025-01-01", "until": "2026-02-15"},
        {"id": "n-F1", "flat": "F1", "from": "2026-02-15"},
    ]
    tariffs = [tariff(fixed_eur_per_month="28.00"), tariff(**{"from": "2026-02-08"}, fixed_eur_per_month="56.00")]
    _, statement = settled(tree(1, households=households, tariffs=tariffs), "2026-02")
    assert [(line["quantity"], line["amount_eur"]) for line in lines(statement, "fixed", "h-F1")] == [
        ("7", "7.00"),
        ("7", "14.00"),
    ]
    assert [(line["quantity"], line["amount_eur"]) for line in lines(statement, "fixed", "n-F1")] == [("14", "28.00")]


def test_vat_is_that_of_the_month_and_changes_with_a_month_only() -> None:
    lower = tariff(**{"from": "2026-02-01"}, vat_percent={"electricity": "9"})
    given = tree(1, tariffs=[tariff(), lower])
    amounts = only("2026-01-20T12:00") | {"pv": lambda _: 1_000_000, "el-F1": lambda _: 1_000_000}
    rates = [
        lines(settled(given, month, amounts)[1], "solar", "h-F1")[0]["vat_percent"] for month in ("2026-01", "2026-02")
    ]
    assert rates == ["21.00", "9.00"]
    assert "first day of a month" in refused(tariff(), lower | {"from": "2026-02-02"})


@pytest.mark.parametrize(("including", "net", "amount"), [("true", "0.17", "0.20"), ("false", "0.20", "0.24")])
def test_prices_with_and_without_vat(including: str, net: str, amount: str) -> None:
    _, statement = settled(tree(1, tariffs=[tariff(prices_include_vat=including)]), "2026-01", only("2026-01-20T12:00"))
    (line,) = lines(statement, "solar", "h-F1")
    assert (line["net_eur"], line["amount_eur"]) == (net, amount)


# Hashes


def canonical(given: Tree) -> str:
    file = build(given, "the house")
    month = Month.parse("2026-01")
    return next(iter(selection.canonical(file.community, month, {})))


def test_settings_that_are_absent_are_not_in_the_canonical_form() -> None:
    plain = canonical(tree())
    for name in ("windows", "solar_at_most_percent_of_grid", "netting_until", "work"):
        assert name not in plain
    assert '"until"' not in plain[plain.index('"tariffs"') :]
    told = canonical(
        tree(
            tariffs=[
                tariff(
                    windows=[NIGHT], until="2030-01-01", solar_at_most_percent_of_grid="80", netting_until="2027-01-01"
                )
            ]
        )
    )
    assert (
        '"netting_until":"2027-01-01","prices_include_vat":true,"solar_at_most_percent_of_grid":"80",'
        '"solar_eur_per_kwh":"0.20","until":"2030-01-01","vat_percent":{"electricity":"21","heat":null},"windows":['
        '{"days":["mon","tue","wed","thu","fri","sat","sun"],"feed_in_eur_per_kwh":null,"from":"23:00",'
        '"grid_eur_per_kwh":"0.24","name":"night","solar_eur_per_kwh":"0.10","until":"07:00"}]'
    ) in told


def test_a_window_that_says_nothing_changes_no_line() -> None:
    """Only the hash and the two checks that windows add tell the statements apart."""
    silent = tree(tariffs=[tariff(windows=[{"name": "night", "from": "23:00", "until": "07:00"}])])
    (_, plain), (_, told) = settled(tree(), "2026-10"), settled(silent, "2026-10")
    assert told["statements"] == plain["statements"]
    more = Counter(check["name"] for check in told["checks"]) - Counter(check["name"] for check in plain["checks"])
    assert sorted(more) == ["kWh: feed-in and netting lines = surplus", "kWh: solar lines = shared"]


def test_the_same_house_settles_to_the_same_bytes_twice() -> None:
    file = build(tree(tariffs=[tariff(windows=[NIGHT], netting_until="2027-01-01")]), "the house")
    month = Month.parse("2026-10")
    known = readings(file, month, {"pv": noon(9), "el-F1": midnight(1), "el-F2": midnight(2)})
    assert settle_document(file, month, known)[1] == settle_document(file, month, known)[1]
