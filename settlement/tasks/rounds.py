"""Work that residents do: opened when it is due, claimed by the first who can, done with a number of bags.

At most one task of a kind is open or claimed (a unique index says so, not this code), every step is logged, and a
step taken twice by the same person is taken once.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final, Literal

from core.community import Community, Pellets, Task
from core.db.config import add_event, add_work
from core.db.connection import Connection
from core.errors import BadInput, CheckFailed
from core.time import local_day, rfc3339
from settlement.tasks import letters, messages, store
from settlement.tasks.forecast import Outlook, burnt_kg, outlook, refill_task
from settlement.tasks.store import LogRow, TaskRow

_DRAWER_FULL: Final = Decimal("0.8")
_MOST_BAGS: Final = 100


class Refused(CheckFailed):
    """A step that cannot be taken; ``reason`` is for pages that say it in the reader's language.

    ``unknown``: there is no such task; ``taken``: somebody else has it (``by`` is their name, None if unnamed);
    ``finished``: it is done or cancelled.
    """

    def __init__(self, text: str, reason: Literal["unknown", "taken", "finished"], by: str | None = None) -> None:
        super().__init__(text)
        self.reason = reason
        self.by = by
        if reason == "unknown":
            self.http_status = 404


@dataclass(frozen=True)
class Alert:
    """Something that people should know now: for MQTT and the log, in the community's language."""

    kind: str
    at: datetime
    text: str


def check(connection: Connection, community: Community, base_url: str, now: datetime) -> list[Alert]:
    """Open the tasks that are due and write the messages that ask for help, all in one transaction.

    Returns
    -------
    list of Alert
        One per task that this call opened, and one for a level sensor that contradicts the books.
    """
    alerts = []
    with connection.transaction():
        view = outlook(connection, community, now)
        for task in community.tasks:
            due = _due(connection, community, task, view, now)
            if due is not None:
                alerts += _open(connection, community, task, due, base_url, now)
        if view is not None and view.level_differs and view.level_kg is not None:
            alerts += _doubt_level(connection, community, view, view.level_kg, now)
    return alerts


def claim(connection: Connection, slug: str, task: int, person: str, now: datetime) -> TaskRow:
    """Take an open task; the first one wins.

    Raises
    ------
    Refused
        If somebody else has it, it is finished, or there is no such task.
    """
    with connection.transaction():
        row = _workable(connection, slug, task, person)
        if row.state == "open":
            store.set_task(connection, slug, task, "claimed", person, claimed_at=now)
            store.log_step(connection, slug, task, now, person, "claimed")
        return store.task(connection, slug, task)


def release(connection: Connection, slug: str, task: int, person: str, now: datetime) -> TaskRow:
    """Give a task back, or say of an open one that somebody else should do it.

    Raises
    ------
    Refused
        If somebody else has it, it is finished, or there is no such task.
    """
    with connection.transaction():
        row = _workable(connection, slug, task, person)
        if row.state == "claimed":
            store.set_task(connection, slug, task, "open", None)
            store.log_step(connection, slug, task, now, person, "released")
        elif not store.has_step(connection, slug, task, person, "declined"):
            store.log_step(connection, slug, task, now, person, "declined")
        return store.task(connection, slug, task)


def done(
    connection: Connection, community: Community, task: int, person: str, now: datetime, bags: int | None
) -> TaskRow:
    """Finish a task, open or one's own; a refill becomes an event of kind ``bags``.

    Whoever lives in the building leaves an event of kind ``work`` for their household, in the same transaction.

    Parameters
    ----------
    bags
        How many were carried in; needed for the refill, ignored for other work.

    Raises
    ------
    Refused
        If somebody else has it, it was finished otherwise, or there is no such task.
    BadInput
        If the number of bags is missing or not between 0 and 100.
    """
    slug = community.community
    with connection.transaction():
        row = store.lock_task(connection, slug, task)
        described = refill_task(community)
        carried = bags if row is not None and described is not None and row.kind == described.id else None
        if row is not None and row.state == "done" and row.person == person and row.bags == carried:
            return row
        row = _workable(connection, slug, task, person)
        if described is not None and row.kind == described.id:
            if bags is None or not 0 <= bags <= _MOST_BAGS:
                raise BadInput(f"How many bags were carried in? Give a whole number from 0 to {_MOST_BAGS}.")
            body = {"at": rfc3339(now), "bags": str(bags), "bag_kg": str(described.bag_kg)}
            add_event(connection, slug, "bags", f"task {task}", body, now, person)
        _credit(connection, community, row.kind, person, now, carried)
        store.set_task(connection, slug, task, "done", person, claimed_at=row.claimed_at, done_at=now, bags=carried)
        store.log_step(connection, slug, task, now, person, "done")
        return store.task(connection, slug, task)


