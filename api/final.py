"""What the API tells of final months: numbers, seals and corrections."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

from core.community import Community
from core.db.connection import Connection
from core.time import rfc3339
from core.units import decimal_text
from settlement import corrections
from settlement.documents.correction import own_part
from settlement.final import openings, store
from settlement.final.store import Sealed

NOT_YET: Final[dict[str, Any]] = {
    "number": None,
    "seal_sha256": None,
    "corrections": 0,
    "correction_waiting": False,
}
"""What `by_month` says of a final month, for one that is not."""


def of_month(connection: Connection, slug: str, month: str) -> dict[str, Any]:
    """Tell a final month's number and seal, gates that were overridden, its corrections, and one that waits."""
    documents = store.of_month(connection, slug, month)
    if not documents:
        return {"number": None, "seal_sha256": None, "sealed_at": None, "despite": [], "corrections": []}
    first, *rest = documents
    waiting = store.candidate(connection, slug, month)
    destroyed = store.openings_destroyed_at(connection, slug, first.number)
    exported = store.first_exports(connection, slug).get(first.number)
    return {
        "number": first.number,
        "seal_sha256": first.seal_sha256,
        "sealed_at": rfc3339(first.sealed_at),
        "sealed_by": first.sealed_by,
        "despite": list(first.despite),
        "exported_at": rfc3339(exported) if exported else None,
        "openings_destroyed_at": rfc3339(destroyed) if destroyed else None,
        "corrections": [_correction(one) for one in rest],
        "correction_waiting": waiting and _amounts(waiting),
    }


def by_month(connection: Connection, slug: str) -> dict[str, dict[str, Any]]:
    """Tell of every final month its number, its seal, how often it was corrected, and whether a correction waits."""
    waiting = store.candidates(connection, slug)
    return {
        month: {
            "number": number,
            "seal_sha256": seal,
            "corrections": corrected,
            "correction_waiting": month in waiting,
        }
        for month, number, seal, corrected in store.chained(connection, slug)
    }


@dataclass(frozen=True)
class Opening:
    """What opens a household's quarter-hours in a final month: the last day it is kept, or when it was destroyed."""

    kept_through: date | None
    destroyed_at: datetime | None

    @property
    def tree(self) -> dict[str, str | None]:
        """As the API prints it."""
        return {
            "kept_through": self.kept_through.isoformat() if self.kept_through else None,
            "destroyed_at": rfc3339(self.destroyed_at) if self.destroyed_at else None,
        }


def opening(connection: Connection, community: Community, documents: Sequence[Sealed]) -> Opening | None:
    """Tell how long a month's quarter-hours can still be opened; None if it is not final."""
    if not documents:
        return None
    destroyed = store.openings_destroyed_at(connection, community.community, documents[0].number)
    months = community.final.openings_kept_months
    if destroyed is not None or months is None:
        return Opening(None, destroyed)
    return Opening(openings.kept_through(documents[-1].sealed_at, months, community.zone), None)


def own(connection: Connection, community: Community, month: str, household: str) -> dict[str, Any]:
    """Tell a household the number of its final statement, its own part of the corrections, and what can be opened."""
    documents = store.of_month(connection, community.community, month)
    found = opening(connection, community, documents)
    parts = [own_part(one.tree, community, household) for one in documents[1:]]
    return {
        "number": documents[0].number if documents else None,
        "corrections": [part for part in parts if part is not None],
        "opening": found and found.tree,
    }


def mark(connection: Connection, slug: str, month: str, person: str, now: datetime, what: str) -> None:
    """Write down that a final month was taken out of the house; of a provisional one nothing is written."""
    documents = store.of_month(connection, slug, month)
    if documents:
        store.mark_exported(connection, slug, documents[0].number, now, person, what)


def _correction(one: Sealed) -> dict[str, Any]:
    return {
        "number": one.number,
        "revision": one.revision,
        "seal_sha256": one.seal_sha256,
        "sealed_at": rfc3339(one.sealed_at),
        "sealed_by": one.sealed_by,
        "despite": list(one.despite),
        **_amounts(one.tree),
    }


def _amounts(document: dict[str, Any]) -> dict[str, Any]:
    return {
        "reasons": document["reasons"],
        "due_eur": decimal_text(corrections.due(document), 2),
        "parties": [
            {"party": entry["party"], "flat": entry["flat"], "due_eur": entry["due_eur"]}
            for entry in document["statements"]
        ],
    }
