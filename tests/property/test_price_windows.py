"""Windows, cap, netting and work credits over whole months, recomputed line by line in exact fractions.

The oracle asks of every single hour and minute what it costs; it shares no code with the settlement.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from fractions import Fraction
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.communityfile import build
from core.time import Month as LocalMonth
from core.time import microseconds
from settlement.replay import settle_document
from tests.property.test_settlement_oracle import WEIGHTED, Chance, Tree, printed, quantities, readings, tree_of
from tests.support import month_oracle as oracle

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
MONTHS = ("2026-03", "2026-06", "2026-10", "2026-11")
Key = tuple[str, str | None, str | None]
"""Code, window, and price as an exact number in text (None for work)."""


class PricedMonth(oracle.Month):
    """The oracle's month with prices by the hour."""

    def window(self, hour: oracle.Hour) -> Tree | None:
        """Window of an hour's start: asked of the day itself and of the day before, for those over midnight."""
        local = hour.start.astimezone(self.zone)
        clock = f"{local:%H:%M}"
        today, before = DAYS[local.weekday()], DAYS[local.weekday() - 1]
        for window in self.rule("tariffs", hour.day).get("windows", []):
            days, over = window.get("days", DAYS), window["until"] <= window["from"]
            if over and ((today in days and clock >= window["from"]) or (before in days and clock < window["until"])):
                return dict(window)
            if not over and today in days and window["from"] <= clock < window["until"]:
                return dict(window)
        return None

    def price(self, hour: oracle.Hour, field: str) -> tuple[Fraction, str | None]:
        """Price of an hour, and the window whose line it stands on."""
        tariff, window = self.rule("tariffs", hour.day), self.window(hour)

        def of(name: str, inner: Tree | None) -> Fraction:
            return Fraction(inner[name]) if inner and name in inner else Fraction(tariff[name])

        def capped(inner: Tree | None) -> Fraction:
            cap = tariff.get("solar_at_most_percent_of_grid")
            price = of("solar_eur_per_kwh", inner)
            return price if cap is None else min(price, of("grid_eur_per_kwh", inner) * Fraction(cap) / 100)

        if field == "solar_eur_per_kwh":
            named = window is not None and (field in window or capped(window) != capped(None))
            return capped(window), window["name"] if window and named else None
        return of(field, window), window["name"] if window and field in window else None

    def saved(self, spell: oracle.Spell) -> int:
        exact = Fraction(0)
        for hour in self.of(spell):
            gain = self.price(hour, "grid_eur_per_kwh")[0] - self.price(hour, "solar_eur_per_kwh")[0]
            exact += Fraction(hour.given[spell[1]], 10**6) * gain * 100
        return oracle.half_up(exact)

    def nets(self, hour: oracle.Hour) -> bool:
        """Whether the surplus of an hour is netted."""
        return str(hour.day) < self.rule("tariffs", hour.day).get("netting_until", "0000")

    def priced(self) -> dict[Key, dict[oracle.Spell, Fraction]]:
        """Exact cents of every party, by line; electricity and work only."""
        owner: oracle.Spell = (self.tree["owner"], "", self.first, self.end)
        found: dict[Key, dict[oracle.Spell, Fraction]] = {}

        def add(code: str, hour: oracle.Hour, field: str, spell: oracle.Spell, energy: Fraction, sign: int) -> None:
            price, window = self.price(hour, field)
            shares = found.setdefault((code, window, str(price)), {})
            shares[spell] = shares.get(spell, Fraction(0)) + sign * energy * price / 10**4

        netting = [hour for hour in self.hours if self.nets(hour)]
        surplus = sum(hour.surplus for hour in netting)
        drawn = sum((own or 0) - hour.given[name] for hour in netting for name, own in hour.use.items())
        share = Fraction(min(surplus, drawn), surplus) if surplus else Fraction(0)
        for hour in self.hours:
            for spell in self.spells:
                if spell[2] <= hour.day < spell[3]:
                    add("solar", hour, "solar_eur_per_kwh", spell, Fraction(hour.given[spell[1]]), 1)
            part = share if self.nets(hour) else Fraction(0)
            for spell, energy in self.whose(hour, owner).items():
                add("feed_in", hour, "feed_in_eur_per_kwh", spell, energy * (1 - part), -1)
                add("netting", hour, "grid_eur_per_kwh", spell, energy * part, -1)
        return found

    def whose(self, hour: oracle.Hour, owner: oracle.Spell) -> dict[oracle.Spell, Fraction]:
        """Whose the surplus of an hour is; shares of the community are by the days of its stretch."""
        rule = self.rule("sharing", hour.day)
        if not hour.surplus:
            return {}
        if rule.get("surplus", "owner") == "owner":
            return {owner: Fraction(hour.surplus)}
        if rule["surplus"] == "unused_share":
            return {s: Fraction(hour.unused[s[1]]) for s in self.spells if s[2] <= hour.day < s[3]}
        alike = [day for day in self.days if self.same(day, hour.day)]
        weight = rule["weights"] if rule["key"] in WEIGHTED else dict.fromkeys(self.flats, "1")
        measure = {s: Fraction(weight[s[1]]) * sum(s[2] <= day < s[3] for day in alike) for s in self.spells}
        return {spell: hour.surplus * part / sum(measure.values()) for spell, part in measure.items()}

    def same(self, one: date, other: date) -> bool:
        """Whether two days have the same tariff, the same rule, and both or neither netting."""
        tariffs = [self.rule("tariffs", day) for day in (one, other)]
        netted = [
            str(day) < tariff.get("netting_until", "0000") for day, tariff in zip((one, other), tariffs, strict=True)
        ]
        rules = [self.rule("sharing", day)["from"] for day in (one, other)]
        return tariffs[0]["from"] == tariffs[1]["from"] and rules[0] == rules[1] and netted[0] == netted[1]

    def common_cents(self) -> Fraction:
        """What the common area's sun costs."""
        return sum(
            (
                Fraction(hour.given.get(oracle.COMMON, 0), 10**4) * self.price(hour, "solar_eur_per_kwh")[0]
                for hour in self.hours
            ),
            Fraction(0),
        )

    def work(self) -> tuple[dict[oracle.Spell, int], dict[oracle.Spell, Fraction]]:
        """What every party earns, and what it pays, exactly [cents]."""
        earned: dict[oracle.Spell, int] = {}
        (rule,) = self.tree["work_credits"]
        for done in self.tree["work"]:
            day = oracle.instant(done["at"]).astimezone(self.zone).date()
            for spell in self.spells:
                if spell[0] == done["household"] and spell[2] <= day < spell[3]:
                    euros = Fraction(rule["eur"].get(done["task"], "0"))
                    euros += Fraction(rule["eur_per_bag"]) * int(done["bags"])
                    earned[spell] = earned.get(spell, 0) + int(euros * 100)
        if "at_most_eur_per_month" in rule:
            most = int(Fraction(rule["at_most_eur_per_month"]) * 100)
            earned = {spell: min(most, cents) for spell, cents in earned.items()}
        area = self.areas if rule["paid_by"] == "floor_area" else dict.fromkeys(self.flats, Fraction(1))
        measure = {spell: area[spell[1]] * (spell[3] - spell[2]).days for spell in self.spells}
        whole = Fraction(sum(earned.values()))
        return earned, {spell: whole * part / sum(measure.values()) for spell, part in measure.items()}