def _credit(
    connection: Connection, community: Community, kind: str, person: str, now: datetime, bags: int | None
) -> None:
    """Write down whose work it was, for credits; who belongs to no household that lives here now earns none."""
    name = store.household_of(connection, community.community, person)
    day = local_day(now, community.zone)
    home = next((household for household in community.households if household.id == name), None)
    if home is None or not home.start <= day or (home.until is not None and home.until <= day):
        return
    body = {"at": rfc3339(now), "household": home.id, "task": kind}
    add_work(connection, community.community, body if bags is None else body | {"bags": str(bags)}, now, person)


def open_tasks(connection: Connection, slug: str) -> list[TaskRow]:
    """Work that waits or is in somebody's hands, oldest first."""
    return store.tasks(connection, slug, ["open", "claimed"])


def history(connection: Connection, slug: str, limit: int = 50) -> list[LogRow]:
    """Who did what, newest first."""
    return store.log(connection, slug, limit)


def _due(
    connection: Connection, community: Community, task: Task, view: Outlook | None, now: datetime
) -> datetime | None:
    """Return when a task should be done at the latest, None while it need not be done."""
    if task.id == "refill":
        return _refill_due(task, view, now)
    if task.id == "ash" and community.pellets is not None:
        return _ash_due(connection, community, community.pellets, task, now)
    if task.every_days is None:
        return None
    last = store.last_done(connection, community.community, task.id)
    every = timedelta(days=task.every_days)
    return now if last is None else last + every if last + every <= now else None


def _refill_due(task: Task, view: Outlook | None, now: datetime) -> datetime | None:
    """Return when the hopper (without one: the stock) is empty at the earliest, if that is near.

    A hopper of which no refill was ever written down could be empty: it is due now.
    """
    if view is None:
        return None
    if task.hopper_kg is not None and view.hopper is None:
        return now
    low = view.hopper.days_low if view.hopper is not None else view.days_low
    if low is None or low >= task.warn_days:
        return None
    return now + timedelta(days=low)


def _ash_due(
    connection: Connection, community: Community, pellets: Pellets, task: Task, now: datetime
) -> datetime | None:
    since = store.last_done(connection, community.community, task.id) or pellets.opening.at
    if since >= now:
        return None
    ash = burnt_kg(connection, community, pellets, [since, now])[0] * pellets.ash_percent / 100
    return now if ash >= _DRAWER_FULL * task.drawer_kg else None


def _open(
    connection: Connection, community: Community, task: Task, due: datetime, base_url: str, now: datetime
) -> list[Alert]:
    slug = community.community
    number = store.open_task(connection, slug, task.id, now, due)
    if number is None:
        return []
    store.log_step(connection, slug, number, now, None, "opened")
    days = (due - now) / timedelta(days=1)
    key = f"task {number}"
    volunteers = store.reachable(connection, slug, "volunteer")
    for person in volunteers:
        letter = letters.task(community.name, task, days, f"{base_url}/work", person.language)
        messages.enqueue(connection, slug, key=key, person=person.id, kind="task", letter=letter, now=now)
    letter = letters.task(community.name, task, days, f"{base_url}/work", community.language)
    if not volunteers:
        messages.enqueue(connection, slug, key=key, person=None, kind="task", letter=letter, now=now)
    return [Alert(task.id, now, letter.subject)]


def _doubt_level(
    connection: Connection, community: Community, view: Outlook, level_kg: Decimal, now: datetime
) -> list[Alert]:
    """Ask a technician, once per count, to look at a sensor that contradicts the books."""
    letter = letters.level(community.name, level_kg, view.stock_kg, community.language)
    key = f"level {rfc3339(view.counted_at)}"
    new = messages.enqueue(connection, community.community, key=key, person=None, kind="note", letter=letter, now=now)
    return [Alert("level", now, letter.subject)] if new else []


def _workable(connection: Connection, slug: str, task: int, person: str) -> TaskRow:
    """Lock a task that this person may work on."""
    row = store.lock_task(connection, slug, task)
    if row is None:
        raise Refused(f"There is no task {task}.", "unknown")
    if row.state in ("done", "cancelled"):
        raise Refused("This task is finished already; nothing more is needed.", "finished", row.person_name)
    if row.state == "claimed" and row.person != person:
        name = row.person_name or "somebody else"
        raise Refused(f"This task is taken by {name}; thank you, nothing more is needed.", "taken", row.person_name)
    return row
