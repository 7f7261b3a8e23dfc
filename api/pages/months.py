"""The corporation's pages: settled months, and one month as a table of totals per flat."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from api import balance, store
from api.access import Corporation
from api.context import Database, Now, TheCommunity
from api.errors import not_found
from api.pages.render import page, reader
from api.pages.statements import running_month
from api.statements import month_statement
from settlement.balance import rows_of

router = APIRouter(include_in_schema=False)


@router.get("/months", response_class=HTMLResponse)
def months_page(
    request: Request, person: Corporation, community: TheCommunity, connection: Database, now: Now
) -> HTMLResponse:
    """List the settled months."""
    rows = store.months(connection, community.community)
    return page(reader(request, person, community), "months.html", months=rows, running=running_month(community, now))


@router.get("/months/{month}", response_class=HTMLResponse)
def month_page(
    month: str, request: Request, person: Corporation, community: TheCommunity, connection: Database, now: Now
) -> HTMLResponse:
    """Show one settled month: the building's balance and the totals of every party."""
    found = month_statement(connection, community.community, month)
    if found is None:
        raise not_found()
    running = month >= running_month(community, now)
    # What is still to come is missing too, and no remark.
    findings = [one for one in found["findings"] if not (running and one["code"] == "missing-intervals")]
    whole = balance.of_month(connection, community, found)
    findings += balance.unusual(connection, community, month, whole)
    to = reader(request, person, community)
    return page(
        to, "month.html", month=found, findings=findings, running=running, owner=community.owner, whole=rows_of(whole)
    )
