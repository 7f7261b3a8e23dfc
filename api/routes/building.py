"""The building as a whole: totals that tell of no flat."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from api import store
from api.access import Anyone
from api.context import Database, Now, TheCommunity
from api.energy import building_row
from api.errors import not_found
from api.period import Asked
from core.time import rfc3339
from settlement.tasks import forecast
from settlement.tasks.store import tasks

router = APIRouter(prefix="/api/v1/building", tags=["building"])


@router.get("/energy")
def energy(_person: Anyone, community: TheCommunity, connection: Database, period: Asked) -> dict[str, Any]:
    """Sun, electricity and heat of the whole building."""
    rows = store.building_energy(connection, community.community, period.span, period.step, community.timezone)
    return {
        "from": rfc3339(period.start),
        "until": rfc3339(period.until),
        "step": period.step,
        "rows": [building_row(row) for row in rows],
    }


@router.get("/pellets")
def pellets(_person: Anyone, community: TheCommunity, connection: Database, now: Now) -> dict[str, Any]:
    """Pellets in stock, how long they last with a range, and the task that waits, without who took it."""
    if community.pellets is None:
        raise not_found()
    outlook = forecast.outlook(connection, community, now)
    waiting = tasks(connection, community.community, ("open", "claimed"))
    return {
        **_stock(outlook),
        "next_task": {
            "kind": waiting[0].kind,
            "state": waiting[0].state,
            "opened_at": rfc3339(waiting[0].opened_at),
            "due_at": rfc3339(waiting[0].due_at) if waiting[0].due_at else None,
        }
        if waiting
        else None,
    }


def _stock(outlook: forecast.Outlook | None) -> dict[str, str | None]:
    names = ("per_day_kg", "days_left", "days_low", "days_high")
    if outlook is None:
        return dict.fromkeys(("stock_kg", *names))
    values = {name: getattr(outlook, name) for name in names}
    # A forecast has no more digits than one.
    return {"stock_kg": str(outlook.stock_kg)} | {n: None if v is None else f"{v:.1f}" for n, v in values.items()}
