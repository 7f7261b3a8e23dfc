"""Buildings of nothing but heat, as text: flats with a meter each, what every meter counts by the hour, one invoice.

Where hot water is divided apart, each has a meter of that too.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from core.communityfile import build
from core.time import Month, microseconds
from core.units import decimal_text
from settlement.model import MeterReadings
from settlement.month import Settled
from settlement.replay import settle_document

HOUR = timedelta(hours=1)
Tree = dict[str, Any]
Used = Callable[[str, datetime], int | None]
"""Wh (or thousandths of a unit or m3) of a flat in the hour that begins then; None where its meter was not read."""


def tree(areas: Mapping[str, str], *, unit: str = "kWh", cost: str = "1000.00", **rule: Any) -> Tree:
    """A community settled by the hour in Amsterdam, 65 percent by meters, from 2024 on; 1000.00 in January 2026."""
    return {
        "community": "example",
        "name": "Example",
        "timezone": "Europe/Amsterdam",
        "settlement_interval": "1h",
        "owner": "owner",
        "flats": [{"id": flat, "floor_area_m2": area} for flat, area in areas.items()],
        "households": [{"id": f"h-{flat}", "flat": flat, "from": "2024-01-01"} for flat in areas],
        "meters": [{"id": f"heat-{flat}", "measures": "heat", "flat": flat, "unit": unit} for flat in areas],
        "sharing": [{"from": "2024-01-01", "key": "proportional"}],
        "tariffs": [
            {"from": "2024-01-01", "solar_eur_per_kwh": "0", "vat_percent": {"electricity": "21", "heat": "21"}}
        ],
        "heat": [{"from": "2024-01-01", "measured_percent": "65"} | rule],
        "costs": [{"date": "2026-01-20", "pool": "heat", "eur": cost, "invoice": "M-1"}],
    }


def hours(start: datetime, end: datetime) -> list[datetime]:
    """Hours of a span."""
    return [start + number * HOUR for number in range((end - start) // HOUR)]


def with_water(town: Tree, unit: str = "m3") -> Tree:
    """The same community with a hot water meter in every flat."""
    added = [
        {"id": f"hot-{flat['id']}", "measures": "hot_water", "flat": flat["id"], "unit": unit} for flat in town["flats"]
    ]
    return town | {"meters": [*town["meters"], *added]}


def quantities(
    flats: Iterable[str], used: Used, start: datetime, end: datetime, kind: str = "heat"
) -> dict[str, MeterReadings]:
    """What meters counted in every hour of a span, as a readings file gives it."""
    known = {}
    for flat in flats:
        rows = [(hour, amount) for hour in hours(start, end) if (amount := used(flat, hour)) is not None]
        if rows:
            times = tuple(microseconds(hour) for hour, _ in rows)
            values = tuple(Decimal(decimal_text(amount, 3)) for _, amount in rows)
            known[f"{kind}-{flat}"] = MeterReadings("interval", times, values)
    return known


def settled(town: Tree, known: dict[str, MeterReadings], month: Month) -> tuple[Settled, Tree]:
    """Settle a month of it; every check holds."""
    whole, document = settle_document(build(town, "the example"), month, known)
    statement: Tree = json.loads(document)
    assert all(check["holds"] for check in statement["checks"])
    return whole, statement


def amounts(statement: Tree, code: str) -> dict[str, Decimal]:
    """Amount of a line by party."""
    found: dict[str, Decimal] = {}
    for entry in statement["statements"]:
        for line in entry["lines"]:
            if line["code"] == code:
                found[entry["party"]] = found.get(entry["party"], Decimal(0)) + Decimal(line["amount_eur"])
    return found


def utc(text: str) -> datetime:
    """Instant of a text in UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)
