"""What work, forecast and messages read from and write to the database."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Final, Literal

from psycopg.rows import class_row

from core.db.connection import Connection

State = Literal["open", "claimed", "done", "cancelled"]
Step = Literal["opened", "claimed", "released", "declined", "done", "cancelled"]


@dataclass(frozen=True)
class TaskRow:
    """A task; ``kind`` is its id in the community file, ``bags`` what was carried in."""

    id: int
    kind: str
    opened_at: datetime
    due_at: datetime | None
    state: State
    person: str | None
    person_name: str | None
    claimed_at: datetime | None
    done_at: datetime | None
    bags: int | None


@dataclass(frozen=True)
class LogRow:
    """A step of a task, and who took it (None: nobody, it was opened by the clock)."""

    at: datetime
    task: int
    kind: str
    person_name: str | None
    what: Step
    bags: int | None


@dataclass(frozen=True)
class Person:
    """Somebody who can be written to; ``household`` is None for people who are no residents."""

    id: str
    language: str
    household: str | None


@dataclass(frozen=True)
class MessageRow:
    """A message that is due; ``email`` is None when it goes to the addresses of the service."""

    id: int
    person: str | None
    email: str | None
    kind: str
    subject: str
    body: str
    attempts: int


_TASK: Final = (
    "SELECT t.id, t.kind, t.opened_at, t.due_at, t.state, t.person, p.name AS person_name, t.claimed_at, t.done_at,"
    " t.bags FROM task t LEFT JOIN person p ON (p.community, p.id) = (t.community, t.person) "
)


# --- tasks ---------------------------------------------------------------------------------------------------------


def tasks(connection: Connection, slug: str, states: Sequence[State]) -> list[TaskRow]:
    """Tasks in the given states, oldest first."""
    with connection.cursor(row_factory=class_row(TaskRow)) as cursor:
        return cursor.execute(
            _TASK + "WHERE t.community = %s AND t.state = ANY(%s) ORDER BY t.id", (slug, list(states))
        ).fetchall()


def task(connection: Connection, slug: str, number: int) -> TaskRow:
    """Return a task that is known to exist.

    Raises
    ------
    LookupError
        If it does not.
    """
    row = _find(connection, slug, number)
    if row is None:
        raise LookupError(f"task {number} of {slug}")
    return row


def lock_task(connection: Connection, slug: str, number: int) -> TaskRow | None:
    """Keep others from changing a task until the transaction ends, and read it."""
    # Two statements: a row that was waited for is read anew, but what a join brought to it is not.
    connection.execute("SELECT FROM task WHERE (community, id) = (%s, %s) FOR UPDATE", (slug, number))
    return _find(connection, slug, number)


def _find(connection: Connection, slug: str, number: int) -> TaskRow | None:
    with connection.cursor(row_factory=class_row(TaskRow)) as cursor:
        return cursor.execute(_TASK + "WHERE (t.community, t.id) = (%s, %s)", (slug, number)).fetchone()


def last_done(connection: Connection, slug: str, kind: str) -> datetime | None:
    """When a task of a kind was last done."""
    row = connection.execute(
        "SELECT max(done_at) FROM task WHERE (community, kind, state) = (%s, %s, 'done')", (slug, kind)
    ).fetchone()
    return row[0] if row else None


def open_task(connection: Connection, slug: str, kind: str, now: datetime, due: datetime | None) -> int | None:
    """Open a task; None when one of its kind is open already, even if another worker opens it at this moment."""
    row = connection.execute(
        "INSERT INTO task (community, kind, opened_at, due_at, state) VALUES (%s, %s, %s, %s, 'open')"
        " ON CONFLICT (community, kind) WHERE state IN ('open', 'claimed') DO NOTHING RETURNING id",
        (slug, kind, now, due),
    ).fetchone()
    return row[0] if row else None


def set_task(
    connection: Connection,
    slug: str,
    task: int,
    state: State,
    person: str | None,
    *,
    claimed_at: datetime | None = None,
    done_at: datetime | None = None,
    bags: int | None = None,
) -> None:
    """Write a task's new state."""
    connection.execute(
        "UPDATE task SET (state, person, claimed_at, done_at, bags) = (%s, %s, %s, %s, %s)"
        " WHERE (community, id) = (%s, %s)",
        (state, person, claimed_at, done_at, bags, slug, task),
    )


