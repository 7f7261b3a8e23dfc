"""Events that turned out wrong: amended or withdrawn by a person, each with who and why; what was recorded stays.

A delivery with a wrong amount, a household whose last day was not known, an invoice that was never meant: the event
itself is never changed. An amendment stands beside it and counts in its place, a withdrawal makes it count for nothing.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from core.db import config
from core.db.connection import Connection
from core.errors import BadInput
from core.yamltext import Tree

KINDS: Final = ("household", "cost", "advance", "opening", "delivery", "count")
"""What can be amended here; edits and replacements have `core.db.byhand`."""
_NAMES: Final = {
    "household": ("id",),
    "cost": ("pool", "invoice"),
    "advance": ("household", "from"),
    "delivery": ("invoice",),
    "count": ("at",),
}
"""Fields that are an event's name; another name is another event."""


@dataclass(frozen=True)
class Recorded:
    """An event as it counts, and how often it was amended."""

    kind: str
    key: str
    body: Tree
    amended: int
    withdrawn: bool


def listed(connection: Connection, slug: str) -> list[Recorded]:
    """Return every event that can be amended, by kind and key, those that were withdrawn too."""
    rows = connection.execute(
        "SELECT e.kind, e.key, coalesce(a.body, e.body), coalesce(a.times, 0), EXISTS"
        " (SELECT FROM event w WHERE (w.community, w.kind) = (e.community, 'withdrawal')"
        "  AND w.body->>'kind' = e.kind AND w.body->>'key' = e.key)"
        " FROM event e LEFT JOIN LATERAL (SELECT (array_agg(a.body->'body' ORDER BY a.key DESC))[1] AS body,"
        "  count(*) AS times FROM event a WHERE (a.community, a.kind) = (e.community, 'amendment')"
        "  AND a.body->>'kind' = e.kind AND a.body->>'key' = e.key) a ON true"
        " WHERE e.community = %s AND e.kind = ANY(%s) ORDER BY 1, 2",
        (slug, list(KINDS)),
    ).fetchall()
    return [Recorded(*row) for row in rows]


def amend(
    connection: Connection, slug: str, kind: str, key: str, changes: Tree, by: str, why: str, now: datetime
) -> Recorded:
    """Let an event count with other values.

    Parameters
    ----------
    kind, key
        As `listed`.
    changes
        New values by field; an empty text takes a field away.
    by, why
        Who decided it, and the reason.

    Returns
    -------
    Recorded
        The event as it counted before.

    Raises
    ------
    BadInput
        If there is no such event, nothing would change, its name would, or the community would not be valid.
    """
    with connection.transaction():
        connection.execute("SELECT pg_advisory_xact_lock(hashtext('apply'), hashtext(%s))", (slug,))
        before = _known(connection, slug, kind, key)
        body = {name: value for name, value in {**before.body, **changes}.items() if value != ""}
        if body == before.body:
            raise BadInput(f"The {kind} '{key}' says so already; nothing was changed.")
        for name in _NAMES.get(kind, ()):
            if body.get(name) != before.body.get(name):
                raise BadInput(f"'{name}' is the name of a {kind}; withdraw this one and add another.")
        amended = {"kind": kind, "key": key, "body": body, "why": why}
        number = f"{kind} {key} #{before.amended + 1:04d}"
        connection.execute(
            "INSERT INTO event (community, kind, key, body, recorded_at, author)"
            " VALUES (%s, 'amendment', %s, %s, %s, %s)",
            (slug, number, json.dumps(amended), now, by),
        )
        config.load(connection, slug)
    return before


def withdraw(connection: Connection, slug: str, kind: str, key: str, by: str, why: str, now: datetime) -> None:
    """Let an event count for nothing.

    Raises
    ------
    BadInput
        If there is no such event, or the community would not be valid without it.
    """
    with connection.transaction():
        connection.execute("SELECT pg_advisory_xact_lock(hashtext('apply'), hashtext(%s))", (slug,))
        _known(connection, slug, kind, key)
        body = {"kind": kind, "key": key, "why": why}
        config.add_event(connection, slug, "withdrawal", f"{kind} {key}", body, now, by)
        config.load(connection, slug)


def _known(connection: Connection, slug: str, kind: str, key: str) -> Recorded:
    found = next((one for one in listed(connection, slug) if (one.kind, one.key) == (kind, key)), None)
    if found is None:
        raise BadInput(f"There is no {kind} '{key}'; 'wijkenergie event list' prints the keys.")
    if found.withdrawn:
        raise BadInput(f"The {kind} '{key}' was withdrawn already.")
    return found
