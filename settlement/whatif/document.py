"""The comparison as files: ``whatif.json`` in short, ``whatif.csv`` with a row per rule and party.

Numbers are decimal strings: kWh with six decimals, euro with two, percentages with two, coefficients with four; all
half-up from exact values. Null, or an empty field, where a thing does not exist.
"""

from __future__ import annotations

import csv
import json
from fractions import Fraction
from io import StringIO
from typing import Any

from core.money import half_up
from core.units import decimal_text
from settlement.whatif.compare import Comparison, MonthKnown
from settlement.whatif.outcome import Outcome

HEADER = (
    "rule", "key", "weights", "surplus", "flat", "party", "consumed_kwh", "shared_kwh", "self_sufficiency_percent",
    "self_consumption_percent", "paid_eur", "grid_eur", "cost_eur", "gain_eur", "benefit_eur",
)  # fmt: skip
TODAY = "today"
"""Name of the file's own rules, which may change within the span."""


def document(comparison: Comparison) -> dict[str, Any]:
    """Write the comparison as ``whatif.json`` says it."""
    months = comparison.months
    today = next((one.candidate.name for one in comparison.tried if one.candidate.today), None)
    return {
        "community": comparison.community.community,
        "from": str(months[0].month),
        "until": str(months[-1].month),
        "today": _rule(comparison, comparison.today) | {"same_as": today},
        "rules": [
            {
                "rule": one.candidate.name,
                "key": one.candidate.key,
                "weights": one.candidate.weights,
                "surplus": one.candidate.surplus,
                "today": one.candidate.today,
            }
            | _rule(comparison, one.outcome)
            | {
                "flats": [
                    {"flat": flat.id, "gain_eur": _euro(comparison.gain_of_flat(one.outcome, flat.id))}
                    for flat in comparison.community.flats
                ],
                "owner_gain_eur": _euro(comparison.gain(one.outcome, ("", comparison.community.owner))),
            }
            for one in comparison.tried
        ],
        "not_possible": [{"key": one.division, "what_to_do": one.remedy} for one in comparison.impossible],
        "months": [_month(one) for one in months],
        "notes": notes(comparison),
    }


def notes(comparison: Comparison) -> list[str]:
    """Say what the reader must know before using the figures."""
    found = [
        f"{one.month}: no readings of electricity or sun, so this month counts for nothing here."
        for one in comparison.months
        if not one.counted
    ]
    found += [
        f"{one.month}: {_percent(one.missing, one.intervals)} % of the intervals are missing ({', '.join(one.silent)});"
        " what is missing counts for nobody."
        for one in comparison.months
        if one.counted and one.missing
    ]
    if not comparison.priced:
        found.append(
            "Some days have no grid price, so nobody can say what sun is worth; add grid_eur_per_kwh to the tariffs"
            " for gains in euro."
        )
    return found


def dump(written: dict[str, Any]) -> bytes:
    """Bytes of ``whatif.json``: sorted keys, two spaces, a newline at the end."""
    return (json.dumps(written, ensure_ascii=False, indent=2, sort_keys=True) + "\n").encode()


def table(comparison: Comparison) -> str:
    """Write ``whatif.csv``: today's rules first, then every rule, a row per party of each."""
    out = StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(HEADER)
    _rows(writer, comparison, (TODAY, "", "", ""), comparison.today)
    for one in comparison.tried:
        rule = one.candidate
        _rows(writer, comparison, (rule.name, rule.key, rule.weights or "", rule.surplus), one.outcome)
    return out.getvalue()


def _rows(writer: Any, comparison: Comparison, rule: tuple[str, ...], outcome: Outcome) -> None:
    for party in sorted(outcome.parties, key=lambda name: (not name[0], name)):
        share, flat = outcome.parties[party], bool(party[0])
        gain, benefit = comparison.gain(outcome, party), comparison.benefit(outcome, party)
        row = (
            *party,
            decimal_text(share.consumed) if flat else None,
            decimal_text(share.shared) if flat else None,
            _percent(share.shared, share.consumed),  # the owner uses nothing, and has none
            _percent(share.shared, outcome.generated) if flat else None,
            *map(_euro, (share.paid, share.grid, share.cost, gain, benefit)),
        )
        writer.writerow([*rule, *row])  # which leaves a field empty where there is None


def _rule(comparison: Comparison, outcome: Outcome) -> dict[str, Any]:
    fair = comparison.fairness(outcome)
    return {
        "energy": {
            "solar_kwh": decimal_text(outcome.generated),
            "consumed_kwh": decimal_text(outcome.consumed),
            "shared_kwh": decimal_text(outcome.shared),
            "surplus_kwh": decimal_text(outcome.surplus),
            "self_consumption_percent": _percent(outcome.shared, outcome.generated),
            "self_sufficiency_percent": _percent(outcome.shared, outcome.consumed),
        },
        "paid_by_all_eur": _euro(sum(share.paid for share in outcome.parties.values())),
        "spread_eur": _euro(fair["spread"]),
        "gini": _coefficient(fair["gini"]),
        "spread_per_kwh_eur": _decimal(fair["spread_per_kwh"], 100, 4),
        "gini_per_kwh": _coefficient(fair["gini_per_kwh"]),
    }


def _month(one: MonthKnown) -> dict[str, Any]:
    return {
        "month": str(one.month),
        "counted": one.counted,
        "missing_percent": _percent(one.missing, one.intervals),
        "estimated_percent": _percent(one.estimated, one.intervals),
        "missing_at": list(one.silent),
    }


def _euro(cents: Fraction | int | None) -> str | None:
    return None if cents is None else decimal_text(half_up(Fraction(cents)), 2)


def _percent(part: int, whole: int) -> str | None:
    return decimal_text(half_up(Fraction(10_000 * part, whole)), 2) if whole else None


def _coefficient(value: Fraction | None) -> str | None:
    return _decimal(value, 1, 4)


def _decimal(value: Fraction | None, divisor: int, places: int) -> str | None:
    return None if value is None else decimal_text(half_up(value / divisor * 10**places), places)
