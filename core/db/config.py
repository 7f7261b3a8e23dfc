"""The community as the database knows it: configuration owned by the file, events owned by the database.

``apply`` brings the configuration in line with the file and adds the events the database lacks; an event the
database knows differently is reported and left alone.
"""

from __future__ import annotations

import json
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from core.community import EVENT_SECTIONS, PELLET_EVENTS, Community
from core.communityfile import CommunityFile, build
from core.db import stale
from core.db.connection import Connection
from core.errors import BadInput
from core.time import parse_time, rfc3339
from core.yamltext import Tree

Events = dict[tuple[str, str], Tree]
"""Events by kind and natural key, each a tree of text as in the community file."""

_KINDS = {
    "households": "household",
    "replacements": "replacement",
    "edits": "edit",
    "costs": "cost",
    "advances": "advance",
    "work": "work",
    "opening": "opening",
    "deliveries": "delivery",
    "counts": "count",
    "corrections": "correction",
}


_DERIVED_FROM = ("timezone", "settlement_interval", "estimates", "location", "flats", "meters", "sharing")
"""Sections that quarter-hours and shares are derived from, beside the readings."""


@dataclass(frozen=True)
class Difference:
    """What `apply` would do: lines to show, and whether anything would change."""

    config: list[str] = field(default_factory=list)
    new_events: list[tuple[str, str]] = field(default_factory=list)
    differing_events: list[tuple[str, str]] = field(default_factory=list)

    @property
    def changes(self) -> bool:
        """Whether applying would write anything."""
        return bool(self.config or self.new_events)

    def lines(self) -> list[str]:
        """Describe the difference, one line each."""
        return [
            *self.config,
            *(f"+ {kind} {key}" for kind, key in self.new_events),
            *(f"! {kind} {key} is known differently and stays as it is" for kind, key in self.differing_events),
        ]


def split(tree: Tree) -> tuple[Tree, Events]:
    """Take a community tree apart into configuration and events."""
    config = deepcopy(tree)
    events: Events = {}
    for section in EVENT_SECTIONS:
        _collect(events, section, config.pop(section, []))
    pellets = config.get("pellets", {})
    for section in PELLET_EVENTS:
        entries = pellets.pop(section, [])
        _collect(events, section, [entries] if isinstance(entries, dict) else entries)
    return config, events


def join(config: Tree, events: Events) -> Tree:
    """Put configuration and events together again; the inverse of `split` up to the order of events."""
    tree = deepcopy(config)
    sections = {kind: section for section, kind in _KINDS.items()}
    for section in EVENT_SECTIONS:
        tree[section] = []
    for (kind, key), body in sorted(events.items(), key=lambda item: (item[0][0], _when(item[1]), item[0][1])):
        del key
        section = sections[kind]
        if section in EVENT_SECTIONS:
            tree[section].append(body)
        elif section == "opening":
            tree["pellets"]["opening"] = body
        else:
            tree["pellets"].setdefault(section, []).append(body)
    order = {field.alias or name: place for place, (name, field) in enumerate(Community.model_fields.items())}
    kept = [name for name, value in tree.items() if name == "households" or value != []]
    return {name: tree[name] for name in sorted(kept, key=lambda name: order[name])}


def load(connection: Connection, slug: str) -> CommunityFile:
    """Read a community from the database.

    Raises
    ------
    BadInput
        If the database does not know it.
    """
    row = connection.execute("SELECT config FROM community WHERE community = %s", (slug,)).fetchone()
    if row is None:
        raise BadInput(
            f"The database does not know the community '{slug}'; run 'wijkenergie apply' with its file first."
        )
    return build(join(row[0], _events(connection, slug)), f"community '{slug}' in the database")


def communities(connection: Connection) -> list[str]:
    """Names of the communities the database knows, sorted."""
    return [row[0] for row in connection.execute("SELECT community FROM community ORDER BY 1").fetchall()]


def compare(connection: Connection, file: CommunityFile) -> Difference:
    """Tell what `apply` would change."""
    slug = file.community.community
    config, events = split(file.tree)
    row = connection.execute("SELECT config FROM community WHERE community = %s", (slug,)).fetchone()
    known = _events(connection, slug)
    return Difference(
        _config_lines(row[0] if row else {}, config),
        [name for name in events if name not in known],
        [name for name, body in events.items() if name in known and known[name] != body],
    )


def apply(connection: Connection, file: CommunityFile, now: datetime, author: str) -> Difference:
    """Bring the database in line with a community file, in one transaction.

    Raises
    ------
    BadInput
        If the result would not be a valid community, or a meter that has readings would change its unit.
    """
    slug = file.community.community
    config, events = split(file.tree)
    with connection.transaction():
        connection.execute("SELECT pg_advisory_xact_lock(hashtext('apply'), hashtext(%s))", (slug,))
        difference = compare(connection, file)
        _refuse_new_units(connection, file)
        if _derives_otherwise(connection, slug, config):
            stale.everything(connection, slug)
        if difference.config:
            community = file.community
            connection.execute(
                "INSERT INTO community (community, name, timezone, config, applied_at) VALUES (%s, %s, %s, %s, %s)"
                " ON CONFLICT (community) DO UPDATE SET (name, timezone, config, applied_at)"
                " = (EXCLUDED.name, EXCLUDED.timezone, EXCLUDED.config, EXCLUDED.applied_at)",
                (slug, community.name, community.timezone, json.dumps(config), now),
            )
            connection.execute(
                "INSERT INTO community_version (community, applied_at, config) VALUES (%s, %s, %s)",
                (slug, now, json.dumps(config)),
            )
            _write_meters(connection, file)
        for kind, key in difference.new_events:
            body = events[kind, key]
            add_event(connection, slug, kind, key, body, now, author)
            if kind in ("replacement", "edit"):
                at = parse_time(body["at"])
                stale.span(connection, slug, body["meter"], at, parse_time(body.get("until") or body["at"]))
        load(connection, slug)
    return difference


