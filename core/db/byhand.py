"""What people did to readings, as events: listed with their author, and withdrawn by an event of its own."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime

from core.communityfile import CommunityFile, build
from core.db import stale
from core.db.connection import Connection
from core.errors import BadInput
from core.time import parse_time
from core.yamltext import Tree

KINDS = ("edit", "replacement")


@dataclass(frozen=True)
class ByHand:
    """One such event; ``withdrawn`` says by whom and why, None while it counts."""

    kind: str
    key: str
    body: Tree
    recorded_at: datetime
    withdrawn: str | None


def listed(connection: Connection, slug: str) -> list[ByHand]:
    """Return everything that was done by hand, oldest first, withdrawn or not."""
    rows = connection.execute(
        "SELECT e.kind, e.key, e.body, e.recorded_at, w.author || ': ' || (w.body->>'why')"
        " FROM event e LEFT JOIN event w ON (w.community, w.kind) = (e.community, 'withdrawal')"
        " AND w.body->>'kind' = e.kind AND w.body->>'key' = e.key"
        " WHERE e.community = %s AND e.kind = ANY(%s) ORDER BY e.recorded_at, e.key",
        (slug, list(KINDS)),
    ).fetchall()
    return [ByHand(*row) for row in rows]


def with_entry(file: CommunityFile, section: str, body: Tree) -> CommunityFile:
    """Return the community as it would be with one more entry in a section.

    Raises
    ------
    BadInput
        If the entry is wrong, or contradicts the others.
    """
    tree = dict(file.tree)
    tree[section] = [*tree.get(section, []), body]
    return build(tree, "this entry")


def withdraw(connection: Connection, slug: str, kind: str, key: str, by: str, why: str, now: datetime) -> None:
    """Take an entry back: it counts no longer, and its record stays with that of its withdrawal.

    Raises
    ------
    BadInput
        If there is no such entry, or it was withdrawn before.
    """
    with connection.transaction():
        entry = next((one for one in listed(connection, slug) if (one.kind, one.key) == (kind, key)), None)
        if entry is None:
            raise BadInput(f"There is no {kind} '{key}'; 'wijkenergie reading list' prints the keys.")
        if entry.withdrawn is not None:
            raise BadInput(f"The {kind} '{key}' was withdrawn already ({entry.withdrawn}).")
        connection.execute(
            "INSERT INTO event (community, kind, key, body, recorded_at, author) VALUES (%s, %s, %s, %s, %s, %s)",
            (slug, "withdrawal", f"{kind} {key}", json.dumps({"kind": kind, "key": key, "why": why}), now, by),
        )
        at = parse_time(entry.body["at"])
        stale.span(connection, slug, entry.body["meter"], at, parse_time(entry.body.get("until") or entry.body["at"]))
