"""What a bundle says about a month: rules and events, totals, charges and postings, all as JSON trees.

Whole numbers are JSON numbers (milliwatt-hours, millionths of allocator units, cents), exact fractions are text
(``"7/3"``), instants RFC 3339 in UTC. An interval of the month is told by its number, from 0.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import date
from fractions import Fraction
from typing import Any

from core.keys import KEYS
from core.money import half_up
from core.time import from_microseconds, rfc3339
from core.units import decimal_text
from settlement import selection
from settlement.model import Readings, Series, Spell
from settlement.month import Settled
from settlement.sun import COMMON
from settlement.tariffs import Stretch

Tree = dict[str, Any]

ORIGINS: Mapping[str, str] = {
    "solar": "sun given to the entry; price of the tariff",
    "feed_in": "surplus of the building, to whom the sharing rule says; price of the tariff",
    "netting": "surplus up to what the building drew from the grid, to whom the sharing rule says; price of the grid",
    "common": "floor area x days; sun of the common meter and invoices of pool common",
    "fixed": "days; price of the tariff by days of the month",
    "heat_measured": "metered heat, or the fixed measure if none was; measured part of the cost of heat",
    "heat_fixed": "floor area x days, or days; fixed part of the cost of heat",
    "hot_water_measured": "hot water that was counted; measured part of hot water's part of the cost of heat",
    "hot_water_fixed": "floor area x days, or days; fixed part of hot water's part of the cost of heat",
}
"""Where the basis and the factor of a line come from, for people."""
_BY_PERSONS = ("by", "why", "photo")


def rules(settled: Settled, selected: Readings) -> Tree:
    """Return configuration and events as the input's hash has them; who edited readings, and why, stays out."""
    tree: Tree = json.loads(next(selection.canonical(settled.community, settled.month, selected)))
    for edit in tree.get("edits", ()):
        for name in _BY_PERSONS:
            edit.pop(name, None)
    return tree


def span(settled: Settled, start: date, until: date) -> tuple[int, int]:
    """First interval of some days, and the first after them."""
    found = settled.energy.sun.between(settled.community, start, until)
    return found.start, max(found.start, found.stop)


def _overlap(settled: Settled, spell: Spell, stretch: Stretch) -> tuple[int, int] | None:
    start, until = max(spell.start, stretch.start), min(spell.until, stretch.until)
    return span(settled, start, until) if start < until else None


def totals(settled: Settled) -> Tree:
    """Totals of the month: of the building per stretch of days, of every entry per stretch, of fuel and heat."""
    energy, sun = settled.energy, settled.energy.sun
    bounds = sun.bounds
    return {
        "intervals": {
            "start": rfc3339(from_microseconds(bounds[0])),
            "end": rfc3339(from_microseconds(bounds[-1])),
            "seconds": (bounds[1] - bounds[0]) // 10**6,
            "count": len(bounds) - 1,
        },
        "stretches": [_stretch(settled, stretch) for stretch in settled.stretches],
        "entries": {spell.label: _entry(settled, spell) for spell in settled.spells},
        "heat_produced_mwh": energy.heat_produced,
        "heat_in_units": energy.heat_in_units,
        "heat": _heat(settled),
        "pellets": _pellets(settled),
    }


def _stretch(settled: Settled, stretch: Stretch) -> Tree:
    sun = settled.energy.sun
    first, end = span(settled, stretch.start, stretch.until)
    common = COMMON in sun.used
    return {
        "from": str(stretch.start),
        "until": str(stretch.until),
        "first": first,
        "end": end,
        "sun_mwh": sun.sun.total(first, end),
        "surplus_mwh": sun.surplus.total(first, end),
        "common_used_mwh": sun.used[COMMON].total(first, end) if common else None,
        "common_shared_mwh": sun.shared[COMMON].total(first, end) if common else None,
    }


