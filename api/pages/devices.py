"""The operator's page: which devices are heard, and what is doubted about readings."""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from api.access import Operator
from api.context import Database, Now, TheCommunity
from api.devices import overview, said
from api.pages.render import page, reader
from api.pages.words import N_
from settlement.watch import store
from settlement.watch.health import State

router = APIRouter(include_in_schema=False)

STATES: Final[dict[State, str]] = {
    "ok": N_("works"),
    "silent": N_("is silent"),
    "error": N_("gives a fault"),
    "never": N_("never heard"),
}
_ASLEEP: Final = N_("sleeps until there is sun")


@router.get("/devices", response_class=HTMLResponse)
def devices_page(
    request: Request, person: Operator, community: TheCommunity, connection: Database, now: Now
) -> HTMLResponse:
    """Show the operator how every device is doing, and every open finding."""
    to = reader(request, person, community)
    views = overview(connection, community, now)
    return page(
        to,
        "devices.html",
        devices=[
            {
                "id": view.device.id,
                "profile": view.device.profile,
                "serial": view.health.serial if view.health else None,
                "meters": list(view.device.feeds.values()),
                "state": to.words.gettext(_ASLEEP if view.asleep else STATES[view.state]),
                "strong": view.state != "ok" and not view.asleep,
                "heard": to.words.moment(view.health.last_seen, now) if view.health and view.health.last_seen else "",
                "errors": view.health.errors if view.health else 0,
                "error": (view.health.last_error if view.health else None) or "",
                "findings": len(view.findings),
            }
            for view in views
        ],
        silent=sum(view.state in ("silent", "never") and not view.asleep for view in views),
        findings=[
            {"text": said(one, community.zone), "since": to.words.moment(one.opened_at, now)}
            for one in store.findings(connection, community.community)
        ],
    )
