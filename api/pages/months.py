"""The corporation's pages: settled months, and one month as a table of totals per flat."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime
from typing import Literal

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from api import balance, final, store
from api.access import Corporation
from api.context import AtHouse, Database, House, Now, TheCommunity
from api.errors import not_found
from api.pages.render import page, reader
from api.pages.statements import running_month
from api.pages.words import Words
from api.statements import month_statement
from core.errors import CheckFailed, WijkError
from core.time import Month
from settlement.balance import rows_of
from settlement.final import issue

router = APIRouter(include_in_schema=False)


@router.get("/months", response_class=HTMLResponse)
def months_page(
    request: Request, person: Corporation, community: TheCommunity, connection: Database, now: Now
) -> HTMLResponse:
    """List the settled months."""
    rows = store.months(connection, community.community)
    sealed = final.by_month(connection, community.community)
    to = reader(request, person, community)
    return page(to, "months.html", months=rows, running=running_month(community, now), sealed=sealed)


@router.get("/months/{month}", response_class=HTMLResponse)
def month_page(
    month: str,
    request: Request,
    person: Corporation,
    house: AtHouse,
    community: TheCommunity,
    connection: Database,
    now: Now,
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
    sealed = final.of_month(connection, community.community, month)
    blocked = [] if running or sealed["number"] else _blocked(house, to.words, month, now)
    return page(
        to, "month.html", month=found, findings=findings, running=running, owner=community.owner, whole=rows_of(whole),
        sealed=sealed, blocked=blocked,
    )  # fmt: skip


@router.post("/months/{month}/{step}")
def decide(month: str, step: Literal["final", "correction"], person: Corporation, house: AtHouse, now: Now) -> Response:
    """Make a month final, or issue its correction, and show the month again: it tells what stands in the way."""
    wanted = Month.parse(month)
    with house.pool.connection() as own, suppress(CheckFailed):
        decided = issue.finalise if step == "final" else issue.correct
        decided(own, house.slug, wanted, now, person.id)
    return RedirectResponse(f"/months/{wanted}", 303)


def _blocked(house: House, words: Words, month: str, now: datetime) -> list[str]:
    with house.pool.connection() as own:
        try:
            refusals = issue.blocked(own, house.slug, Month.parse(month), now)
        except WijkError as error:  # it can no longer be settled at all, and the page tells why
            return [str(error)]
    return list(dict.fromkeys(words.gate(one) for one in refusals))
