"""The shell around the pure money path: one snapshot in, checks on every run, one transaction out."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from typing import Any

from core.community import Community
from core.communityfile import CommunityFile
from core.db import config
from core.db.connection import Connection
from core.errors import CheckFailed
from core.time import Month, microseconds, parse_time
from settlement import selection, stock, store
from settlement.final import store as final_store
from settlement.model import MeterReadings
from settlement.month import Settled
from settlement.pellets import COUNT_WINDOW, heat_between
from settlement.replay import settle_document
from settlement.tasks.store import refills

_REFILLS = 10_000
"""More than a cellar has in its life; only those of the month are shown."""


@dataclass(frozen=True)
class Run:
    """A month as it was settled: its values, its ``statement.json``, and whether anything was new."""

    settled: Settled
    document: bytes
    changed: bool

    @property
    def statement(self) -> dict[str, Any]:
        """The statement document."""
        result: dict[str, Any] = json.loads(self.document)
        return result


def settle(connection: Connection, slug: str, month: Month, now: datetime) -> Run:
    """Settle a month from the database and keep it as provisional.

    Raises
    ------
    BadInput
        If the community is unknown, or its rules or documents do not allow the month to be settled.
    CheckFailed
        If a conservation identity is broken, or the month is final; nothing was written.
    """
    with store.one_at_a_time(connection, slug, f"settle {month}"), store.snapshot(connection):
        sealed = final_store.of_month(connection, slug, str(month))
        if sealed:
            raise CheckFailed(f"{month} is final (document {sealed[0].number}) and is not settled again.")
        file = config.load(connection, slug)
        settled, document = settle_document(file, month, store.month_readings(connection, file.community, month))
        statement = json.loads(document)
        hashes = (statement["input_sha256"], statement["result_sha256"])
        changed = store.save_month(connection, slug, str(month), document, hashes, settled.ledger.postings, now)
    return Run(settled, document, changed)


def exported(connection: Connection, slug: str, month: Month) -> tuple[CommunityFile, dict[str, MeterReadings]]:
    """Return the month's community and readings as the database knows them, look-back included."""
    with store.snapshot(connection):
        file = config.load(connection, slug)
        known = store.month_readings(connection, file.community, month)
    return file, selection.used(file.community, month, known)


def stock_rows(connection: Connection, community: Community, month: Month) -> list[stock.Row] | None:
    """Write a month's stock ledger from what the database knows now; None where its account has no such month.

    Raises
    ------
    BadInput
        As of `settlement.pellets.account`.
    """
    since = stock.heat_needed_since(community, month)
    if since is None:
        return None
    end = month.bounds(community.zone)[1] + COUNT_WINDOW
    known = {}
    for meter in community.meters_of("heat_produced"):
        one = store.readings_between(connection, community.community, meter.id, microseconds(since), microseconds(end))
        if one is not None:
            known[meter.id] = one
    carried = [
        stock.Refill(parse_time(body["at"]), int(body["bags"]), int(body["bags"]) * Fraction(body["bag_kg"]))
        for body in refills(connection, community.community, end, _REFILLS)
    ]
    return stock.ledger(
        community,
        month,
        heat_between(community, known),
        carried,
        all_heat_between=stock.all_heat(community, known),
    )
