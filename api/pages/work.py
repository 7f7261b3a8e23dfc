"""The volunteer's page: how long the pellets last, what waits, who did what."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Final, Literal

from fastapi import APIRouter, Form, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from api.access import Volunteer
from api.context import AtHouse, Database, Now, TheCommunity
from api.pages.render import Reader, page, reader
from api.pages.words import N_, kind_of_task
from core.community import Community
from core.db.connection import Connection
from core.time import local_day
from settlement.tasks import forecast, rounds
from settlement.tasks.store import TaskRow, refills

router = APIRouter(include_in_schema=False)

_SHOWN_STEPS: Final = 12
_USUAL_BAGS: Final = 10

_NOTICES: Final = {
    "claimed": N_("Thank you. You do it."),
    "released": N_("That is fine. We ask somebody else."),
    "done": N_("Thank you. It is written down."),
    "taken": N_("Somebody else does it already. Thank you all the same."),
    "finished": N_("This is done already. Thank you all the same."),
    "unknown": N_("We do not know this task."),
}
STEPS: Final = {
    "opened": N_("asked for help"),
    "claimed": N_("does it"),
    "released": N_("gave it back"),
    "declined": N_("cannot do it"),
    "done": N_("did it"),
    "cancelled": N_("not needed any more"),
}


@router.get("/work", response_class=HTMLResponse)
def work_page(
    request: Request, person: Volunteer, community: TheCommunity, connection: Database, now: Now, notice: str = ""
) -> HTMLResponse:
    """Show stock, open work and the log."""
    to = reader(request, person, community)
    outlook = forecast.outlook(connection, community, now) if community.pellets else None
    steps = rounds.history(connection, community.community, _SHOWN_STEPS)
    described = forecast.refill_task(community)
    return page(
        to,
        "work.html",
        notice=to.words.gettext(_NOTICES[notice]) if notice in _NOTICES else "",
        outlook=outlook,
        silo_kg=community.pellets.silo_kg if community.pellets else None,
        tasks=[_task(to, community, row, now) for row in rounds.open_tasks(connection, community.community)],
        bags=_last_bags(connection, community, now),
        bag_kg=described.bag_kg if described else None,
        steps=[
            {
                "moment": to.words.moment(step.at, now),
                "what": kind_of_task(to.words, community, step.kind),
                "who": step.person_name or (to.words.gettext("somebody") if step.what != "opened" else community.name),
                "did": to.words.gettext(STEPS[step.what]),
                "bags": step.bags,
            }
            for step in steps
        ],
        now=now,
    )


def _task(to: Reader, community: Community, row: TaskRow, now: datetime) -> dict[str, object]:
    described = forecast.refill_task(community)
    return {
        "id": row.id,
        "title": kind_of_task(to.words, community, row.kind),
        "refill": described is not None and row.kind == described.id,
        "state": row.state,
        "mine": to.person is not None and row.person == to.person.id,
        "who": row.person_name or to.words.gettext("somebody"),
        "today": row.due_at is not None and local_day(row.due_at, community.zone) <= local_day(now, community.zone),
        "due": row.due_at and to.words.day(local_day(row.due_at, community.zone), "EEEE d MMMM"),
    }


def _last_bags(connection: Connection, community: Community, now: datetime) -> int:
    """Return what was carried in last time; that is the best guess for this time."""
    last = refills(connection, community.community, now, 1)
    return int(last[0]["bags"]) if last else _USUAL_BAGS


@router.post("/work/{task:int}/{step}", response_class=HTMLResponse)
def take_step(
    task: int,
    step: Literal["claim", "release", "done"],
    person: Volunteer,
    community: TheCommunity,
    connection: Database,
    now: Now,
    house: AtHouse,
    bags: Annotated[int | None, Form()] = None,
) -> Response:
    """Take, give back or finish a task, and say on the page how that went."""
    try:
        if step == "claim":
            rounds.claim(connection, house.slug, task, person.id, now)
        elif step == "release":
            rounds.release(connection, house.slug, task, person.id, now)
        else:
            rounds.done(connection, community, task, person.id, now, bags)
    except rounds.Refused as refused:
        return RedirectResponse(f"/work?notice={refused.reason}", 303)
    past = {"claim": "claimed", "release": "released", "done": "done"}[step]
    return RedirectResponse(f"/work?notice={past}", 303)
