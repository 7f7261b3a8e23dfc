"""What a household's total of one month is made of, read from the month's statement document and the dated rules.

The document says every quantity and amount of every party; the community says what the document does not: whether
prices include VAT, how the heat cost is parted, and floor areas. Nothing of another household leaves this module but
sums over the building, and the typical change of heat where enough homes can be compared.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from fractions import Fraction
from itertools import groupby
from typing import Any

from core.community import Community
from core.money import half_up
from core.time import Month
from settlement.heat import invoices_of
from settlement.sharing import terms
from settlement.tariffs import cents, stretches, valid_on

Document = Mapping[str, Any]
Entry = Mapping[str, Any]

_HEAT_UNITS = ("kWh", "units")


@dataclass(frozen=True)
class Facts:
    """One household's month. Energy in kWh (heat in units where allocators count), money in exact cents.

    Prices and invoices are as the tariff has them, with or without VAT; ``electricity_vat`` and ``heat_vat`` make them
    what is paid.

    Attributes
    ----------
    total
        As on the statement. [cents]
    lived
        Part of the month's days.
    sun, surplus
        Of the building.
    used, used_by_others
        Electricity of the household, and of everybody else with the common area.
    given
        Sun of the household.
    solar_price, feed_in_price
        Per kWh.
    credited
        Surplus credited to the household.
    heat, heat_of_others
        Measured heat.
    fuel_kg, fuel_price
        Pellets burnt and their price; without pellets both 0.
    heat_invoices, common_invoices
        In the building's pools.
    measured_part
        Of the heat cost, that follows the meters.
    by_meter
        The household's part of that where no heat was measured in the building; None where it was.
    by_area, by_common_area
        The household's part of the fixed heat cost, and of the costs of common areas.
    common_sun
        Sun of the common area.
    common_price
        Of that sun.
    fixed_price
        For a whole month.
    other
        Lines of other kinds, by code.
    sharing_rule, heat_rule
        What was agreed on, to see whether it changed; of sharing rules each with its first day of the month.
    heat_by_home
        Heat of every other household that lived here all month, by party and flat; only to find what is typical.
    corrects_stock
        Whether the pellets were counted after a month that ended with an estimate, which this month then corrects.
    electricity_vat, heat_vat
        What prices are multiplied by; 1 where they include VAT.
    """

    month: Month
    total: int
    lived: Fraction
    sun: Fraction
    surplus: Fraction
    used: Fraction
    used_by_others: Fraction
    given: Fraction
    solar_price: Fraction
    feed_in_price: Fraction
    credited: Fraction
    heat: Fraction
    heat_of_others: Fraction
    fuel_kg: Fraction
    fuel_price: Fraction
    heat_invoices: Fraction
    measured_part: Fraction
    by_meter: Fraction | None
    by_area: Fraction
    common_sun: Fraction
    common_price: Fraction
    common_invoices: Fraction
    by_common_area: Fraction
    fixed_price: Fraction
    other: Mapping[str, int]
    sharing_rule: tuple[str, ...]
    heat_rule: str
    heat_by_home: Mapping[tuple[str, str], Fraction]
    corrects_stock: bool
    electricity_vat: Fraction
    heat_vat: Fraction


def entry_of(document: Document, household: str) -> Entry | None:
    """Return a household's own entry, or None if the month has none for it."""
    return next((entry for entry in document["statements"] if entry["party"] == household), None)


def facts(document: Document, community: Community, household: str, previous: Document | None = None) -> Facts:
    """Read a household's month.

    Parameters
    ----------
    document
        ``statement.json`` of a whole month.
    community
        Rules and prices by date, floor areas, invoices.
    household
        One that has an entry in the month.
    previous
        The month before, if it was settled: whether its pellets were an estimate decides what this one corrects.
    """
    month = Month.parse(document["month"])
    entry = next(one for one in document["statements"] if one["party"] == household)
    return _Books(document, previous, community, month).facts(entry)


