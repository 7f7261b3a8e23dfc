"""A month recomputed by the contract's words alone, in exact fractions; shares no code with the settlement.

Slow and plain on purpose: every sum is taken over hours and days, nothing is remembered between lines. It reads the
text tree of a community file and whole milliwatt-hours per settlement hour, and tells what `statement.json` must say.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from math import floor
from typing import Any
from zoneinfo import ZoneInfo

from tests.support.shares_oracle import Exact, exact_shares, largest_remainder

COMMON = "common"
WEIGHTED = ("fixed", "optimal", "hybrid")
Tree = Mapping[str, Any]
Spell = tuple[str, str, date, date]
"""Party, flat ("" for the owner's own entry), first day, first day not included."""
Line = tuple[str, str | None, int, int, int]
"""Code, price as given, net, VAT and amount [cents]."""


def half_up(value: Fraction) -> int:
    """Nearest whole number, a half away from zero."""
    size = floor(abs(value) + Fraction(1, 2))
    return size if value >= 0 else -size


def tie(*key: object) -> bytes:
    """Lot between equal remainders, as docs/hashes.md describes it."""
    return hashlib.sha256("|".join(str(part) for part in key).encode()).digest()


@dataclass
class Hour:
    """One settlement hour: its start, its local day, and what was given to whom [mWh]."""

    start: datetime
    day: date
    sun: int | None
    use: dict[str, int | None]
    given: dict[str, int]
    unused: dict[str, int]
    surplus: int


class Month:
    """Everything the contract says about one month of one building."""

    def __init__(self, tree: Tree, first: date, end: date, quantities: Mapping[str, Sequence[int | None]]) -> None:
        self.tree, self.first, self.end, self.quantities = tree, first, end, quantities
        self.zone = ZoneInfo(tree["timezone"])
        self.flats = [flat["id"] for flat in tree["flats"]]
        self.areas = {flat["id"]: Fraction(flat["floor_area_m2"]) for flat in tree["flats"]}
        self.days = [first + timedelta(days=number) for number in range((end - first).days)]
        self.name = f"{first:%Y-%m}"
        self.spells = self._spells()
        self.hours = [self._hour(number, start) for number, start in enumerate(hours(first, end, self.zone))]

    def _spells(self) -> list[Spell]:
        found: list[Spell] = []
        for flat in self.flats:
            for day in self.days:
                party = next(
                    (
                        household["id"]
                        for household in self.tree["households"]
                        if household["flat"] == flat
                        and household["from"] <= str(day) < household.get("until", "9999-12-31")
                    ),
                    self.tree["owner"],
                )
                if found and found[-1][:2] == (party, flat):
                    found[-1] = (party, flat, found[-1][2], day + timedelta(days=1))
                else:
                    found.append((party, flat, day, day + timedelta(days=1)))
        return sorted(found, key=lambda spell: (spell[1], spell[2]))

    def rule(self, section: str, day: date) -> Tree:
        """Entry in force on a day."""
        entries: Sequence[Tree] = self.tree[section]
        return max((entry for entry in entries if entry["from"] <= str(day)), key=lambda entry: str(entry["from"]))

    def _hour(self, number: int, start: datetime) -> Hour:
        day = start.astimezone(self.zone).date()
        rule = self.rule("sharing", day)
        use: dict[str, int | None] = {}
        for flat in [*self.flats, COMMON]:
            meters = [
                meter["id"]
                for meter in self.tree["meters"]
                if meter["measures"] == "electricity" and meter.get("flat", COMMON) == flat
            ]
            if meters or flat != COMMON:
                parts = [self.quantities[meter][number] for meter in meters]
                use[flat] = None if None in parts or not parts else sum(part or 0 for part in parts)
        suns = [self.quantities[m["id"]][number] for m in self.tree["meters"] if m["measures"] == "solar_generation"]
        sun = None if None in suns or not suns else sum(part or 0 for part in suns)
        hour = Hour(start, day, sun, use, dict.fromkeys(use, 0), dict.fromkeys(self.flats, 0), 0)
        if sun:
            self._share(hour, rule, sun)
        return hour

    def _share(self, hour: Hour, rule: Tree, sun: int) -> None:
        label = hour.start.isoformat().replace("+00:00", "Z")

        def lot(name: str) -> bytes:
            return tie(self.tree["community"], label, name)

        weighted = rule["key"] in WEIGHTED
        use = {name: Fraction(own or 0) for name, own in hour.use.items()}
        weights = {name: Fraction(rule["weights"][name]) if weighted else Fraction(1) for name in self.flats}
        order = list(rule.get("order", self.flats))
        offered, mode = sun, rule.get("common", "first")
        common = use.pop(COMMON, None)
        if common is not None and mode == "first":
            hour.given[COMMON] = min(int(common), sun)
            offered -= hour.given[COMMON]
        elif common is not None and mode == "participant":
            use[COMMON] = common
            weights[COMMON] = Fraction(rule["common_weight"]) if weighted else Fraction(1)
            order.append(COMMON)
        exact: Exact = exact_shares(rule["key"], offered, use, weights, order)
        hour.given |= largest_remainder(exact, floor(sum(exact.values(), Fraction(0))), lot)
        if common is not None and mode == "last":
            hour.given[COMMON] = min(int(common), offered - sum(hour.given.values()))
        hour.surplus = sun - sum(hour.given.values())
        if rule.get("surplus") == "unused_share" and hour.surplus:
            whole = sum(weights.values(), Fraction(0))
            entitled = {
                flat: Fraction(0)
                if hour.use[flat] is None
                else max(Fraction(0), weights[flat] / whole * offered - use[flat])
                for flat in self.flats
            }
            if not any(entitled.values()):
                entitled = {flat: weights[flat] for flat in self.flats}
            all_of_it = sum(entitled.values(), Fraction(0))
            parts = {flat: hour.surplus * amount / all_of_it for flat, amount in entitled.items()}
            hour.unused = largest_remainder(parts, hour.surplus, lot)

    def of(self, spell: Spell) -> list[Hour]:
        """Hours of a spell's own days."""
        return [hour for hour in self.hours if spell[2] <= hour.day < spell[3]]

    def shared(self, spell: Spell) -> int:
        """Sun a spell was given [mWh]."""
        return sum(hour.given[spell[1]] for hour in self.of(spell))

    def consumed(self, spell: Spell) -> int:
        """Electricity a spell used, as far as it is known [mWh]."""
        return sum(hour.use[spell[1]] or 0 for hour in self.of(spell))

    def heat_of(self, spell: Spell) -> int:
        """Heat measured in a spell [mWh]."""
        meters = [m["id"] for m in self.tree["meters"] if m["measures"] == "heat" and m["flat"] == spell[1]]
        return sum(
            self.quantities[meter][number] or 0
            for number, hour in enumerate(self.hours)
            if spell[2] <= hour.day < spell[3]
            for meter in meters
        )

    def saved(self, spell: Spell) -> int:
        """What the sun saved against the grid [cents]."""
        exact = Fraction(0)
        for hour in self.of(spell):
            tariff = self.rule("tariffs", hour.day)
            gain = Fraction(tariff["grid_eur_per_kwh"]) - Fraction(tariff["solar_eur_per_kwh"])
            exact += Fraction(hour.given[spell[1]], 10**6) * gain * 100
        return half_up(exact)

    def advance(self, spell: Spell) -> int:
        """Advance of a spell, by days [cents]."""
        exact = Fraction(0)
        for day in (day for day in self.days if spell[2] <= day < spell[3]):
            started = [a for a in self.tree["advances"] if a["household"] == spell[0] and a["from"] <= str(day)]
            if started:
                newest = max(started, key=lambda advance: str(advance["from"]))
                exact += Fraction(newest["eur_per_month"]) * 100 / len(self.days)
        return half_up(exact)

    def lines(self) -> dict[Spell, list[Line]]:
        """Every line of every statement."""
        owner: Spell = (self.tree["owner"], "", self.first, self.end)
        found: dict[Spell, list[Line]] = {spell: [] for spell in [*self.spells, owner]}
        for code, price, exact, vat in self._pools(owner):
            total = half_up(sum(exact.values(), Fraction(0)))
            parties = {spell: share for spell, share in exact.items() if share}
            parts = largest_remainder(parties, total, self._lot(code))
            for spell, part in parts.items():
                rate = vat / 100
                if self.tree["tariffs"][0].get("prices_include_vat", "true") == "true":
                    net, amount = half_up(part / (1 + rate)), part
                else:
                    net, amount = part, part + half_up(part * rate)
                found[spell].append((code, price, net, amount - net, amount))
        return found

    def _lot(self, code: str) -> Callable[[Spell], bytes]:
        return lambda spell: tie(self.tree["community"], self.name, code, f"{spell[0]}|{spell[1]}|{spell[2]}")

    def _pools(self, owner: Spell) -> list[tuple[str, str | None, dict[Spell, Fraction], Fraction]]:
        tariff = self.rule("tariffs", self.first)
        electricity = Fraction(tariff["vat_percent"]["electricity"])
        pools: list[tuple[str, str | None, dict[Spell, Fraction], Fraction]] = []
        for price in self._prices("solar_eur_per_kwh"):
            sold = {
                spell: sum(
                    hour.given[spell[1]]
                    for hour in self.of(spell)
                    if self.rule("tariffs", hour.day)["solar_eur_per_kwh"] == price
                )
                for spell in self.spells
            }
            pools.append(
                ("solar", price, {s: Fraction(kwh * Fraction(price), 10**4) for s, kwh in sold.items()}, electricity)
            )
        for price in self._prices("feed_in_eur_per_kwh"):
            credit = self._surplus(price, owner)
            pools.append(
                ("feed_in", price, {s: -kwh * Fraction(price) / 10**4 for s, kwh in credit.items()}, electricity)
            )
        pools.append(("common", None, self._by_area(self._common_cost()), electricity))
        for price in self._prices("fixed_eur_per_month"):
            charge = Fraction(price) * 100 / len(self.days)
            by_days = {
                spell: charge
                * sum(
                    spell[2] <= day < spell[3] and self.rule("tariffs", day)["fixed_eur_per_month"] == price
                    for day in self.days
                )
                for spell in self.spells
            }
            pools.append(("fixed", price, by_days, electricity))
        if "heat" in self.tree:
            pools += self._heat(Fraction(tariff["vat_percent"]["heat"]))
        return pools

    def _prices(self, field: str) -> list[str]:
        return list(dict.fromkeys(self.rule("tariffs", day)[field] for day in self.days))

    def _surplus(self, price: str, owner: Spell) -> dict[Spell, Fraction]:
        """Whose the surplus of the days with a feed-in price is [mWh]."""
        credit = dict.fromkeys([*self.spells, owner], Fraction(0))
        # Equal shares by days need the surplus of a stretch: days with the same tariff and the same rule.
        stretches: dict[tuple[str, str], list[date]] = {}
        for day in self.days:
            if self.rule("tariffs", day)["feed_in_eur_per_kwh"] == price:
                key = (self.rule("tariffs", day)["from"], self.rule("sharing", day)["from"])
                stretches.setdefault(key, []).append(day)
        for days in stretches.values():
            rule = self.rule("sharing", days[0])
            for hour in self.hours:
                if hour.day not in days:
                    continue
                if rule.get("surplus", "owner") == "owner":
                    credit[owner] += hour.surplus
                elif rule["surplus"] == "unused_share":
                    for spell in self.spells:
                        if spell[2] <= hour.day < spell[3]:
                            credit[spell] += hour.unused[spell[1]]
            if rule.get("surplus") == "community":
                weight = rule["weights"] if rule["key"] in WEIGHTED else dict.fromkeys(self.flats, "1")
                measure = {
                    spell: Fraction(weight[spell[1]]) * sum(spell[2] <= day < spell[3] for day in days)
                    for spell in self.spells
                }
                surplus = sum(hour.surplus for hour in self.hours if hour.day in days)
                for spell, part in measure.items():
                    credit[spell] += surplus * part / sum(measure.values())
        return credit

    def _common_cost(self) -> Fraction:
        cost = self.invoices("common")
        for hour in self.hours:
            price = Fraction(self.rule("tariffs", hour.day)["solar_eur_per_kwh"])
            cost += Fraction(hour.given.get(COMMON, 0), 10**6) * price * 100
        return cost

    def invoices(self, pool: str) -> Fraction:
        """Invoices of a pool dated in the month [cents]."""
        return sum(
            (
                Fraction(cost["eur"]) * 100
                for cost in self.tree["costs"]
                if cost["pool"] == pool and str(self.first) <= cost["date"] < str(self.end)
            ),
            Fraction(0),
        )

    def _area_days(self) -> dict[Spell, Fraction]:
        return {spell: self.areas[spell[1]] * (spell[3] - spell[2]).days for spell in self.spells}

    def _by_area(self, amount: Fraction) -> dict[Spell, Fraction]:
        measure = self._area_days()
        return {spell: amount * part / sum(measure.values()) for spell, part in measure.items()}

    def _heat(self, vat: Fraction) -> list[tuple[str, str | None, dict[Spell, Fraction], Fraction]]:
        rule = self.rule("heat", self.first)
        pool = self.invoices("heat") + (self.pellets()["burnt_cents"] if "pellets" in self.tree else 0)
        measured_cents = half_up(pool * Fraction(rule["measured_percent"]) / 100)
        fixed = self._area_days()
        if rule["fixed_by"] == "equal":
            fixed = {spell: Fraction((spell[3] - spell[2]).days) for spell in self.spells}
        measured = {spell: Fraction(self.heat_of(spell)) for spell in self.spells}
        if not any(measured.values()):
            measured = fixed
        return [
            (code, None, {s: amount * part / sum(by.values(), Fraction(0)) for s, part in by.items()}, vat)
            for code, amount, by in (
                ("heat_measured", measured_cents, measured),
                ("heat_fixed", pool - measured_cents, fixed),
            )
        ]

    def pellets(self) -> dict[str, Any]:
        """The pellet account of a month that begins at the opening."""
        fuel = self.tree["pellets"]
        end = datetime.combine(self.end, datetime.min.time(), self.zone).astimezone(UTC)
        bought = sorted(
            (d for d in fuel["deliveries"] if instant(d["at"]) < end), key=lambda d: (instant(d["at"]), d["invoice"])
        )
        layers = [[Fraction(item["kg"]), Fraction(item["eur"]) * 100] for item in (fuel["opening"], *bought)]
        kg, value = sum(layer[0] for layer in layers), sum(layer[1] for layer in layers)
        counts = [count for count in fuel["counts"] if abs(instant(count["at"]) - end) <= timedelta(hours=12)]
        if counts:
            closing = Fraction(counts[0]["kg"])
        else:
            stocks = [fuel["opening"], *(c for c in fuel["counts"] if instant(c["at"]) <= end)]
            anchor = max(stocks, key=lambda stock: instant(stock["at"]))
            since = instant(anchor["at"])
            heat = sum(
                self.quantities[meter["id"]][number] or 0
                for meter in self.tree["meters"]
                if meter["measures"] == "heat_produced"
                for number, hour in enumerate(self.hours)
                if hour.start >= since
            )
            per_kg = Fraction(fuel["kwh_per_kg"]) * Fraction(fuel["efficiency_percent"]) / 100
            came = sum(Fraction(d["kg"]) for d in bought if instant(d["at"]) >= since)
            closing = Fraction(anchor["kg"]) + came - Fraction(heat, 10**6) / per_kg
        burnt = kg - closing
        exact = value * burnt / kg
        if fuel["valuation"] == "fifo":
            exact, rest = Fraction(0), burnt
            for layer_kg, layer_value in layers:
                taken = min(rest, layer_kg)
                exact, rest = exact + layer_value * taken / layer_kg, rest - taken
        cents = half_up(exact)
        return {
            "burnt_kg": burnt,
            "burnt_cents": cents,
            "closing_kg": closing,
            "closing_cents": value - cents,
            "estimated": not counts,
        }


def hours(first: date, end: date, zone: ZoneInfo) -> list[datetime]:
    """Starts of the settlement hours between two local midnights [UTC]."""
    start, stop = (datetime.combine(day, datetime.min.time(), zone).astimezone(UTC) for day in (first, end))
    return [start + timedelta(hours=number) for number in range((stop - start) // timedelta(hours=1))]


def instant(text: str) -> datetime:
    """Instant of a text with a zone [UTC]."""
    return datetime.fromisoformat(text).astimezone(UTC)
