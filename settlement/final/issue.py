"""The shell of final months: one snapshot in, gates and proofs, one sealed document and one transaction out.

A month that is final is never settled again. What it would be today is a correction: found at any time, issued on
request, sealed in the same chain. One lock for the whole community keeps the chain in one piece; a second worker that
asks at the same moment finds the month final.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from core.communityfile import CommunityFile
from core.db import config
from core.db.connection import Connection
from core.errors import BadInput, CheckFailed
from core.time import Month, local_day, microseconds
from settlement import corrections, gates, selection, statement
from settlement import store as readings_store
from settlement.changes import Inputs, inputs_of, reasons
from settlement.corrections import Case
from settlement.final import openings, store
from settlement.final.store import Sealed
from settlement.gates import NotFinal, Override, Refusal
from settlement.model import Posting, Readings
from settlement.month import Settled, settle
from settlement.seal import bundle


@dataclass(frozen=True)
class Today:
    """A month as it would be settled at this moment, and from what."""

    file: CommunityFile
    settled: Settled
    selected: Readings
    inputs: Inputs
    input_sha256: str

    def document(self, status: str = "provisional") -> dict[str, Any]:
        """Its statement."""
        return statement.document(self.settled, self.input_sha256, status=status)


@dataclass(frozen=True)
class Issued:
    """A sealed document."""

    sealed: Sealed
    document: dict[str, Any]


def blocked(connection: Connection, slug: str, month: Month, now: datetime) -> list[Refusal]:
    """Tell everything that keeps a month from becoming final; empty where nothing does.

    Raises
    ------
    BadInput
        If the month cannot be settled at all, or has no readings.
    """
    with readings_store.snapshot(connection):
        return _refusals(connection, slug, _today(connection, slug, month), now, first=True)


def finalise(
    connection: Connection,
    slug: str,
    month: Month,
    now: datetime,
    by: str,
    despite: Mapping[str, str] | None = None,
) -> Issued:
    """Make a month final: settle it once more, pass the gates, number and seal it.

    Parameters
    ----------
    connection
        Outside any transaction.
    now
        The present; it is the time of the seal.
    by
        Who decided it.
    despite
        Gates an operator goes over, with the reason for each.

    Raises
    ------
    NotFinal
        If a gate refuses; it tells all of them, and nothing was changed.
    CheckFailed
        If the month is final already.
    BadInput
        If an override is not possible, or the month cannot be settled.
    """
    with _alone(connection, slug, month), readings_store.snapshot(connection):
        before = store.of_month(connection, slug, str(month))
        if before:
            raise CheckFailed(f"{month} is final already: document {before[0].number}; it can only be corrected.")
        today = _today(connection, slug, month)
        used = _pass(connection, slug, today, now, despite or {}, by, first=True)
        document = today.document("final")
        text = statement.dump(document)
        hashes = (document["input_sha256"], document["result_sha256"])
        postings = today.settled.ledger.postings
        readings_store.save_month(connection, slug, str(month), text, hashes, postings, now, "final")
        return _seal(connection, slug, today, document, text, now, by, used, revision=1)


def candidate(connection: Connection, slug: str, month: Month) -> dict[str, Any] | None:
    """Tell what a final month would be corrected by today; None if not a cent would change.

    Raises
    ------
    BadInput
        If the month is not final.
    """
    with readings_store.snapshot(connection):
        before = _final(connection, slug, month)
        return _correction(connection, slug, _today(connection, slug, month), before, None)


def correct(
    connection: Connection,
    slug: str,
    month: Month,
    now: datetime,
    by: str,
    despite: Mapping[str, str] | None = None,
) -> Issued | None:
    """Issue the correction of a final month; None if not a cent would change. See `finalise` for the parameters.

    Raises
    ------
    NotFinal
        If what the month would be today does not pass the gates.
    BadInput
        If the month is not final, or an override is not possible.
    """
    with _alone(connection, slug, month), readings_store.snapshot(connection):
        before = _final(connection, slug, month)
        today = _today(connection, slug, month)
        number = store.next_number(connection, slug, local_day(now, today.file.community.zone).year)
        document = _correction(connection, slug, today, before, number)
        store.keep_candidate(connection, slug, str(month), now, None)
        if document is None:
            return None
        used = _pass(connection, slug, today, now, despite or {}, by, first=False)
        revision = before[-1].revision + 1
        return _seal(connection, slug, today, document, statement.dump(document), now, by, used, revision=revision)


def look_again(connection: Connection, slug: str, month: Month, now: datetime) -> dict[str, Any] | None:
    """Find the correction of a final month and keep it for people to see, until the next look."""
    with _alone(connection, slug, month), readings_store.snapshot(connection):
        before = _final(connection, slug, month)
        document = _correction(connection, slug, _today(connection, slug, month), before, None)
        text = None if document is None else statement.dump(document).decode()
        store.keep_candidate(connection, slug, str(month), now, text)
    return document


def destroy_openings(connection: Connection, slug: str, month: Month, now: datetime) -> int | None:
    """Destroy what opens a final month's quarter-hours, on record, if its time has come and no correction waits.

    Whether one waits is found now, from today's readings and rules, and kept for people to see.

    Parameters
    ----------
    connection
        Outside any transaction.
    now
        The present; it stays on record.

    Returns
    -------
    int or None
        How many openings were destroyed; 0 where nothing is due; None where a correction waits.

    Raises
    ------
    BadInput
        If the month cannot be settled any more, so that nobody can tell whether a correction waits.
    """
    with _alone(connection, slug, month), readings_store.snapshot(connection):
        community = config.load(connection, slug).community
        if month not in openings.due(connection, community, now):
            return 0
        before = _final(connection, slug, month)
        waiting = _correction(connection, slug, _today(connection, slug, month), before, None)
        if waiting is not None:
            store.keep_candidate(connection, slug, str(month), now, statement.dump(waiting).decode())
            return None
        destroyed = store.destroy_openings(connection, slug, str(month), now)
        record = {
            "month": str(month),
            "openings": str(destroyed),
            "kept_months": str(community.final.openings_kept_months),
        }
        config.add_event(connection, slug, "openings-destroyed", before[0].number, record, now, "worker")
        return destroyed


@contextmanager
def _alone(connection: Connection, slug: str, month: Month) -> Iterator[None]:
    """Hold the lock of the chain and that of the month, always in this order."""
    with (
        readings_store.one_at_a_time(connection, slug, "seal"),
        readings_store.one_at_a_time(connection, slug, f"settle {month}"),
    ):
        yield


def _today(connection: Connection, slug: str, month: Month) -> Today:
    file = config.load(connection, slug)
    community = file.community
    selected = selection.used(community, month, readings_store.month_readings(connection, community, month))
    start, end = (microseconds(instant) for instant in month.bounds(community.zone))
    if not any(start <= time < end for one in selected.values() for time in one.times):
        raise BadInput(f"There are no readings for {month}; nothing was changed.")
    settled = settle(community, month, selected)
    inputs = inputs_of(community, month, selected)
    return Today(file, settled, selected, inputs, selection.input_sha256(community, month, selected))


def _final(connection: Connection, slug: str, month: Month) -> list[Sealed]:
    before = store.of_month(connection, slug, str(month))
    if not before:
        raise BadInput(
            f"{month} is not final, so there is nothing to correct; 'wijkenergie settle {month}' settles it."
        )
    return before


def _refusals(connection: Connection, slug: str, today: Today, now: datetime, *, first: bool) -> list[Refusal]:
    """Ask all gates; a correction comes when it comes, so its turn is not asked."""
    community, month = today.settled.community, today.settled.month
    watched = store.open_findings(connection, slug, month.bounds(community.zone), community.zone)
    finals = store.final_months(connection, slug) if first else []
    last = finals[-1] if finals else None
    return gates.refusals(today.settled, local_day(now, community.zone), watched, last)


def _pass(
    connection: Connection,
    slug: str,
    today: Today,
    now: datetime,
    despite: Mapping[str, str],
    by: str,
    *,
    first: bool,
) -> list[Override]:
    found = _refusals(connection, slug, today, now, first=first)
    left, used = gates.overridden(found, despite, by)
    if left:
        raise NotFinal(str(today.settled.month), left)
    return used


def _correction(
    connection: Connection, slug: str, today: Today, before: Sequence[Sealed], number: str | None
) -> dict[str, Any] | None:
    """Compare what holds with what would be settled today."""
    community, month = today.settled.community, today.settled.month
    last = before[-1]
    windows = {meter.id: selection.window(community, month, meter) for meter in community.meters}
    late = store.late(connection, slug, last.known_until, windows)
    case = Case(
        statement=before[0].tree,
        corrections=[one.tree for one in before[1:]],
        recomputed=today.document("final"),
        booked=store.booked(connection, slug, str(month)),
        rebooked=corrections.booked(today.settled.ledger.postings),
        reasons=reasons(Inputs.of_tree(last.inputs), today.inputs, late),
    )
    corrects = {"number": last.number, "revision": last.revision, "seal_sha256": last.seal_sha256}
    return corrections.correction(case, number=number, revision=last.revision + 1, corrects=corrects)


def _salt(_name: str) -> bytes:
    return secrets.token_bytes(32)


def _seal(
    connection: Connection,
    slug: str,
    today: Today,
    document: dict[str, Any],
    text: bytes,
    now: datetime,
    by: str,
    used: Sequence[Override],
    *,
    revision: int,
) -> Issued:
    """Give a document its number and its place in the chain, and keep it with its bundle."""
    month = str(today.settled.month)
    last = store.newest(connection, slug)
    number = store.next_number(connection, slug, local_day(now, today.file.community.zone).year)
    previous = None if last is None else last.seal_sha256
    despite = [one.tree for one in used]
    facts: dict[str, Any] = {"number": number, "previous": previous, "at": now, "salts": _salt, "despite": despite}
    made = (
        bundle.seal(today.settled, document, today.selected, **facts)
        if revision == 1
        else bundle.seal_correction(document, **facts)
    )
    sealed = Sealed(
        sequence=1 if last is None else last.sequence + 1,
        number=number,
        month=month,
        run=store.newest_run(connection, slug, month),
        revision=revision,
        sealed_at=now,
        sealed_by=by,
        known_until=store.known_until(connection, slug),
        previous_sha256=previous,
        seal_sha256=made.sha256,
        document=text.decode(),
        inputs=today.inputs.tree,
        despite=despite,
    )
    store.add(connection, slug, sealed, made.bundle, made.openings)
    if revision > 1:
        postings = [
            Posting(one["transaction"], one["account"], int(Decimal(one["eur"]).scaleb(2)), one["what"])
            for one in document["postings"]
        ]
        store.add_postings(connection, slug, number, postings)
    return Issued(sealed, document)
