"""The statement document: what `replay` writes and everyone downstream shows, in the contract's words.

UTF-8, keys sorted, two-space indent, a newline at the end. Numbers are decimal strings.
"""

from __future__ import annotations

import csv
import hashlib
import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from fractions import Fraction
from io import StringIO
from typing import Any

from core.community import Meter
from core.money import half_up, spread
from core.time import from_microseconds, rfc3339
from core.units import decimal_text
from settlement.failedmeters import Failed
from settlement.hotwater import Warmed
from settlement.model import Check, Finding, Line, Quality, Spell
from settlement.month import Settled
from settlement.sun import COMMON
from settlement.tariffs import cents

NOT_HASHED = ("status", "revision", "input_sha256", "result_sha256")
"""Fields of the statement that are not part of the result's hash."""
_QUALITY_GROUPS: Mapping[Quality, str] = {
    "measured": "measured",
    "validated": "measured",
    "edited": "estimated",
    "estimated": "estimated",
    "missing": "missing",
}

Document = dict[str, Any]


def document(settled: Settled, input_sha256: str, *, status: str = "provisional", revision: int = 1) -> Document:
    """Write a settled month as the contract's ``statement.json``, hashes included."""
    energy = settled.energy
    sun = energy.sun
    of_flat: defaultdict[str | None, list[Meter]] = defaultdict(list)
    for meter in settled.community.meters:
        of_flat[meter.flat].append(meter)
    measured = None if energy.heat_in_units or not energy.heat_meters else sum(energy.heat.values())
    lost = energy.heat_produced - measured if energy.heat_produced is not None and measured is not None else None
    result: Document = {
        "community": settled.community.community,
        "month": str(settled.month),
        "status": status,
        "revision": revision,
        "sharing_key": settled.stretches[-1].sharing.key,
        "energy": {
            "solar_kwh": decimal_text(sun.sun.total()),
            "consumed_kwh": decimal_text(sun.used.total()),
            "shared_kwh": decimal_text(sun.shared.total()),
            "surplus_kwh": decimal_text(sun.surplus.total()),
            "heat_produced_kwh": _or_null(energy.heat_produced),
            "heat_measured_kwh": _or_null(measured),
            "heat_lost_kwh": _or_null(lost),
        }
        | _hot_water(settled),
        "pellets": _pellets(settled),
        "statements": [_entry(settled, spell, of_flat[spell.flat]) for spell in settled.spells] + _owner(settled),
        "checks": [_check(check) for check in settled.checks],
        "findings": [_finding(finding) for finding in settled.findings],
        "input_sha256": input_sha256,
    }
    result["result_sha256"] = result_sha256(result)
    return result


def dump(statement: Document) -> bytes:
    """Bytes of a statement document."""
    return (json.dumps(statement, ensure_ascii=False, indent=2, sort_keys=True) + "\n").encode()


def result_sha256(statement: Document) -> str:
    """SHA-256 of the statement's bytes without its status, revision and hashes."""
    return hashlib.sha256(dump({k: v for k, v in statement.items() if k not in NOT_HASHED})).hexdigest()


def quarters_csv(settled: Settled) -> str:
    """One row per settlement interval and flat, times in UTC; the contract's ``quarters.csv``."""
    sun = settled.energy.sun
    out = StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["start", "party", "flat", "consumed_kwh", "shared_kwh", "quality"])
    names = sorted(name for name in sun.used if name != COMMON)
    names += [COMMON] if COMMON in sun.used else []
    parties: dict[str, list[str]] = {name: [""] * len(sun.sun) for name in names}
    for spell in settled.spells:
        for index in sun.between(settled.community, spell.start, spell.until):
            parties[spell.flat][index] = spell.party
    columns = [(name, parties[name], list(sun.used[name]), list(sun.shared[name]), sun.quality[name]) for name in names]
    for index in range(len(sun.sun)):
        start = rfc3339(from_microseconds(sun.bounds[index]))
        for name, party, used, shared, quality in columns:
            consumed = used[index]
            known = "" if consumed is None else decimal_text(consumed)
            writer.writerow([start, party[index], name, known, decimal_text(shared[index]), quality[index]])
    return out.getvalue()