def windows_of(chance: Chance) -> list[Tree]:
    """Draw windows that do not overlap: cuts of the clock, on all days or on different ones."""
    cuts = sorted({f"{chance.randint(0, 23):02d}:{chance.choice(['00', '00', '30', '59'])}" for _ in chance.some(2, 4)})
    spans = list(zip(cuts, [*cuts[1:], cuts[0]], strict=True)) if len(cuts) > 1 else []
    found = []
    for number, (start, until) in enumerate(spans):
        days = chance.choice([DAYS, DAYS[:5], DAYS[5:], DAYS[::2]])
        window: Tree = {"name": f"w{number}", "from": start, "until": until, "days": list(days)}
        for field in ("solar_eur_per_kwh", "feed_in_eur_per_kwh", "grid_eur_per_kwh"):
            if chance.random() < 0.6:
                window[field] = chance.price()
        if chance.random() < 0.8:
            found.append(window)
    return found


def priced_tree(chance: Chance, month: LocalMonth) -> Tree:
    """Draw a community with windows, a cap, netting and work, each more often than not."""
    tree = tree_of(chance, month)
    for tariff in tree["tariffs"]:
        tariff["windows"] = windows_of(chance)
        if chance.random() < 0.5:
            tariff["solar_at_most_percent_of_grid"] = chance.choice(["80", "66.6", "100", "0"])
        if chance.random() < 0.7:
            tariff["netting_until"] = chance.choice(["2027-01-01", chance.day(month)])
    tree["tasks"] = [{"id": "refill"}, {"id": "ash"}]
    tree["work_credits"] = [
        {
            "from": "2025-01-01",
            "eur_per_bag": chance.euros(0, 200),
            "eur": {"ash": chance.euros(0, 900)},
            "paid_by": chance.choice(["equal", "floor_area"]),
        }
    ]
    if chance.random() < 0.5:
        tree["work_credits"][0]["at_most_eur_per_month"] = chance.euros(0, 2500)
    tree["work"] = [
        {
            "at": f"{chance.day(month)}T{chance.randint(0, 23):02d}:00:0{number}Z",
            "household": chance.choice(tree["households"])["id"],
            "task": chance.choice(["ash", "refill", "lamp"]),
            "bags": str(chance.randint(0, 20)),
        }
        for number in (chance.some(0, 6) if tree["households"] else ())
    ]
    return tree


