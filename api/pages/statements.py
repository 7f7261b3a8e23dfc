"""A resident's statements, in the words of the document that can be downloaded."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from api import final, store
from api.access import Resident
from api.context import Database, Now, TheCommunity
from api.errors import not_found
from api.pages.render import page, reader
from api.pages.words import Words
from api.statements import own_statement
from api.why import why
from core.community import Community
from core.time import Month, local_day, parse_time
from settlement.final.store import corrected_balances

router = APIRouter(include_in_schema=False)


@router.get("/statements", response_class=HTMLResponse)
def statements_page(
    request: Request, home: Resident, community: TheCommunity, connection: Database, now: Now
) -> HTMLResponse:
    """List the months of which the household has a statement."""
    rows = store.months_of(connection, community.community, home.household)
    to = reader(request, home.person, community)
    return page(
        to,
        "statements.html",
        months=rows,
        corrected=corrected_balances(connection, community.community, home.household),
        flat=home.flat,
        running=running_month(community, now),
    )


@router.get("/statements/{month}", response_class=HTMLResponse)
def statement_page(
    month: str, request: Request, home: Resident, community: TheCommunity, connection: Database, now: Now
) -> HTMLResponse:
    """Show one month's statement, line by line, each with how it came about."""
    own = own_statement(connection, community.community, month, home.household)
    if own is None:
        raise not_found()
    to = reader(request, home.person, community)
    sealed = final.own(connection, community, month, home.household)
    return page(
        to,
        "statement.html",
        month=own.month,
        entry=own.entry,
        number=sealed["number"],
        opened=_opened(to.words, sealed["opening"], community) if sealed["opening"] else "",
        corrections=sealed["corrections"],
        changes=to.words.changes(why(connection, community, month, home.household, now)),
        running=own.month["month"] >= running_month(community, now),
    )


def _opened(words: Words, opening: Mapping[str, str | None], community: Community) -> str:
    """Say until when the own quarter-hours of a sealed month can be opened, or that they cannot any more."""
    if opening["destroyed_at"]:
        day = words.day(local_day(parse_time(opening["destroyed_at"]), community.zone), "d MMMM y")
        return words.gettext(
            "On %(day)s we destroyed your use through the day in this sealed month. Your amounts can still be proved."
            " We do keep the meter readings."
        ) % {"day": day}
    if opening["kept_through"]:
        day = words.day(date.fromisoformat(opening["kept_through"]), "d MMMM y")
        return words.gettext(
            "Up to and including %(day)s it also holds your use through the day. After that we destroy that."
        ) % {"day": day}
    return words.gettext("It also holds your use through the day.")


def running_month(community: Community, now: datetime) -> str:
    """Return the local month that is not over yet; what is settled of it will still grow."""
    return str(Month.of(local_day(now, community.zone)))
