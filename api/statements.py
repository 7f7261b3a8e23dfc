"""Settled months as one party may see them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Final

from core.db.connection import Connection
from settlement.store import newest_statement

_OF_THE_BUILDING: Final = ("community", "month", "status", "revision", "sharing_key", "energy", "pellets", "checks")
"""Parts of statement.json that tell of the whole building and of no flat."""


@dataclass(frozen=True)
class OwnStatement:
    """A month (the whole statement.json) and the one entry in it that is a household's own."""

    month: dict[str, Any]
    entry: dict[str, Any]

    @property
    def shown(self) -> dict[str, Any]:
        """What the household may see: the building's totals and its own entry, nothing of any other flat."""
        return {name: self.month[name] for name in _OF_THE_BUILDING} | {"statement": self.entry}


def month_statement(connection: Connection, slug: str, month: str) -> dict[str, Any] | None:
    """Return statement.json of a month's newest run, parsed, or None if the month was never settled."""
    text = newest_statement(connection, slug, month)
    return None if text is None else json.loads(text)


def own_statement(connection: Connection, slug: str, month: str, household: str) -> OwnStatement | None:
    """Return a household's own statement, or None if the month has none for it."""
    whole = month_statement(connection, slug, month)
    for entry in whole["statements"] if whole else ():
        if entry["party"] == household:
            return OwnStatement(whole or {}, entry)
    return None
