"""A small month as the contract describes it, written by hand."""

from __future__ import annotations

from typing import Any

import pytest


def line(code: str, amount: str, quantity: str | None = None, unit: str | None = None, price: str | None = None):
    return {
        "code": code,
        "quantity": quantity,
        "unit": unit,
        "price_eur": price,
        "net_eur": amount,
        "vat_percent": "21.00",
        "vat_eur": "0.00",
        "amount_eur": amount,
    }


def entry(party: str, flat: str | None, lines: list[dict[str, Any]], *, advance: str, balance: str, total: str):
    return {
        "party": party,
        "flat": flat,
        "from": "2026-01-01",
        "until": "2026-01-11",
        "electricity": {
            "consumed_kwh": "200.500000",
            "shared_kwh": "50.125000",
            "grid_kwh": "150.375000",
            "saved_eur": "7.02",
        },
        "heat": {"measured_kwh": "612.300000", "measured_eur": "40.11", "fixed_eur": "12.05"},
        "lines": lines,
        "total_eur": total,
        "advance_eur": advance,
        "balance_eur": balance,
        "quality": {"measured_percent": "97.50", "estimated_percent": "2.25", "missing_percent": "0.25"},
    }


@pytest.fixture
def statement() -> dict[str, Any]:
    """Return a month with a household that pays, one that gets money back, and the owner's own entry."""
    pays = [
        line("solar", "9.02", "50.125000", "kWh", "0.18"),
        line("fixed", "4.50", "10", "days", "4.50"),
        line("heat_measured", "40.11", "612.300000", "kWh"),
        line("heat_fixed", "12.05", "620", "m²·days"),
    ]
    back = [line("solar", "9.02", "50.125000", "kWh", "0.18"), line("feed_in", "-3.20", "53.333333", "kWh", "0.06")]
    owner = entry("owner", None, [line("feed_in", "-1.00")], advance="0.00", balance="-1.00", total="-1.00")
    owner |= {
        "electricity": None,
        "heat": None,
        "quality": {"measured_percent": None, "estimated_percent": None, "missing_percent": None},
    }
    return {
        "community": "de-ster",
        "month": "2026-01",
        "status": "provisional",
        "revision": 1,
        "sharing_key": "proportional",
        "energy": {
            "solar_kwh": "120.000000",
            "consumed_kwh": "401.000000",
            "shared_kwh": "100.250000",
            "surplus_kwh": "19.750000",
            "heat_produced_kwh": "1400.000000",
            "heat_measured_kwh": "1224.600000",
            "heat_lost_kwh": "175.400000",
        },
        "pellets": {
            "burnt_kg": "343.137",
            "burnt_eur": "102.94",
            "closing_kg": "656.863",
            "closing_eur": "197.06",
            "estimated": True,
        },
        "statements": [
            entry("h-001", "A01", pays, advance="60.00", balance="5.68", total="65.68"),
            entry("h-002", "A02", back, advance="85.00", balance="-79.18", total="5.82"),
            owner,
        ],
        "checks": [{"name": "ledger: every transaction sums to zero", "holds": True, "difference": "0.00"}],
        "findings": [
            {
                "code": "estimated-intervals",
                "meter": "heat-A02",
                "from": "2026-01-03T10:00:00Z",
                "until": "2026-01-03T12:00:00Z",
                "text": "Meter heat-A02: 8 intervals were estimated.",
            }
        ],
        "input_sha256": "a" * 64,
        "result_sha256": "b" * 64,
    }