def settle_and_price(seed: int) -> None:
    """Settle the month that a number stands for, and compare the lines that prices and work make."""
    chance = Chance(seed)
    month = LocalMonth.parse(chance.choice(MONTHS))
    tree = priced_tree(chance, month)
    begins = [microseconds(hour) for hour in oracle.hours(month.first_day, month.end_day, ZoneInfo(tree["timezone"]))]
    columns = quantities(tree, len(begins), chance)
    if chance.random() < 0.5:  # a sunny house: more surplus than is drawn from the grid
        columns |= {name: [own and own // 40 for own in column] for name, column in columns.items() if name[:2] == "el"}
    expected = PricedMonth(tree, month.first_day, month.end_day, columns)
    settled, document = settle_document(build(tree, "the case"), month, readings(columns, begins))
    statement = json.loads(document)
    assert all(check["holds"] for check in statement["checks"])
    compare_lines(tree, statement, expected, month)
    compare_work(statement, expected)
    (common,) = [charge.total for charge in settled.charges if charge.code == "common"] or [0]
    assert common == oracle.half_up(expected.common_cents() + expected.invoices("common"))
    for entry, spell in zip(statement["statements"], expected.spells, strict=False):
        assert entry["electricity"]["saved_eur"] == printed(expected.saved(spell))
    # The ledger owes and is owed what the statements say, party by party and flat by flat.
    balances: dict[str, int] = {}
    for posting in settled.ledger.postings:
        balances[posting.account] = balances.get(posting.account, 0) + posting.cents
    told: dict[str, int] = {}
    for entry in statement["statements"]:
        account = ":".join(["party", entry["party"], *([entry["flat"]] if entry["flat"] else [])])
        told[account] = told.get(account, 0) + int(Decimal(entry["balance_eur"]) * 100)
    assert {name: cents for name, cents in balances.items() if name.startswith("party:") and cents} == {
        name: cents for name, cents in told.items() if cents
    }


def compare_lines(tree: Tree, statement: Tree, expected: PricedMonth, month: LocalMonth) -> None:
    """Compare every line of sun, surplus and netting: amounts to the cent, quantities so that they add up."""
    found: dict[Key, dict[tuple[str, str, str], Tree]] = {}
    for entry in statement["statements"]:
        spell = (entry["party"], entry["flat"] or "", entry["from"])
        for line in entry["lines"]:
            if line["code"] in ("solar", "feed_in", "netting"):
                key = (line["code"], line.get("window"), str(Fraction(line["price_eur"])))
                assert spell not in found.setdefault(key, {})
                found[key][spell] = line
    including = tree["tariffs"][0].get("prices_include_vat", "true") == "true"
    wanted = {key: {s: c for s, c in shares.items() if c} for key, shares in expected.priced().items()}
    assert set(found) == {key for key, shares in wanted.items() if shares}
    for key, lines in found.items():
        shares = wanted[key]
        total = oracle.half_up(sum(shares.values(), Fraction(0)))
        parts = oracle.largest_remainder(shares, total, lot(tree["community"], str(month), key[0]))
        given = {spell: line["amount_eur" if including else "net_eur"] for spell, line in lines.items()}
        assert given == {(s[0], s[1], str(s[2])): printed(cents) for s, cents in parts.items()}
    if all(Fraction(key[2] or 0) for key in expected.priced()):
        for codes, energy in ((("solar",), expected_shared(expected)), (("feed_in", "netting"), None)):
            told = sum(
                Decimal(line["quantity"]) for key, lines in found.items() if key[0] in codes for line in lines.values()
            )
            if energy is not None:
                assert told == Decimal(energy) / 10**6
            elif all(rule.get("surplus") != "community" for rule in tree["sharing"]):
                assert told == Decimal(sum(hour.surplus for hour in expected.hours)) / 10**6


def expected_shared(expected: PricedMonth) -> int:
    return sum(expected.shared(spell) for spell in expected.spells)


def lot(community: str, month: str, code: str) -> Callable[[oracle.Spell], bytes]:
    return lambda spell: oracle.tie(community, month, code, f"{spell[0]}|{spell[1]}|{spell[2]}")


def compare_work(statement: Tree, expected: PricedMonth) -> None:
    """Compare credits and contributions, and that together they are nothing."""
    earned, paid = expected.work()
    lines: Sequence[tuple[tuple[str, str, str], Mapping[str, str]]] = [
        ((entry["party"], entry["flat"] or "", entry["from"]), line)
        for entry in statement["statements"]
        for line in entry["lines"]
        if line["code"] == "work"
    ]
    assert sum(Decimal(line["amount_eur"]) for _, line in lines) == 0
    assert all((line["vat_eur"], line["vat_percent"]) == ("0.00", "0.00") for _, line in lines)
    credited = {spell: line["amount_eur"] for spell, line in lines if line["amount_eur"].startswith("-")}
    assert credited == {(s[0], s[1], str(s[2])): printed(-cents) for s, cents in earned.items() if cents}
    parts = oracle.largest_remainder(
        {spell: share for spell, share in paid.items() if share},
        sum(earned.values()),
        lot(expected.tree["community"], expected.name, "work"),
    )
    charged = {spell: line["amount_eur"] for spell, line in lines if not line["amount_eur"].startswith("-")}
    assert charged == {(s[0], s[1], str(s[2])): printed(cents) for s, cents in parts.items()}


@settings(max_examples=12)
@given(st.integers(0, 2**32))
def test_prices_by_the_hour_and_work_are_the_rules_line_by_line(seed: int) -> None:
    settle_and_price(seed)


@pytest.mark.long
@settings(max_examples=1000)
@given(st.integers(0, 2**64))
def test_a_thousand_months_of_prices_by_the_hour(seed: int) -> None:
    settle_and_price(seed)