class _Books:
    """A month's document with what is needed to read it."""

    def __init__(self, document: Document, previous: Document | None, community: Community, month: Month) -> None:
        self.document = document
        self.community = community
        self.month = month
        self.corrects_stock = _estimated(previous) and not _estimated(document)
        self.entries: list[Entry] = list(document["statements"])
        self.stretches = stretches(community, month)
        self.tariff = self.stretches[0].tariff
        self.pooled = "amount_eur" if self.tariff.prices_include_vat else "net_eur"
        rates = self.tariff.vat_percent
        self.electricity_vat = self._vat(rates.electricity)
        self.heat_vat = self._vat(rates.electricity if rates.heat is None else rates.heat)

    def _vat(self, percent: Decimal) -> Fraction:
        """Return what a spread amount is multiplied by to become what is paid."""
        return Fraction(1) if self.tariff.prices_include_vat else 1 + Fraction(percent) / 100

    def facts(self, entry: Entry) -> Facts:
        """Read one household's month."""
        energy = self.document["energy"]
        used = _kwh(entry, "consumed_kwh")
        heat, all_heat = self._heat(entry), sum(map(self._heat, self.entries), Fraction(0))
        fuel_kg, fuel_price, heat_invoices = self._heat_cost()
        rule = valid_on(self.community.heat, self.month.first_day, "heat rule") if self.community.heat else None
        common_sun = Fraction(energy["shared_kwh"]) - sum(_kwh(one, "shared_kwh") for one in self.entries)
        common_price = self._solar_price(self.entries)
        lived = Fraction(_days(entry), self.month.days)
        return Facts(
            month=self.month,
            total=_cents(entry["total_eur"]),
            lived=lived,
            sun=Fraction(energy["solar_kwh"]),
            surplus=Fraction(energy["surplus_kwh"]),
            used=used,
            used_by_others=Fraction(energy["consumed_kwh"]) - used,
            given=_kwh(entry, "shared_kwh"),
            solar_price=self._solar_price([entry]),
            feed_in_price=self._feed_in_price(entry),
            credited=_quantity(entry, "feed_in"),
            heat=heat,
            heat_of_others=all_heat - heat,
            fuel_kg=fuel_kg,
            fuel_price=fuel_price,
            heat_invoices=heat_invoices,
            measured_part=Fraction(rule.measured_percent) / 100 if rule else Fraction(0),
            by_meter=None if all_heat else self._part(entry, "heat_measured"),
            by_area=self._part(entry, "heat_fixed"),
            common_sun=common_sun,
            common_price=common_price,
            common_invoices=self._common_invoices(common_sun * common_price),
            by_common_area=self._area_part(entry),
            fixed_price=self._fixed(entry) / lived,
            other=_other(entry),
            sharing_rule=tuple(self._sharing_rules()),
            heat_rule=rule.model_dump_json(exclude={"start"}) if rule else "",
            heat_by_home=self._homes(entry),
            corrects_stock=self.corrects_stock,
            electricity_vat=self.electricity_vat,
            heat_vat=self.heat_vat,
        )

    def _sharing_rules(self) -> Iterator[str]:
        """Tell what decided and from which day of the month on, so that months are alike where every day of them is."""
        for rule, held in groupby(self.stretches, lambda stretch: str(terms(stretch.sharing))):
            yield f"{next(held).start.day} {rule}"

    def _solar_price(self, entries: Sequence[Entry]) -> Fraction:
        """Mean price of the sun that entries were given [cents]; of all entries, then the tariff's, where none was.

        By what was given and not by the lines' quantities: sun of days with a price of 0 has no line.
        """
        for group in (entries, self.entries):
            given = sum((_kwh(one, "shared_kwh") for one in group), Fraction(0))
            if given:
                return sum((_value(one, "solar") for one in group), Fraction(0)) / given
        return cents(self.tariff.solar_eur_per_kwh)

    def _feed_in_price(self, entry: Entry) -> Fraction:
        """Mean price of the surplus credited [cents]."""
        for group in ([entry], self.entries):
            credited = sum((_quantity(one, "feed_in") for one in group), Fraction(0))
            if credited:
                return sum((_value(one, "feed_in") for one in group), Fraction(0)) / credited
        return cents(self.tariff.feed_in_eur_per_kwh)

    def _heat(self, entry: Entry) -> Fraction:
        for line in entry["lines"]:
            if line["code"] == "heat_measured" and line["unit"] in _HEAT_UNITS:
                return Fraction(line["quantity"])
        return Fraction((entry["heat"] or {}).get("measured_kwh") or 0)

    def _pool(self, code: str) -> int:
        """Sum a pool as it was spread: with VAT where prices include it, else without."""
        return sum(_cents(line[self.pooled]) for one in self.entries for line in one["lines"] if line["code"] == code)

    def _heat_cost(self) -> tuple[Fraction, Fraction, Fraction]:
        """Return pellets burnt [kg], their price [cents/kg], and the pool's invoices [cents]."""
        whole = self._pool("heat_measured") + self._pool("heat_fixed")
        fuel = self.document["pellets"]
        if fuel is None or not any(one["heat"] for one in self.entries):  # nobody pays for what is burnt
            return Fraction(0), Fraction(0), Fraction(whole)
        water = self._pool("hot_water_measured") + self._pool("hot_water_fixed")
        part = Fraction(whole, whole + water) if whole + water else Fraction(1)  # hot water apart has its part of both
        burnt, value = Fraction(fuel["burnt_kg"]) * part, _cents(fuel["burnt_eur"]) * part
        if burnt <= 0:  # a count found more than was estimated: no price can be told
            return Fraction(0), Fraction(0), Fraction(whole)
        return burnt, value / burnt, whole - value

    def _part(self, entry: Entry, code: str) -> Fraction:
        """Return a household's part of a pool that is divided by a printed quantity; by area or days without one."""
        whole = sum((_quantity(one, code) for one in self.entries), Fraction(0))
        if whole:
            return _quantity(entry, code) / whole
        rule = self.community.heat and valid_on(self.community.heat, self.month.first_day, "heat rule")
        if rule and rule.fixed_by == "equal":
            return Fraction(_days(entry), self.month.days * len(self.community.flats))
        return self._area_part(entry)

    def _area_part(self, entry: Entry) -> Fraction:
        areas = {flat.id: Fraction(flat.floor_area_m2 or 0) for flat in self.community.flats}
        whole = sum(areas.values())
        lived = Fraction(_days(entry), self.month.days)
        return areas.get(entry["flat"], Fraction(0)) * lived / whole if whole else Fraction(0)

    def _common_invoices(self, sun: Fraction) -> Fraction:
        """Return invoices of the common area [cents]: what its pool holds beside its sun."""
        pool = self._pool("common")
        known = sum(amount for _, amount in invoices_of(self.community, self.month, "common"))
        return Fraction(known) if half_up(sun + known) == pool else Fraction(pool - half_up(sun))

    def _fixed(self, entry: Entry) -> Fraction:
        return _value(entry, "fixed") / self.month.days

    def _homes(self, own: Entry) -> dict[tuple[str, str], Fraction]:
        return {
            (one["party"], one["flat"]): self._heat(one)
            for one in self.entries
            if one["flat"] and one["party"] not in (own["party"], self.community.owner)
            if _days(one) == self.month.days
        }