def log_step(connection: Connection, slug: str, task: int, at: datetime, person: str | None, what: Step) -> None:
    """Append a step to the log."""
    connection.execute(
        "INSERT INTO task_log (community, task, at, person, what) VALUES (%s, %s, %s, %s, %s)",
        (slug, task, at, person, what),
    )


def has_step(connection: Connection, slug: str, task: int, person: str, what: Step) -> bool:
    """Tell whether a person took a step before."""
    row = connection.execute(
        "SELECT 1 FROM task_log WHERE (community, task, person, what) = (%s, %s, %s, %s) LIMIT 1",
        (slug, task, person, what),
    ).fetchone()
    return row is not None


def log(connection: Connection, slug: str, limit: int) -> list[LogRow]:
    """Return the newest steps, newest first."""
    with connection.cursor(row_factory=class_row(LogRow)) as cursor:
        return cursor.execute(
            "SELECT l.at, l.task, t.kind, p.name AS person_name, l.what,"
            " CASE WHEN l.what = 'done' THEN t.bags END AS bags"
            " FROM task_log l JOIN task t ON (t.community, t.id) = (l.community, l.task)"
            " LEFT JOIN person p ON (p.community, p.id) = (l.community, l.person)"
            " WHERE l.community = %s ORDER BY l.at DESC, l.task DESC LIMIT %s",
            (slug, limit),
        ).fetchall()


# --- fuel ----------------------------------------------------------------------------------------------------------


def heat_between(
    connection: Connection, slug: str, meters: Sequence[str], edges: Sequence[datetime]
) -> list[tuple[int, int]]:
    """Heat between neighbouring instants [mWh] and how many intervals of it are known, all meters together."""
    rows = connection.execute(
        "SELECT width_bucket(start, %s::timestamptz[]) AS gap, sum(energy)::bigint, count(energy) FROM quarter"
        " WHERE community = %s AND meter = ANY(%s) AND start >= %s AND start < %s AND energy IS NOT NULL GROUP BY 1",
        (list(edges), slug, list(meters), edges[0], edges[-1]),
    ).fetchall()
    known = {gap: (energy, count) for gap, energy, count in rows}
    return [known.get(gap, (0, 0)) for gap in range(1, len(edges))]


def newest_level(connection: Connection, slug: str, meters: Sequence[str]) -> tuple[Decimal, datetime] | None:
    """Sum of the newest level of each meter [kg] and the time of the oldest of them; None if any was never read."""
    rows = connection.execute(
        "SELECT r.value, r.time FROM unnest(%s::text[]) m LEFT JOIN LATERAL (SELECT value, time FROM reading"
        " WHERE (community, meter) = (%s, m) ORDER BY time DESC LIMIT 1) r ON true",
        (list(meters), slug),
    ).fetchall()
    if not rows or any(time is None for _, time in rows):
        return None
    return sum((value for value, _ in rows), Decimal(0)), min(time for _, time in rows)


def refills(connection: Connection, slug: str, until: datetime, limit: int) -> list[dict[str, str]]:
    """Return the last refills up to an instant, oldest first, as their events tell them."""
    rows = connection.execute(
        "SELECT body FROM event WHERE (community, kind) = (%s, 'bags') AND (body->>'at')::timestamptz <= %s"
        " ORDER BY (body->>'at')::timestamptz DESC LIMIT %s",
        (slug, until, limit),
    ).fetchall()
    return [row[0] for row in reversed(rows)]


# --- people and messages -------------------------------------------------------------------------------------------


def reachable(connection: Connection, slug: str, role: str) -> list[Person]:
    """People of a role who have an e-mail address."""
    with connection.cursor(row_factory=class_row(Person)) as cursor:
        return cursor.execute(
            "SELECT id, language, household FROM person"
            " WHERE community = %s AND email IS NOT NULL AND %s = ANY(roles) ORDER BY id",
            (slug, role),
        ).fetchall()


