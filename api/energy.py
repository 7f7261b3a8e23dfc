"""A flat's energy as the API prints it, and what the sun saved."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from fractions import Fraction
from typing import Any

from api.store import BuildingEnergy, FlatEnergy
from core.community import Community, Tariff
from core.money import half_up
from core.time import rfc3339
from core.units import MILLIONTHS, decimal_text


def kwh(energy: int | None) -> str | None:
    """Print milliwatt-hours as kWh with six decimals; None stays None."""
    return None if energy is None else decimal_text(energy)


def grid(row: FlatEnergy) -> int | None:
    """Return what came from the grid [mWh]: consumed - shared, never negative."""
    return None if row.consumed is None else max(0, row.consumed - row.shared)


def quality(row: FlatEnergy) -> str:
    """Name the worst that is in a step: ``missing``, ``estimated`` or ``measured``."""
    if row.known < row.intervals or not row.intervals:
        return "missing"
    return "estimated" if row.estimated else "measured"


def heat_unit(community: Community, flat: str) -> str:
    """Return the unit a flat's heat is counted in: ``kWh``, or ``units`` where allocators hang on the radiators."""
    units = {meter.unit for meter in community.meters_of("heat") if meter.flat == flat}
    return "units" if "units" in units else "kWh"


def flat_row(row: FlatEnergy, unit: str) -> dict[str, Any]:
    """Print one step of a flat's energy."""
    return {
        "start": rfc3339(row.start),
        "consumed_kwh": kwh(row.consumed),
        "shared_kwh": kwh(row.shared),
        "grid_kwh": kwh(grid(row)),
        "heat_kwh": kwh(row.heat) if unit == "kWh" else None,
        "heat_units": kwh(row.heat) if unit == "units" else None,
        "quality": quality(row),
    }


def building_row(row: BuildingEnergy) -> dict[str, Any]:
    """Print one step of the building's energy."""
    return {
        "start": rfc3339(row.start),
        "solar_kwh": kwh(row.solar),
        "consumed_kwh": kwh(row.consumed),
        "shared_kwh": kwh(row.shared),
        "grid_import_kwh": kwh(row.grid_import),
        "grid_export_kwh": kwh(row.grid_export),
        "heat_produced_kwh": kwh(row.heat_produced),
        "heat_used_kwh": kwh(row.heat_used),
    }


def tariff_on(community: Community, day: date) -> Tariff | None:
    """Return the prices of a day: those of the newest entry that had started; None before the first."""
    started = [tariff for tariff in community.tariffs if tariff.start <= day]
    return max(started, key=lambda tariff: tariff.start, default=None)


def saved_cents(community: Community, days: Iterable[tuple[date, int]]) -> int | None:
    """Return what sun from the roof saved against the grid.

    Parameters
    ----------
    days
        Local day and sun shared on it [mWh].

    Returns
    -------
    int or None
        Whole cents: the sum of shared x (grid price - solar price), rounded half-up once. None if the grid price of
        a day with sun is not known, or if the sun was dearer.
    """
    total = Fraction(0)
    for day, shared in days:
        tariff = tariff_on(community, day)
        if shared and (tariff is None or tariff.grid_eur_per_kwh is None):
            return None
        if tariff is not None and tariff.grid_eur_per_kwh is not None:
            difference = Fraction(tariff.grid_eur_per_kwh) - Fraction(tariff.solar_eur_per_kwh)
            total += Fraction(shared, MILLIONTHS) * difference
    return half_up(total * 100) if total >= 0 else None
