"""The known truth: what any meter shows at any instant, and what a month's settlement must come to.

The live minute and the settled month are compared with this. Nothing here or below imports the collector or the
settlement.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any

from core.errors import BadInput
from core.time import Month, microseconds
from simulators import oracle
from simulators.building import COMMUNITY, FLAT_IDS, OWNER
from simulators.description import VAT_PERCENT, Story, story
from simulators.display import meter_named, value_at
from simulators.grid import ZONE
from simulators.oracle import Entry, Quarters, eur, kwh

Document = dict[str, Any]


def live_truth(seed: int, meter: str, instant: datetime) -> Decimal:
    """Return what a meter shows at an instant [kWh, silo kg], with the device's own digits.

    Raises
    ------
    BadInput
        If there is no such meter, or the instant lies before the building began.
    """
    return value_at(seed, meter_named(meter), instant)


def settlement_truth(seed: int, month: Month, now: datetime) -> Document:
    """Return what settling a month must come to, in the words of ``statement.json``.

    Parameters
    ----------
    seed
        Which building.
    month
        A full month of the history.
    now
        The instant the community file was written for; it sets where the history begins.

    Returns
    -------
    dict
        ``community``, ``month``, ``sharing_key``, ``energy``, ``pellets`` and ``statements``; the latter with an
        entry per spell by flat and day, the owner's own last, and every line code in each, even where it is 0.00.

    Raises
    ------
    BadInput
        If the month is not over, or not within the history.
    """
    tale = story(seed, now)
    begin, over = month.bounds(ZONE)
    stock = oracle.pellets(tale, month) if tale.start <= begin and over <= now else None
    if stock is None:
        raise BadInput(f"The simulated building cannot settle {month}: it is not a full month of its history.")
    energy = oracle.quarters(seed, month)
    own = oracle.entries(tale, month)
    first, end = (microseconds(instant) for instant in month.bounds(ZONE))
    taken = {flat: oracle.energy(seed, f"heat-{flat}", first, end) for flat in FLAT_IDS}
    heat = {entry: energy.of(taken[entry.flat or ""], entry) for entry in own}
    produced = sum(oracle.energy(seed, "boiler-heat", first, end))
    amounts = oracle.lines(tale, month, own, energy, heat)
    shared = sum(sum(values) for values in energy.shared.values())
    surplus = sum(energy.sun) - shared
    statements = [_statement(tale, month, entry, energy, heat[entry], amounts) for entry in own]
    return {
        "community": COMMUNITY,
        "month": str(month),
        "sharing_key": "proportional",
        "energy": {
            "solar_kwh": kwh(sum(energy.sun)),
            "consumed_kwh": kwh(sum(sum(values) for values in energy.used.values())),
            "shared_kwh": kwh(shared),
            "surplus_kwh": kwh(surplus),
            "heat_produced_kwh": kwh(produced),
            "heat_measured_kwh": kwh(sum(heat.values())),
            "heat_lost_kwh": kwh(produced - sum(heat.values())),
        },
        "pellets": {
            "burnt_kg": f"{stock.burnt_kg}.000",
            "burnt_eur": eur(stock.burnt),
            "closing_kg": f"{stock.closing_kg}.000",
            "closing_eur": eur(stock.closing),
            "estimated": False,
        },
        "statements": [*statements, _owner(month, surplus)],
    }


@dataclass(frozen=True)
class Compared:
    """One figure of the truth beside the same figure of a statement; None where the statement lacks it."""

    what: str
    truth: str
    found: str | None

    @property
    def agrees(self) -> bool:
        """Whether they are the same, digit for digit; an amount of nothing may be left out."""
        return self.found == self.truth or (self.found is None and not Decimal(self.truth))


def compare(truth: Document, statement: Document) -> Iterator[Compared]:
    """Set every kWh, kilogram and cent of the truth beside the same figure of a ``statement.json``.

    Entries are matched by party, flat and first day, lines by code. An entry the statement has beyond the truth is
    yielded as a difference too.
    """
    for section in ("energy", "pellets"):
        for name, value in truth[section].items():
            if isinstance(value, str):
                yield Compared(f"{section} {name}", value, (statement.get(section) or {}).get(name))
    known = {_key(entry): entry for entry in statement["statements"]}
    for entry in truth["statements"]:
        yield from _compare_entry(entry, known.pop(_key(entry), {}))
    for party, flat, start in known:
        yield Compared(f"{party} {flat} {start}", "0", "1")


def _compare_entry(entry: Document, found: Document) -> Iterator[Compared]:
    place = f"{entry['party']} {entry['flat'] or 'building'} {entry['from']}"
    for section in ("electricity", "heat"):
        for name, value in (entry[section] or {}).items():
            yield Compared(f"{place} {name}", value, (found.get(section) or {}).get(name))
    lines: dict[str, Document] = {line["code"]: line for line in found.get("lines", ())}
    for line in entry["lines"]:
        there = lines.pop(line["code"], {})
        for name in ("net_eur", "vat_eur", "amount_eur"):
            yield Compared(f"{place} {line['code']} {name}", line[name], there.get(name))
    for code, line in lines.items():
        yield Compared(f"{place} {code} amount_eur", "0.00", line["amount_eur"])
    for name in ("total_eur", "advance_eur", "balance_eur"):
        yield Compared(f"{place} {name}", entry[name], found.get(name))


def _key(entry: Document) -> tuple[str, str | None, str]:
    return entry["party"], entry["flat"], entry["from"]


def _statement(tale: Story, month: Month, entry: Entry, energy: Quarters, heat: int, amounts: oracle.Lines) -> Document:
    flat = entry.flat or ""
    consumed, shared = energy.of(energy.used[flat], entry), energy.of(energy.shared[flat], entry)
    price = oracle.prices(month)
    spared = oracle.nearest(shared * (Fraction(price.grid) - Fraction(price.solar)) / 10**4)
    person = next((one for one in tale.people if one.id == entry.party), None)
    monthly = 100 * tale.advance_eur(person) if person else 0
    own = {code: parts[entry] for code, parts in amounts.items()}
    total, advance = sum(own.values()), oracle.nearest(Fraction(monthly * entry.days, month.days))
    return {
        "party": entry.party,
        "flat": entry.flat,
        "from": str(entry.start),
        "until": str(entry.until),
        "electricity": {
            "consumed_kwh": kwh(consumed),
            "shared_kwh": kwh(shared),
            "grid_kwh": kwh(consumed - shared),
            "saved_eur": eur(spared),
        },
        "heat": {
            "measured_kwh": kwh(heat),
            "measured_eur": eur(own["heat_measured"]),
            "fixed_eur": eur(own["heat_fixed"]),
        },
        "lines": [_line(code, amount) for code, amount in own.items()],
        "total_eur": eur(total),
        "advance_eur": eur(advance),
        "balance_eur": eur(total - advance),
    }


def _owner(month: Month, surplus: int) -> Document:
    credit = -oracle.nearest(surplus * Fraction(oracle.prices(month).feed_in) / 10**4)
    return {
        "party": OWNER,
        "flat": None,
        "from": str(month.first_day),
        "until": str(month.end_day),
        "electricity": None,
        "heat": None,
        "lines": [_line("feed_in", credit)],
        "total_eur": eur(credit),
        "advance_eur": eur(0),
        "balance_eur": eur(credit),
    }


def _line(code: str, amount: int) -> Document:
    net = oracle.net_of(amount)
    return {
        "code": code,
        "net_eur": eur(net),
        "vat_percent": VAT_PERCENT,
        "vat_eur": eur(amount - net),
        "amount_eur": eur(amount),
    }
