"""The resident's page: how much of the electricity came from the roof, and what that saved."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from fractions import Fraction

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from api import store
from api.access import Anyone, Home, home_of
from api.context import Database, Now, TheCommunity
from api.energy import grid, heat_unit, quality, saved_cents
from api.errors import not_found
from api.pages.charts import Bar, Chart, svg
from api.pages.render import page, reader
from api.pages.words import Words
from api.store import FlatEnergy
from core.community import Community
from core.db.connection import Connection
from core.money import half_up
from core.time import Month, days_between, local_day, midnight
from settlement.final.store import corrected_balances
from settlement.tasks import forecast

router = APIRouter(include_in_schema=False)

_STALE = timedelta(hours=2)
"""After this long without a measurement the page says so in words."""
_FIRST_PAGES = {"volunteer": "/work", "corporation": "/months", "operator": "/devices"}


@dataclass(frozen=True)
class Sums:
    """A span of time added up [mWh]; ``heat`` in millionths of a unit for allocators."""

    consumed: int
    shared: int
    grid: int
    heat: int | None
    estimated: bool
    saved: int | None


@router.get("/", response_class=HTMLResponse)
def home_page(request: Request, person: Anyone, community: TheCommunity, connection: Database, now: Now) -> Response:
    """Show a resident their own flat; lead everybody else to the page they come for."""
    home = home_of(person, community)
    if home is None:
        for role, address in _FIRST_PAGES.items():
            if role in person.roles:
                return RedirectResponse(address, 303)
        raise not_found()
    to = reader(request, person, community)
    today = local_day(now, community.zone)
    hours = _energy(connection, community, home, today, today + timedelta(days=1), "1h")
    days = _energy(connection, community, home, Month.of(today).first_day, today + timedelta(days=1), "1d")
    lived = home.within((midnight(home.since, community.zone), now), community)
    newest = store.newest_known_interval(connection, community.community, home.flat, lived)
    updated = None if newest is None else newest + community.interval
    this_day, this_month = _sums(community, hours), _sums(community, days)
    return page(
        to,
        "home.html",
        flat=home.flat,
        today=today,
        month=str(Month.of(today)),
        sentence=sentence(to.words, this_day, this_month),
        parts=tenths(this_day if this_day.consumed else this_month),
        day=this_day,
        so_far=this_month,
        heat_unit=heat_unit(community, home.flat),
        charts=[
            _draw(day_chart(to.words, community, hours, today), to.words),
            _draw(month_chart(to.words, community, days, today), to.words),
        ],
        updated=updated and to.words.moment(updated, now),
        stale=updated is not None and now - updated > _STALE,
        months=store.months_of(connection, community.community, home.household)[:3],
        corrected=corrected_balances(connection, community.community, home.household),
        running=str(Month.of(today)),
        outlook=forecast.outlook(connection, community, now) if community.pellets else None,
    )


def _energy(
    connection: Connection, community: Community, home: Home, first: date, end: date, step: str
) -> list[FlatEnergy]:
    span = home.within((midnight(first, community.zone), midnight(end, community.zone)), community)
    return store.flat_energy(connection, community.community, home.flat, span, step, community.timezone)


def _sums(community: Community, rows: Sequence[FlatEnergy]) -> Sums:
    known = [row for row in rows if row.consumed is not None]
    heats = [row.heat for row in rows if row.heat is not None]
    return Sums(
        consumed=sum(row.consumed or 0 for row in known),
        shared=sum(row.shared for row in known),
        grid=sum(grid(row) or 0 for row in known),
        heat=sum(heats) if heats else None,
        estimated=any(quality(row) == "estimated" for row in rows),
        saved=saved_cents(community, [(local_day(row.start, community.zone), row.shared) for row in known]),
    )


def tenths(sums: Sums) -> int:
    """Return how many of ten parts of the electricity came from the roof, half-up."""
    return min(10, half_up(Fraction(10 * sums.shared, sums.consumed))) if sums.consumed else 0


def sentence(words: Words, day: Sums, month: Sums) -> str:
    """Say in one plain sentence where today's electricity came from; this month's, before anything is measured."""
    sums, today = (day, True) if day.consumed else (month, False)
    parts = tenths(sums)
    values = {"parts": parts}
    if not sums.consumed:
        return words.gettext("We have not measured anything for you yet.")
    if not sums.shared:
        if today:
            return words.gettext("Today none of your electricity came from the roof yet.")
        return words.gettext("This month none of your electricity came from the roof yet.")
    if parts == 0:
        if today:
            return words.gettext("Today a little of your electricity came from the roof.")
        return words.gettext("This month a little of your electricity came from the roof.")
    if today:
        return words.gettext("Today %(parts)s of 10 parts of your electricity came from the roof.") % values
    return words.gettext("This month %(parts)s of 10 parts of your electricity came from the roof.") % values


def day_chart(words: Words, community: Community, rows: Sequence[FlatEnergy], day: date) -> Chart:
    """Draw one local day hour by hour; a day of 23 or 25 hours has as many bars."""
    start, end = midnight(day, community.zone), midnight(day + timedelta(days=1), community.zone)
    known = {row.start: row for row in rows}
    bars = []
    for index in range((end - start) // timedelta(hours=1)):
        hour = start + timedelta(hours=index)
        local = hour.astimezone(community.zone)
        label = f"{local.hour}:00" if local.hour % 6 == 0 else ""
        name = f"{words.clock(hour)}\N{EN DASH}{words.clock(hour + timedelta(hours=1))}"
        bars.append(_bar(label, name, known.get(hour)))
    values = {"day": words.day(day, "EEEE d MMMM")}
    return Chart(
        "today",
        words.gettext("Today, hour by hour"),
        words.gettext("Your electricity on %(day)s. Each bar is one hour.") % values,
        bars,
    )


def month_chart(words: Words, community: Community, rows: Sequence[FlatEnergy], today: date) -> Chart:
    """Draw the local month day by day; days to come are empty."""
    month = Month.of(today)
    known = {local_day(row.start, community.zone): row for row in rows}
    bars = [
        _bar(str(day.day) if day.day % 7 == 1 else "", words.day(day), known.get(day))
        for day in days_between(month.first_day, month.end_day)
    ]
    return Chart(
        "month",
        words.gettext("This month, day by day"),
        words.gettext("Your electricity in %(month)s. Each bar is one day.") % {"month": words.month(str(month))},
        bars,
    )


def _bar(label: str, name: str, row: FlatEnergy | None) -> Bar:
    if row is None or row.consumed is None:
        return Bar(label, name, None, None)
    return Bar(label, name, row.shared, grid(row), estimated=quality(row) == "estimated")


def _draw(chart: Chart, words: Words) -> dict[str, object]:
    known = [bar for bar in chart.bars if bar.sun is not None]
    return {"chart": chart, "svg": svg(chart, words), "rows": known, "estimated": any(bar.estimated for bar in known)}
