"""Whole months of small communities, recomputed line by line from the contract alone: equal to the cent and the mWh."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.communityfile import build
from core.time import Month as LocalMonth
from core.time import microseconds
from core.units import decimal_text
from settlement.model import MeterReadings
from settlement.replay import settle_document
from tests.support import month_oracle as oracle

KEYS = ("fixed", "equal", "proportional", "optimal", "hybrid", "priority")
WEIGHTED = ("fixed", "optimal", "hybrid")
Tree = dict[str, Any]

MONTHS = ("2026-01", "2026-02", "2026-03", "2026-10")


class Chance(Random):
    """Draws a community evenly: every rule is met about as often as every other."""

    def some(self, least: int, most: int) -> range:
        """Count from zero to a number of things."""
        return range(self.randint(least, most))

    def price(self) -> str:
        """Price with four decimals; sometimes nothing. [EUR]"""
        return self.choice(["0.0000", *(f"{Decimal(self.randint(1, 4000)) / 10_000:.4f}" for _ in range(9))])

    def euros(self, low: int, high: int) -> str:
        """Amount between two amounts in cents. [EUR]"""
        return decimal_text(self.randint(low, high), 2)

    def decimal(self, low: int, high: int) -> str:
        """Number with one decimal."""
        return decimal_text(self.randint(low * 10, high * 10), 1)

    def day(self, month: LocalMonth) -> str:
        """Any day of a month but the first."""
        return str(month.first_day + timedelta(days=self.randint(1, month.days - 1)))


def tree_of(chance: Chance, month: LocalMonth) -> Tree:
    """Draw a community file, as text."""
    flats = [f"F{number}" for number in chance.some(1, 4)]
    vat = {"electricity": chance.choice(["0", "6", "21"]), "heat": chance.choice(["0", "9", "21"])}
    including = chance.choice(["true", "false"])
    zone = chance.choice(["Europe/Amsterdam", "America/New_York"])
    tree: Tree = {
        "community": chance.choice(["c", "de-ster"]),
        "name": "C",
        "timezone": zone,
        "settlement_interval": "1h",
        "owner": "owner",
        "flats": [{"id": flat, "floor_area_m2": chance.choice(["50", "62.5", "62.5", "81"])} for flat in flats],
        "households": [household for flat in flats for household in households(chance, flat, month)],
        "meters": [{"id": "pv", "measures": "solar_generation", "unit": "kWh"}],
        "sharing": [rule(chance, flats, start) for start in starts(chance, month)],
        "tariffs": [
            {
                "from": start,
                "solar_eur_per_kwh": chance.price(),
                "feed_in_eur_per_kwh": chance.price(),
                "grid_eur_per_kwh": chance.price(),
                "fixed_eur_per_month": chance.euros(0, 900),
                "vat_percent": vat,
                "prices_include_vat": including,
            }
            for start in starts(chance, month)
        ],
        "costs": [invoice(chance, month, number) for number in chance.some(0, 4)],
    }
    tree["meters"] += [{"id": f"el-{f}", "measures": "electricity", "flat": f, "unit": "kWh"} for f in flats]
    if chance.random() < 0.7:
        tree["meters"].append({"id": "el-common", "measures": "electricity", "common": "true", "unit": "kWh"})
    tree["advances"] = [
        {"household": household["id"], "from": start, "eur_per_month": chance.euros(0, 20_000)}
        for household in tree["households"]
        if chance.random() < 0.8
        for start in starts(chance, month)
    ]
    if chance.random() < 0.8:
        by = chance.choice(["floor_area", "equal"])
        share = chance.choice(["0", "65", "66.7", "100"])
        tree["heat"] = [{"from": "2025-01-01", "measured_percent": share, "fixed_by": by}]
        tree["meters"] += [{"id": f"heat-{f}", "measures": "heat", "flat": f, "unit": "kWh"} for f in flats]
        tree["meters"].append({"id": "boiler", "measures": "heat_produced", "unit": "kWh"})
        if chance.random() < 0.8:
            tree["pellets"] = fuel(chance, month, ZoneInfo(zone))
    return tree


def starts(chance: Chance, month: LocalMonth) -> list[str]:
    """First days of one entry, or of two of which the second begins in the month."""
    return ["2025-01-01", *(chance.day(month) for _ in chance.some(0, 1))]


def households(chance: Chance, flat: str, month: LocalMonth) -> list[Tree]:
    """One household, a move with or without empty days, or an empty flat."""
    days = sorted({chance.day(month) for _ in chance.some(0, 2)})
    if not days:
        return [{"id": f"h-{flat}", "flat": flat, "from": "2025-01-01"}] if chance.random() < 0.8 else []
    return [
        {"id": f"h-{flat}", "flat": flat, "from": "2025-01-01", "until": days[0]},
        {"id": f"n-{flat}", "flat": flat, "from": days[-1]},
    ]


def rule(chance: Chance, flats: list[str], start: str) -> Tree:
    """Draw a sharing rule."""
    key = chance.choice(KEYS)
    surplus = ["owner", "community"] + (["unused_share"] if key not in ("proportional", "priority") else [])
    drawn: Tree = {
        "from": start,
        "key": key,
        "surplus": chance.choice(surplus),
        "common": chance.choice(["first", "participant", "last", "never"]),
    }
    if key in WEIGHTED:
        drawn["weights"] = {flat: chance.decimal(0, 20) for flat in flats} | {flats[0]: "3.5"}
        drawn["common_weight"] = chance.decimal(0, 20)
    if key == "priority":
        drawn["order"] = chance.sample(flats, len(flats))
    return drawn


def invoice(chance: Chance, month: LocalMonth, number: int) -> Tree:
    """A bill or a credit note, of this month or of another."""
    return {
        "date": chance.choice([chance.day(month), str(month.first_day), str(month.end_day), "2025-12-31"]),
        "pool": chance.choice(["heat", "common"]),
        "eur": chance.euros(-5000, 40_000),
        "invoice": f"M-{number}",
    }


def fuel(chance: Chance, month: LocalMonth, zone: ZoneInfo) -> Tree:
    """A pellet account that begins with the month, ends with a count or without, and never falls below zero."""
    start, end = month.bounds(zone)

    def hour(last: int) -> str:
        return (start + timedelta(hours=chance.randint(0, last))).isoformat()

    deliveries = [
        {
            "at": hour(24 * 27),
            "kg": chance.decimal(500, 4000),
            "eur": chance.euros(0, 160_000),
            "invoice": f"P-{number}",
        }
        for number in chance.some(0, 3)
    ]
    counts = [{"at": hour(24 * 20), "kg": chance.decimal(2000, 4000)} for _ in chance.some(0, 1)]
    if chance.random() < 0.5:
        at = end + timedelta(hours=chance.randint(-12, 12))
        counts.append({"at": at.isoformat(), "kg": chance.decimal(0, 2000)})
    return {
        "kwh_per_kg": chance.choice(["4.8", "5", "4.65"]),
        "efficiency_percent": chance.choice(["85", "91.5"]),
        "valuation": chance.choice(["average", "fifo"]),
        "opening": {"at": start.isoformat(), "kg": chance.decimal(4000, 6000), "eur": chance.euros(0, 200_000)},
        "deliveries": deliveries,
        "counts": counts,
    }


def quantities(tree: Tree, size: int, chance: Chance) -> dict[str, list[int | None]]:
    """Milliwatt-hours of every meter in every hour; some meters fall silent for the rest of the month."""
    found: dict[str, list[int | None]] = {}
    for meter in tree["meters"]:
        peak = {"solar_generation": 4_000_000, "heat_produced": 2_000_000}.get(meter["measures"], 1_500_000)
        dark = 0.5 if meter["measures"] == "solar_generation" else 0.1
        column: list[int | None] = [0 if chance.random() < dark else chance.randint(0, peak) for _ in range(size)]
        if meter["measures"] != "heat_produced" and chance.random() < 0.2:
            silent = chance.randint(0, size)
            column = [*column[:silent], *[None] * (size - silent)]
        found[meter["id"]] = column
    return found


def readings(columns: Mapping[str, list[int | None]], starts: list[int]) -> dict[str, MeterReadings]:
    """The same quantities as a readings file gives them [kWh]; a meter without any is absent."""
    known = {}
    for meter, column in columns.items():
        rows = [(start, amount) for start, amount in zip(starts, column, strict=True) if amount is not None]
        if rows:
            values = tuple(Decimal(decimal_text(amount)) for _, amount in rows)
            known[meter] = MeterReadings("interval", tuple(start for start, _ in rows), values)
    return known


def printed(cents: int | Fraction) -> str:
    assert Fraction(cents).denominator == 1
    return decimal_text(int(cents), 2)


@settings(max_examples=60)
@given(st.integers(0, 2**32))
def test_a_whole_month_is_the_contract_line_by_line(seed: int) -> None:
    settle_and_recompute(seed)


@pytest.mark.long
@settings(max_examples=2000)
@given(st.integers(0, 2**64))
def test_two_thousand_months_are_the_contract_line_by_line(seed: int) -> None:
    settle_and_recompute(seed)


def settle_and_recompute(seed: int) -> None:
    """Settle the month that a number stands for, and compare every line with the oracle."""
    chance = Chance(seed)
    month = LocalMonth.parse(chance.choice(MONTHS))
    tree = tree_of(chance, month)
    begins = [microseconds(hour) for hour in oracle.hours(month.first_day, month.end_day, ZoneInfo(tree["timezone"]))]
    columns = quantities(tree, len(begins), chance)
    expected = oracle.Month(tree, month.first_day, month.end_day, columns)
    statement = json.loads(settle_document(build(tree, "the case"), month, readings(columns, begins))[1])

    assert all(check["holds"] for check in statement["checks"])
    compare_energy(statement["energy"], tree, columns, expected)
    compare_pellets(statement["pellets"], tree, expected)
    lines = expected.lines()
    entries = {
        (e["party"], e["flat"] or "", date.fromisoformat(e["from"]), date.fromisoformat(e["until"])): e
        for e in statement["statements"]
    }
    owner = ("owner", "", month.first_day, month.end_day)
    assert list(entries) == expected.spells + ([owner] if lines[owner] else [])
    for spell, entry in entries.items():
        found = [
            (line["code"], line["price_eur"], line["net_eur"], line["vat_eur"], line["amount_eur"])
            for line in entry["lines"]
        ]
        assert found == [(code, price, *map(printed, money)) for code, price, *money in lines[spell]]
        total, advance = sum(line[4] for line in lines[spell]), expected.advance(spell)
        assert (entry["total_eur"], entry["advance_eur"], entry["balance_eur"]) == (
            printed(total), printed(advance), printed(total - advance),
        )  # fmt: skip
        if spell != owner:
            compare_flat(entry, spell, expected)


def compare_energy(energy: Tree, tree: Tree, columns: Mapping[str, list[int | None]], expected: oracle.Month) -> None:
    def whole(measures: str) -> str | None:
        meters = [meter["id"] for meter in tree["meters"] if meter["measures"] == measures]
        return decimal_text(sum(part or 0 for meter in meters for part in columns[meter])) if meters else None

    hours = expected.hours
    assert energy["solar_kwh"] == whole("solar_generation")
    assert energy["consumed_kwh"] == whole("electricity")
    assert energy["shared_kwh"] == decimal_text(sum(sum(hour.given.values()) for hour in hours))
    assert energy["surplus_kwh"] == decimal_text(sum(hour.surplus for hour in hours))
    assert energy["heat_produced_kwh"] == whole("heat_produced")
    assert energy["heat_measured_kwh"] == whole("heat")
    if energy["heat_lost_kwh"] is not None:
        lost = Decimal(energy["heat_produced_kwh"]) - Decimal(energy["heat_measured_kwh"])
        assert Decimal(energy["heat_lost_kwh"]) == lost


def compare_pellets(told: Tree | None, tree: Tree, expected: oracle.Month) -> None:
    if "pellets" not in tree:
        assert told is None
        return
    fuel = expected.pellets()
    assert told == {
        "burnt_kg": decimal_text(oracle.half_up(fuel["burnt_kg"] * 1000), 3),
        "burnt_eur": printed(fuel["burnt_cents"]),
        "closing_kg": decimal_text(oracle.half_up(fuel["closing_kg"] * 1000), 3),
        "closing_eur": printed(fuel["closing_cents"]),
        "estimated": fuel["estimated"],
    }


def compare_flat(entry: Tree, spell: oracle.Spell, expected: oracle.Month) -> None:
    consumed, shared = expected.consumed(spell), expected.shared(spell)
    assert entry["electricity"] == {
        "consumed_kwh": decimal_text(consumed),
        "shared_kwh": decimal_text(shared),
        "grid_kwh": decimal_text(consumed - shared),
        "saved_eur": printed(expected.saved(spell)),
    }
    sold = [line["quantity"] for line in entry["lines"] if line["code"] == "solar"]
    free = any(Decimal(tariff["solar_eur_per_kwh"]) == 0 for tariff in expected.tree["tariffs"])
    assert free or sum(map(Decimal, sold)) == Decimal(decimal_text(shared))
    if entry["heat"] is not None:
        assert entry["heat"]["measured_kwh"] == decimal_text(expected.heat_of(spell))
        for part in ("measured", "fixed"):
            amounts = [Decimal(line["amount_eur"]) for line in entry["lines"] if line["code"] == f"heat_{part}"]
            assert Decimal(entry["heat"][f"{part}_eur"]) == sum(amounts)