def add_event(connection: Connection, slug: str, kind: str, key: str, body: Tree, now: datetime, author: str) -> bool:
    """Append an event; False if one with this kind and key is known already."""
    return bool(
        connection.execute(
            "INSERT INTO event (community, kind, key, body, recorded_at, author) VALUES (%s, %s, %s, %s, %s, %s)"
            " ON CONFLICT DO NOTHING",
            (slug, kind, key, json.dumps(body), now, author),
        ).rowcount
    )


def add_work(connection: Connection, slug: str, body: Tree, now: datetime, author: str) -> bool:
    """Append that somebody of a household did some work, under the key that an import of the file gives it."""
    return add_event(connection, slug, "work", _key("work", body), body, now, author)


def _events(connection: Connection, slug: str) -> Events:
    rows = connection.execute(
        "SELECT kind, key, coalesce((SELECT a.body->'body' FROM event a"
        " WHERE (a.community, a.kind) = (e.community, 'amendment') AND a.body->>'kind' = e.kind"
        " AND a.body->>'key' = e.key ORDER BY a.key DESC LIMIT 1), body)"
        " FROM event e WHERE community = %s AND kind = ANY(%s) AND NOT EXISTS"
        " (SELECT FROM event w WHERE (w.community, w.kind) = (e.community, 'withdrawal')"
        " AND w.body->>'kind' = e.kind AND w.body->>'key' = e.key)",
        (slug, list(_KINDS.values())),
    ).fetchall()
    return {(kind, key): body for kind, key, body in rows}


def _collect(events: Events, section: str, entries: list[Tree]) -> None:
    kind = _KINDS[section]
    for entry in entries:
        base = _key(section, entry)
        key, repeat = base, 1
        while (kind, key) in events:
            repeat += 1
            key = f"{base}#{repeat}"
        events[kind, key] = entry


def _key(section: str, entry: Tree) -> str:
    if section == "households":
        return str(entry["id"])
    if section in ("replacements", "edits"):
        return f"{entry['meter']}@{rfc3339(parse_time(entry['at']))}"
    if section == "costs":
        return f"{entry['pool']} {entry['invoice']}"
    if section == "advances":
        return f"{entry['household']}@{entry['from']}"
    if section == "work":
        return f"{entry['household']} {entry['task']}@{rfc3339(parse_time(entry['at']))}"
    if section == "deliveries":
        return str(entry["invoice"])
    if section in ("counts", "corrections"):
        return rfc3339(parse_time(entry["at"]))
    return "opening"


def _when(body: Tree) -> str:
    if "at" in body:
        return rfc3339(parse_time(body["at"]))
    return str(body.get("date", body.get("from", "")))


def _config_lines(known: Tree, wanted: Tree) -> list[str]:
    lines = []
    for section in [*wanted, *(name for name in known if name not in wanted)]:
        before, after = known.get(section), wanted.get(section)
        if before == after:
            continue
        if isinstance(after, list) or isinstance(before, list):
            old, new = list(before or []), list(after or [])
            lines += [f"+ {section}: {_short(entry)}" for entry in new if entry not in old]
            lines += [f"- {section}: {_short(entry)}" for entry in old if entry not in new]
            if not any(entry not in old for entry in new) and not any(entry not in new for entry in old):
                lines.append(f"~ {section}: another order")
        else:
            lines.append(f"~ {section}: {_short(before)} -> {_short(after)}")
    return lines


def _short(value: Any) -> str:
    if value is None:
        return "(none)"
    if isinstance(value, dict):
        return ", ".join(f"{name} {_short(inner)}" for name, inner in value.items())
    if isinstance(value, list):
        return "[" + ", ".join(map(_short, value)) + "]"
    return str(value)


def _derives_otherwise(connection: Connection, slug: str, config: Tree) -> bool:
    """Whether quarter-hours and shares come out differently now, so that all of them must be derived anew."""
    row = connection.execute("SELECT config FROM community WHERE community = %s", (slug,)).fetchone()
    return row is not None and any(row[0].get(section) != config.get(section) for section in _DERIVED_FROM)


def _refuse_new_units(connection: Connection, file: CommunityFile) -> None:
    slug = file.community.community
    rows = connection.execute("SELECT meter, unit FROM meter WHERE community = %s", (slug,)).fetchall()
    known = dict(rows)
    for meter in file.community.meters:
        unit = known.get(meter.id, meter.unit)
        if unit == meter.unit:
            continue
        used = connection.execute(
            "SELECT 1 FROM reading WHERE (community, meter) = (%s, %s) LIMIT 1", (slug, meter.id)
        ).fetchone()
        if used:
            raise BadInput(
                f"Meter '{meter.id}' has readings in {unit}, so its unit cannot become {meter.unit};"
                " give the new register a new meter id."
            )


def _write_meters(connection: Connection, file: CommunityFile) -> None:
    slug = file.community.community
    connection.execute("DELETE FROM meter WHERE community = %s", (slug,))
    with connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO meter (community, meter, measures, unit, flat, common) VALUES (%s, %s, %s, %s, %s, %s)",
            [(slug, m.id, m.measures, m.unit, m.flat, m.common) for m in file.community.meters],
        )