def _pellets(settled: Settled) -> Document | None:
    fuel = settled.pellets
    if fuel is None:
        return None
    corrected = {}
    if fuel.corrected_kg or fuel.corrected_cents:
        corrected = {
            "corrected_kg": decimal_text(half_up(fuel.corrected_kg * 1000), 3),
            "corrected_eur": decimal_text(fuel.corrected_cents, 2),
        }
    return {
        "burnt_kg": decimal_text(half_up(fuel.burnt_kg * 1000), 3),
        "burnt_eur": decimal_text(fuel.burnt_cents, 2),
        "closing_kg": decimal_text(half_up(fuel.closing_kg * 1000), 3),
        "closing_eur": decimal_text(fuel.closing_cents, 2),
        "estimated": fuel.estimated,
    } | corrected


def _entry(settled: Settled, spell: Spell, meters: Sequence[Meter]) -> Document:
    energy = settled.energy
    lines = [group[spell] for group in settled.charged if spell in group]
    measured = {meter.measures for meter in meters}
    consumed, shared = energy.consumed[spell], energy.shared[spell]
    electricity = {
        "consumed_kwh": decimal_text(consumed),
        "shared_kwh": decimal_text(shared),
        "grid_kwh": decimal_text(consumed - shared),
        "saved_eur": _saved(settled, spell),
    }
    heat = None
    heated = not energy.heat_in_units and "heat" in measured
    if settled.heat is not None:
        heat = {
            "measured_kwh": decimal_text(energy.heat[spell]) if heated else None,
            "measured_eur": _amount(lines, "heat_measured"),
            "fixed_eur": _amount(lines, "heat_fixed"),
        }
        heat |= _estimated(settled, spell) | _hot_water_of(settled, spell, lines, metered="hot_water" in measured)
    return _statement(settled, spell, lines) | {
        "electricity": electricity if "electricity" in measured else None,
        "heat": heat,
        "quality": _quality(settled, spell, meters),
    }


def _hot_water(settled: Settled) -> Document:
    """Return the building's hot water and recording rate, where hot water has a pool of its own."""
    warmed = settled.energy.warmed
    if warmed is None:
        return {}
    rate = settled.figures.recording_rate
    return {
        "hot_water_kwh": decimal_text(half_up(warmed.total)),
        "heat_recorded_percent": None if rate is None else decimal_text(half_up(rate * 10_000), 2),
    }


def _hot_water_of(settled: Settled, spell: Spell, lines: list[Line], *, metered: bool) -> Document:
    warmed = settled.energy.warmed
    if warmed is None:
        return {}
    in_m3 = metered and warmed.volume is not None
    return {
        "hot_water": {
            "measured_kwh": decimal_text(half_up(warmed.heat[spell])) if metered else None,
            "measured_m3": decimal_text((warmed.volume or {})[spell]) if in_m3 else None,
            "measured_eur": _amount(lines, "hot_water_measured"),
            "fixed_eur": _amount(lines, "hot_water_fixed"),
        }
        | _estimated_water(warmed, spell)
    }


def _estimated_water(warmed: Warmed, spell: Spell) -> Document:
    """Return what was estimated for a failed hot water meter and how, where the rule estimates."""
    failed = warmed.failed
    if failed is None:
        return {}
    substitute, heat = failed.substitutes.get(spell), warmed.estimated.get(spell)
    return {
        "estimated_kwh": None if heat is None else decimal_text(half_up(heat)),
        "estimated_m3": None if substitute is None or warmed.volume is None else decimal_text(substitute.amount),
        "estimated_by": _method(failed, spell),
    }


def _estimated(settled: Settled, spell: Spell) -> Document:
    """Return what was estimated for a failed heat meter and how, where the rule estimates."""
    failed = settled.energy.failed
    if failed is None:
        return {}
    substitute = failed.substitutes.get(spell)
    kwh = None if substitute is None or settled.energy.heat_in_units else decimal_text(substitute.amount)
    return {"estimated_kwh": kwh, "estimated_by": _method(failed, spell)}


