"""A community of nothing but pellets: an opening stock, a boiler, a silo, and the documents a test gives it."""

from __future__ import annotations

from typing import Any

from core.community import Community, Pellets
from core.communityfile import build
from core.time import Month

JANUARY = Month(2026, 1)
FEBRUARY = JANUARY.shift(1)
START, END = "2025-12-31T23:00:00Z", "2026-01-31T23:00:00Z"
"""First instant of January 2026 in Amsterdam, and of February."""
KWH = 10**6
Tree = dict[str, Any]


def town(*, boilers: tuple[str, ...] = ("boiler",), silos: tuple[str, ...] = ("silo",), **pellets: Any) -> Community:
    """1,000 kg for 300.00 EUR at the first instant of January; 4 kWh of heat from a kilogram; settled by the hour."""
    opening = {"at": START, "kg": "1000", "eur": "300.00"}
    meters = [{"id": name, "measures": "heat_produced", "unit": "kWh"} for name in boilers]
    return build(
        {
            "community": "c",
            "name": "C",
            "timezone": "Europe/Amsterdam",
            "settlement_interval": "1h",
            "owner": "owner",
            "flats": [{"id": "A"}],
            "households": [],
            "meters": [*meters, *({"id": name, "measures": "pellet_stock", "unit": "kg"} for name in silos)],
            "sharing": [{"from": "2026-01-01", "key": "proportional"}],
            "tariffs": [{"from": "2026-01-01", "solar_eur_per_kwh": "0", "vat_percent": {"electricity": "21"}}],
            "pellets": {"kwh_per_kg": "5", "efficiency_percent": "80", "opening": opening} | pellets,
        },
        "the case",
    ).community


def fuel_of(community: Community) -> Pellets:
    """Its pellets, which it has."""
    assert community.pellets is not None
    return community.pellets


def delivery(at: str, kg: str, eur: str, invoice: str = "P-1") -> Tree:
    """Pellets bought."""
    return {"at": at, "kg": kg, "eur": eur, "invoice": invoice}


def correction(at: str, kg: str, eur: str = "0", why: str = "wet bags") -> Tree:
    """A change of the stock."""
    return {"at": at, "kg": kg, "eur": eur, "why": why, "by": "a volunteer"}


def count(at: str, kg: str) -> Tree:
    """A stock take."""
    return {"at": at, "kg": kg}
