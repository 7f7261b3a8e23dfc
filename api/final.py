"""What the API tells of final months: numbers, seals and corrections."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from core.community import Community
from core.db.connection import Connection
from core.time import rfc3339
from core.units import decimal_text
from settlement import corrections
from settlement.documents.correction import own_part
from settlement.final import store
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
    exported = store.first_exports(connection, slug).get(first.number)
    return {
        "number": first.number,
        "seal_sha256": first.seal_sha256,
        "sealed_at": rfc3339(first.sealed_at),
        "sealed_by": first.sealed_by,
        "despite": list(first.despite),
        "exported_at": rfc3339(exported) if exported else None,
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


def own(connection: Connection, community: Community, month: str, household: str) -> dict[str, Any]:
    """Tell a household the number of its final statement, and its own part of the month's corrections."""
    documents = store.of_month(connection, community.community, month)
    parts = [own_part(one.tree, community, household) for one in documents[1:]]
    return {
        "number": documents[0].number if documents else None,
        "corrections": [part for part in parts if part is not None],
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