def _entry(settled: Settled, spell: Spell) -> Tree:
    sun = settled.energy.sun
    first, end = span(settled, spell.start, spell.until)
    parts: list[Tree | None] = []
    for stretch in settled.stretches:
        within = _overlap(settled, spell, stretch)
        if within is None:
            parts.append(None)
            continue
        unused = sun.unused[spell.flat].total(*within) if stretch.sharing.surplus == "unused_share" else None
        parts.append(
            {
                "consumed_mwh": sun.used[spell.flat].total(*within),
                "shared_mwh": sun.shared[spell.flat].total(*within),
                "unused_mwh": unused,
            }
        )
    heat = settled.energy.heat[spell] if _heated(settled, spell.flat) else None
    water = {
        name: {
            kind: None if column is None else sum(v for v in column if v is not None) for kind, column in kinds.items()
        }
        for name, kinds in _hot_water(settled, spell).items()
    }
    return {"first": first, "end": end, "heat": heat, "parts": parts} | water


def _heated(settled: Settled, flat: str) -> bool:
    return any(meter.flat == flat for meter in settled.community.meters_of("heat"))


def _heat(settled: Settled) -> Tree | None:
    pool = settled.heat
    if pool is None:
        return None
    return {
        "total_cents": pool.total,
        "measured_cents": pool.measured,
        "fixed_cents": pool.fixed,
        "invoices": [[number, cents] for number, cents in pool.invoices],
    }


def _pellets(settled: Settled) -> Tree | None:
    fuel = settled.pellets
    if fuel is None:
        return None
    return {
        "start_kg": str(fuel.start_kg),
        "start_cents": fuel.start_cents,
        "delivered_kg": str(fuel.delivered_kg),
        "delivered_cents": fuel.delivered_cents,
        "burnt_kg": str(fuel.burnt_kg),
        "burnt_cents": fuel.burnt_cents,
        "closing_kg": str(fuel.closing_kg),
        "closing_cents": fuel.closing_cents,
        "estimated": fuel.estimated,
    }


def charges(settled: Settled) -> list[Tree]:
    """Every charge: its price and VAT, cents for one unit of its basis, and the basis of every entry."""
    return [
        {
            "code": charge.code,
            "price_eur": None if charge.price is None else format(charge.price, "f"),
            "vat_percent": format(charge.vat_percent, "f"),
            "factor": str(charge.factor),
            "total_cents": charge.total,
            "origin": ORIGINS.get(charge.code, ""),
            "basis": {spell.label: str(part) for spell, part in charge.basis.items() if part},
        }
        | ({} if charge.window is None else {"window": charge.window})
        for charge in settled.charges
    ]


def postings(settled: Settled) -> list[list[Any]]:
    """Return postings as transaction, account, cents (debit positive) and what for."""
    return [[one.transaction, one.account, one.cents, one.what] for one in settled.ledger.postings]


def label_of(entry: Tree) -> str:
    """Label of an entry of ``statement.json``: ``party|flat|first day``, the flat empty for the owner's own."""
    return f"{entry['party']}|{entry['flat'] or ''}|{entry['from']}"


def own(rules: Tree, statement: Tree, charged: list[Tree], summed: Tree, label: str) -> Tree:
    """Return what one party may see of a month: its entry of the statement and the figures behind it.

    Everything comes from the other files of the bundle (`rules`, ``statement.json``, `charges`, `totals`), so that
    whoever has them can make it again.

    Raises
    ------
    KeyError
        If there is no entry of that label.
    """
    entries = {label_of(entry): entry for entry in statement["statements"]}
    entry = entries[label]
    told = summed["entries"].get(label)
    tree = {
        "community": statement["community"],
        "month": statement["month"],
        "prices_include_vat": in_force(rules["tariffs"], summed["stretches"][0]["from"])["prices_include_vat"],
        "intervals": summed["intervals"],
        "entry": entry,
        "heat": told["heat"] if told else None,
        "charges": [_mine(charge, label) for charge in charged if label in charge["basis"]],
        "parts": _parts(rules, summed["stretches"], told, str(entry["flat"])) if told else [],
    }
    if told and "hot_water" in told:
        tree["hot_water"] = told["hot_water"]
    return tree


def _mine(charge: Tree, label: str) -> Tree:
    mine = {name: charge[name] for name in ("code", "price_eur", "window", "vat_percent", "factor") if name in charge}
    if charge["price_eur"] is None:
        # An exact quotient would tell the size of the pool and of the whole building's basis.
        mine["factor"] = decimal_text(half_up(Fraction(charge["factor"]) * 10**6))
    return mine | {"basis": charge["basis"][label]}


