"""A house for prices: a roof, flats with a meter each, and quantities per interval that a test gives."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from core.communityfile import CommunityFile, build
from core.time import Month, from_microseconds, microseconds
from core.units import decimal_text
from settlement.model import MeterReadings, Readings
from settlement.month import Settled
from settlement.replay import settle_document

Tree = dict[str, Any]
Amount = Callable[[datetime], int]
"""Quantity of the interval that starts at an instant (UTC) [mWh]."""


def tree(flats: int = 2, **other: Any) -> Tree:
    """Community file of a house with so many flats, each 50 m2 and inhabited; ``other`` replaces its sections."""
    names = [f"F{number}" for number in range(1, flats + 1)]
    return {
        "community": "prices",
        "name": "Prices",
        "timezone": "Europe/Amsterdam",
        "settlement_interval": "15min",
        "owner": "owner",
        "flats": [{"id": flat, "floor_area_m2": "50"} for flat in names],
        "households": [{"id": f"h-{flat}", "flat": flat, "from": "2025-01-01"} for flat in names],
        "meters": [
            {"id": "pv", "measures": "solar_generation", "unit": "kWh"},
            *({"id": f"el-{flat}", "measures": "electricity", "flat": flat, "unit": "kWh"} for flat in names),
        ],
        "sharing": [{"from": "2025-01-01", "key": "proportional"}],
        "tariffs": [tariff()],
    } | other


def tariff(**other: Any) -> Tree:
    """A tariff from 2025 on: sun 20 cents, surplus 5 cents, grid 30 cents; ``other`` adds to it or replaces."""
    return {
        "from": "2025-01-01",
        "solar_eur_per_kwh": "0.20",
        "feed_in_eur_per_kwh": "0.05",
        "grid_eur_per_kwh": "0.30",
        "vat_percent": {"electricity": "21"},
    } | other


def readings(file: CommunityFile, month: Month, amounts: Mapping[str, Amount]) -> Readings:
    """Quantities per interval as a readings file gives them."""
    start, end = (microseconds(instant) for instant in month.bounds(file.community.zone))
    step = file.community.interval // timedelta(microseconds=1)
    times = tuple(range(start, end, step))
    return {
        meter: MeterReadings(
            "interval", times, tuple(Decimal(decimal_text(amount(from_microseconds(time)))) for time in times)
        )
        for meter, amount in amounts.items()
    }


def settled(given: Tree, month: str, amounts: Mapping[str, Amount] | None = None) -> tuple[Settled, Tree]:
    """Settle a month; without ``amounts`` the sun gives 1 kWh and every flat uses 1 kWh in every interval."""
    file = build(given, "the house")
    if amounts is None:
        counting = [meter for meter in file.community.meters if meter.unit == "kWh"]
        amounts = {meter.id: (lambda _: 1_000_000) for meter in counting}
    result, document = settle_document(file, Month.parse(month), readings(file, Month.parse(month), amounts))
    return result, json.loads(document)


def lines(statement: Tree, code: str, party: str) -> list[Tree]:
    """Lines of a party with a code."""
    return [
        line
        for entry in statement["statements"]
        if entry["party"] == party
        for line in entry["lines"]
        if line["code"] == code
    ]


def utc(text: str) -> datetime:
    """Instant of a text without a zone, in UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)
