"""Whether a month can be believed: findings only, never a change of a measured value, never a broken check."""

from __future__ import annotations

from fractions import Fraction

from core.community import Community
from core.units import MILLIONTHS, decimal_text
from settlement.model import Finding
from settlement.pellets import PelletMonth

EFFICIENCY_RANGE = (Fraction(70, 100), Fraction(1))
"""Implied boiler efficiency outside this range says that kilograms or heat are wrong."""
SMALLEST_BURN_KG = 100
"""Below this a month's burn is too small to say anything about efficiency."""
LEAST_RECORDED = Fraction(34, 100)
"""Recording rate below which pipe heat dominates (a figure reported for VDI 2077)."""


def findings(
    community: Community, produced: int | None, measured: int | None, fuel: PelletMonth | None
) -> list[Finding]:
    """Compare fuel, boiler heat and flats' heat of a month.

    Parameters
    ----------
    community
        For the pellets' heat content.
    produced, measured
        Heat from the boiler and heat in the flats; None where there is no meter. [mWh]
    fuel
        The pellet account.
    """
    found = []
    if produced is not None and measured is not None:
        if measured > produced:
            found.append(
                Finding(
                    "heat-lost-negative",
                    f"The flats' heat meters counted {decimal_text(measured - produced)} kWh more than the boiler gave;"
                    " one of the heat meters is wrong or was not read.",
                )
            )
        elif produced and Fraction(measured, produced) < LEAST_RECORDED:
            found.append(
                Finding(
                    "heat-recording-low",
                    f"The flats' heat meters saw only {100 * measured // produced} % of the boiler's heat;"
                    " much heat is lost on the way, or meters were not read.",
                )
            )
    if fuel is not None and fuel.estimated:
        found.append(
            Finding("pellets-estimated", "The closing pellet stock is estimated from the heat; count the stock.")
        )
    counted = fuel is not None and not fuel.estimated and fuel.burnt_kg >= SMALLEST_BURN_KG
    if counted and fuel is not None and produced and community.pellets:
        implied = Fraction(produced, MILLIONTHS) / (fuel.burnt_kg * Fraction(community.pellets.kwh_per_kg))
        low, high = EFFICIENCY_RANGE
        if not low <= implied <= high:
            found.append(
                Finding(
                    "efficiency-implausible",
                    f"The boiler would have worked at {round(100 * implied)} %, which it cannot;"
                    " check the stock counts, the deliveries and the boiler's heat meter.",
                )
            )
    return found