def in_force(entries: list[Tree], day: str) -> Tree:
    """Return the dated entry in force on a day: the latest that begins on or before it."""
    return max((entry for entry in entries if entry["from"] <= day), key=lambda entry: str(entry["from"]))


def _parts(rules: Tree, stretches: list[Tree], told: Tree, flat: str) -> list[Tree]:
    found = []
    for stretch, part in zip(stretches, told["parts"], strict=True):
        if part is not None:
            sharing = in_force(rules["sharing"], stretch["from"])
            found.append(
                {
                    "first": max(stretch["first"], told["first"]),
                    "end": min(stretch["end"], told["end"]),
                    "consumed_mwh": part["consumed_mwh"],
                    "shared_mwh": part["shared_mwh"],
                    "key": sharing["key"],
                    "common": sharing["common"],
                    "weight": _weight(rules, sharing, flat),
                }
            )
    return found


def _weight(rules: Tree, sharing: Tree, flat: str) -> str | None:
    """Part of the sun that a flat is entitled to; None under keys without one."""
    takes_part = sharing["common"] == "participant" and any(meter["common"] for meter in rules["meters"])
    if sharing["key"] == "equal":
        return str(Fraction(1, len(rules["flats"]) + takes_part))
    if not KEYS[sharing["key"]].weights:
        return None
    whole = sum((Fraction(sharing["weights"][one["id"]]) for one in rules["flats"]), Fraction(0))
    whole += Fraction(sharing["common_weight"]) if takes_part else 0
    return str(Fraction(sharing["weights"][flat]) / whole)


def intervals(settled: Settled, spell: Spell) -> Tree:
    """Return a party's own intervals, which its commitment is to. The owner's own entry has none."""
    sun, energy = settled.energy.sun, settled.energy
    tree: Tree = {"party": spell.party, "flat": spell.flat or None, "from": str(spell.start), "until": str(spell.until)}
    if not spell.flat:
        return tree
    first, end = span(settled, spell.start, spell.until)
    meters = [energy.series[meter.id] for meter in settled.community.meters_of("heat") if meter.flat == spell.flat]
    return tree | {
        "first": first,
        "start": rfc3339(from_microseconds(sun.bounds[first])),
        "consumed_mwh": list(sun.used[spell.flat][first:end]),
        "shared_mwh": list(sun.shared[spell.flat][first:end]),
        "quality": list(sun.quality[spell.flat][first:end]),
        "heat": _column(meters, first, end),
        **_hot_water(settled, spell),
    }


def _hot_water(settled: Settled, spell: Spell) -> Tree:
    """Return what a flat's meters of hot water counted by interval, in millionths of a m3 and in mWh.

    Nothing where the month does not part its cost from that of warm rooms.
    """
    if settled.energy.warmed is None:
        return {}
    first, end = span(settled, spell.start, spell.until)
    own = [meter for meter in settled.community.meters_of("hot_water") if meter.flat == spell.flat]
    series = settled.energy.series
    return {
        "hot_water": {
            "m3": _column([series[meter.id] for meter in own if meter.unit == "m3"], first, end),
            "mwh": _column([series[meter.id] for meter in own if meter.unit != "m3"], first, end),
        }
    }


def _column(meters: Sequence[Series], first: int, end: int) -> list[int | None] | None:
    """Add up meters interval by interval, null where nobody knows; null for all where there is no meter."""
    if not meters:
        return None
    rows = zip(*(one.energy[first:end] for one in meters), strict=True)
    return [sum(v for v in row if v is not None) if any(v is not None for v in row) else None for row in rows]


def building(settled: Settled) -> Tree:
    """Return the building's sun per interval, and nothing about what was used."""
    return {"sun_mwh": list(settled.energy.sun.sun)}


def common_area(settled: Settled) -> Tree | None:
    """Return the common meter's intervals; None where there is no such meter."""
    sun = settled.energy.sun
    if COMMON not in sun.used:
        return None
    return {"consumed_mwh": list(sun.used[COMMON]), "shared_mwh": list(sun.shared[COMMON])}
