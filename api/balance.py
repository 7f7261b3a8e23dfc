"""The balance of a settled month for those who look after the building: totals only, flats as one sum."""

from __future__ import annotations

from fractions import Fraction
from typing import Any, Final

from api import store
from core.community import Community
from core.db.connection import Connection
from core.time import Month
from settlement import balance
from settlement.balance import Balance

_HISTORY: Final = 12
"""So many months before tell what share of the heat is usually lost."""


def of_month(connection: Connection, community: Community, statement: dict[str, Any]) -> Balance:
    """Grow the balance of a month from its statement and from what the main meter counted meanwhile."""
    span = Month.parse(statement["month"]).bounds(community.zone)
    rows = store.building_energy(connection, community.community, span, "1month", community.timezone)
    grid = {"grid_import": rows[0].grid_import, "grid_export": rows[0].grid_export} if rows else {}
    return balance.balance(balance.of_statement(community, statement, grid))


def answer(connection: Connection, community: Community, statement: dict[str, Any]) -> dict[str, Any]:
    """Tell the balance to a machine; ``complete`` is false where readings are missing, and nothing is judged then."""
    found = of_month(connection, community, statement)
    return {
        "complete": found.figures.complete,
        "building": balance.document(found.building),
        "sun": balance.document(found.sun),
        "findings": unusual(connection, community, statement["month"], found),
    }


def unusual(connection: Connection, community: Community, month: str, found: Balance) -> list[dict[str, Any]]:
    """Say what stands out against the months before, in the form of a statement's findings."""
    before = _losses_before(connection, community, month)
    return [
        {"code": one.code, "text": one.text, "meter": one.meter} for one in balance.unusual_loss(found.figures, before)
    ]


def _losses_before(connection: Connection, community: Community, month: str) -> list[Fraction]:
    """Shares of the boiler's heat that were lost in the months before, where they are known."""
    earlier = [row.summary["energy"] for row in store.months(connection, community.community) if row.month < month]
    pairs = [(energy["heat_lost_kwh"], energy["heat_produced_kwh"]) for energy in earlier[:_HISTORY]]
    return [Fraction(lost) / Fraction(made) for lost, made in pairs if lost is not None and Fraction(made)]