def _method(failed: Failed, spell: Spell) -> str | None:
    """Name how a spell's missing use was found; null where none was missing or nothing tells."""
    substitute = failed.substitutes.get(spell)
    if failed.by_fixed:
        return "fixed_measure"
    return None if substitute is None else substitute.method


def _owner(settled: Settled) -> list[Document]:
    """Return the owner's own entry, if it has a line."""
    spell = Spell(settled.community.owner, "", settled.month.first_day, settled.month.end_day)
    lines = [group[spell] for group in settled.charged if spell in group]
    if not lines:
        return []
    nothing = {"measured_percent": None, "estimated_percent": None, "missing_percent": None}
    return [_statement(settled, spell, lines) | {"flat": None, "electricity": None, "heat": None, "quality": nothing}]


def _statement(settled: Settled, spell: Spell, lines: list[Line]) -> Document:
    total = sum(line.amount for line in lines)
    advance = settled.advances.get(spell, 0)
    return {
        "party": spell.party,
        "flat": spell.flat,
        "from": str(spell.start),
        "until": str(spell.until),
        "lines": [_line(line) for line in lines],
        "total_eur": decimal_text(total, 2),
        "advance_eur": decimal_text(advance, 2),
        "balance_eur": decimal_text(total - advance, 2),
    }


def _line(line: Line) -> Document:
    window = {} if line.window is None else {"window": line.window}
    return window | {
        "code": line.code,
        "quantity": line.quantity,
        "unit": line.unit,
        "price_eur": None if line.price is None else format(line.price, "f"),
        "net_eur": decimal_text(line.net, 2),
        "vat_percent": decimal_text(half_up(Fraction(line.vat_percent) * 100), 2),
        "vat_eur": decimal_text(line.vat, 2),
        "amount_eur": decimal_text(line.amount, 2),
    }


def _saved(settled: Settled, spell: Spell) -> str | None:
    """Return what the sun saved against the grid, half-up; null where an interval has no grid price."""
    exact = Fraction(0)
    span = settled.energy.sun.between(settled.community, spell.start, spell.until)
    for slot in settled.slots:
        if not any(slot.within(span)):
            continue
        if slot.grid is None:
            return None
        shared = slot.total(settled.energy.sun.shared[spell.flat], span)
        exact += Fraction(shared, 10**6) * (cents(slot.grid.eur) - cents(slot.solar.eur))
    return decimal_text(half_up(exact), 2)


def _quality(settled: Settled, spell: Spell, meters: Sequence[Meter]) -> Document:
    """Shares of the party's metered intervals, electricity and heat, in percent that add up to 100.00."""
    span = settled.energy.sun.between(settled.community, spell.start, spell.until)
    counts = {"measured": 0, "estimated": 0, "missing": 0}
    for meter in meters:
        if meter.measures in ("electricity", "heat"):
            for quality, count in settled.energy.series[meter.id].quality.counts(span.start, span.stop).items():
                counts[_QUALITY_GROUPS[quality]] += count
    whole = sum(counts.values())
    if not whole:
        return {f"{name}_percent": None for name in counts}
    shares = {name: Fraction(10_000 * count, whole) for name, count in counts.items()}
    parts = spread(shares, 10_000, str.encode)
    return {f"{name}_percent": decimal_text(part, 2) for name, part in parts.items()}


def _amount(lines: list[Line], code: str) -> str:
    return decimal_text(sum(line.amount for line in lines if line.code == code), 2)


def _or_null(amount: int | None) -> str | None:
    return None if amount is None else decimal_text(amount)


def _check(check: Check) -> Document:
    return {"name": check.name, "holds": check.holds, "difference": check.difference}


def _finding(finding: Finding) -> Document:
    return {
        "code": finding.code,
        "meter": finding.meter,
        "from": None if finding.start is None else rfc3339(from_microseconds(finding.start)),
        "until": None if finding.until is None else rfc3339(from_microseconds(finding.until)),
        "text": finding.text,
    }