def household_of(connection: Connection, slug: str, person: str) -> str | None:
    """Return a person's household, None for who has none."""
    row = connection.execute("SELECT household FROM person WHERE (community, id) = (%s, %s)", (slug, person)).fetchone()
    return row[0] if row else None


def put_message(
    connection: Connection,
    slug: str,
    key: str,
    person: str | None,
    kind: str,
    subject: str,
    body: str,
    now: datetime,
) -> bool:
    """Write a message, once per key and person; False if it was written before."""
    return bool(
        connection.execute(
            "INSERT INTO message (community, key, person, kind, subject, body, created_at, next_try)"
            " VALUES (%s, %s, %s, %s, %s, %s, %s, %s) ON CONFLICT DO NOTHING",
            (slug, key, person, kind, subject, body, now, now),
        ).rowcount
    )


def lock_due_message(
    connection: Connection, slug: str, now: datetime, oldest: datetime, kinds: Sequence[str] | None
) -> MessageRow | None:
    """Take the next message that is due and that no other worker has in hand.

    Parameters
    ----------
    oldest
        Messages written before this are given up.
    kinds
        Only these; None for all.
    """
    with connection.cursor(row_factory=class_row(MessageRow)) as cursor:
        return cursor.execute(
            "SELECT m.id, m.person, p.email, m.kind, m.subject, m.body, m.attempts FROM message m"
            " LEFT JOIN person p ON (p.community, p.id) = (m.community, m.person)"
            " WHERE m.community = %s AND m.sent_at IS NULL AND m.next_try <= %s AND m.created_at >= %s"
            " AND (%s::text[] IS NULL OR m.kind = ANY(%s)) ORDER BY m.next_try, m.id LIMIT 1"
            " FOR UPDATE OF m SKIP LOCKED",
            (slug, now, oldest, kinds, kinds),
        ).fetchone()


def mark_sent(connection: Connection, slug: str, message: int, now: datetime) -> None:
    """Record that a message has left."""
    connection.execute(
        "UPDATE message SET sent_at = %s, attempts = attempts + 1, last_error = NULL WHERE (community, id) = (%s, %s)",
        (now, slug, message),
    )


def mark_failed(connection: Connection, slug: str, message: int, error: str, next_try: datetime) -> None:
    """Record why a message did not leave, and when to try again."""
    connection.execute(
        "UPDATE message SET attempts = attempts + 1, last_error = %s, next_try = %s WHERE (community, id) = (%s, %s)",
        (error, next_try, slug, message),
    )


def count_waiting(connection: Connection, slug: str, oldest: datetime) -> int:
    """How many messages have not left and are not given up."""
    row = connection.execute(
        "SELECT count(*) FROM message WHERE community = %s AND sent_at IS NULL AND created_at >= %s", (slug, oldest)
    ).fetchone()
    count: int = row[0] if row else 0
    return count


def month_status(connection: Connection, slug: str, month: str) -> str | None:
    """Status of a month's newest run, None if it was never settled."""
    row = connection.execute(
        "SELECT status FROM month WHERE (community, month) = (%s, %s) ORDER BY run DESC LIMIT 1", (slug, month)
    ).fetchone()
    return row[0] if row else None


def has_readings(connection: Connection, slug: str, start: datetime, end: datetime) -> bool:
    """Tell whether any meter was read between two instants."""
    row = connection.execute(
        "SELECT 1 FROM meter m WHERE m.community = %s AND EXISTS (SELECT 1 FROM reading r"
        " WHERE (r.community, r.meter) = (m.community, m.meter) AND r.time >= %s AND r.time < %s) LIMIT 1",
        (slug, start, end),
    ).fetchone()
    return row is not None


def try_lock(connection: Connection, slug: str, name: str) -> bool:
    """Take a lock that ends with the connection, so that a worker that dies holds up nobody; False if it is taken."""
    row: Any = connection.execute(
        "SELECT pg_try_advisory_lock(hashtext('job'), hashtext(%s))", (f"{slug} {name}",)
    ).fetchone()
    return bool(row[0])