_KNOWN = ("solar", "feed_in", "heat_measured", "heat_fixed", "common", "fixed")


def _other(entry: Entry) -> dict[str, int]:
    found: dict[str, int] = {}
    for line in entry["lines"]:
        if line["code"] not in _KNOWN:
            found[line["code"]] = found.get(line["code"], 0) + _cents(line["amount_eur"])
    return found


def _estimated(document: Document | None) -> bool:
    return bool(document and (document["pellets"] or {}).get("estimated"))


def _quantity(entry: Entry, code: str) -> Fraction:
    return sum(
        (Fraction(line["quantity"]) for line in entry["lines"] if line["code"] == code and line["quantity"]),
        Fraction(0),
    )


def _value(entry: Entry, code: str) -> Fraction:
    """Sum of quantity times price of the lines of a code [cents]."""
    lines = [line for line in entry["lines"] if line["code"] == code and line["price_eur"]]
    return sum((Fraction(line["quantity"]) * cents(Decimal(line["price_eur"])) for line in lines), Fraction(0))


def _kwh(entry: Entry, name: str) -> Fraction:
    return Fraction((entry["electricity"] or {}).get(name) or 0)


def _days(entry: Entry) -> int:
    return (date.fromisoformat(entry["until"]) - date.fromisoformat(entry["from"])).days


def _cents(euros: str) -> int:
    return int(cents(Decimal(euros)))
