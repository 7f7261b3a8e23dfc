"""A correction as rows for the books, and as much of it as one household may see."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from io import StringIO
from typing import Any, Final

from core.community import Community

_COLUMNS: Final = (
    "community", "month", "number", "revision", "corrects", "flat", "party", "code", "price_eur", "vat_percent",
    "original_eur", "recomputed_eur", "difference_net_eur", "difference_vat_eur", "difference_eur",
)  # fmt: skip
_OF_ALL: Final = ("costs", "tariffs", "work_credits", "heat", "timezone", "settlement_interval", "estimates")
"""Sections that concern everybody and name nobody; so do those of the pellets."""

Document = Mapping[str, Any]


def correction_csv(document: Document) -> str:
    """Write a row per changed line of each party, and one for a changed advance."""
    out = StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(_COLUMNS)
    of_all = [document[name] for name in ("community", "month", "number", "revision")]
    head = [*of_all, document["corrects"]["number"]]
    for entry in document["statements"]:
        who = [*head, entry["flat"] or "", entry["party"]]
        for line in entry["lines"]:
            named = [line["code"], line["price_eur"] or "", line["vat_percent"]]
            amounts = [line[when]["amount_eur"] for when in ("original", "recomputed")]
            off = line["difference"]
            writer.writerow([*who, *named, *amounts, off["net_eur"], off["vat_eur"], off["amount_eur"]])
        advance = entry["advance_eur"]
        if advance["original"] != advance["recomputed"]:
            writer.writerow(
                [*who, "advance", "", "", advance["original"], advance["recomputed"], "", "", advance["difference"]]
            )
    return out.getvalue()


def own_part(document: Document, community: Community, household: str) -> dict[str, Any] | None:
    """Cut a correction down to one household: its own entries, and reasons that tell of no other home.

    Returns
    -------
    dict or None
        None where the household is not concerned.
    """
    entries = [entry for entry in document["statements"] if entry["party"] == household]
    if not entries:
        return None
    flats = {entry["flat"] for entry in entries}
    shown = ("kind", "community", "month", "status", "number", "revision", "checks")
    reasons = [reason for reason in document["reasons"] if _may_be_told(reason, community, household, flats)]
    return {name: document[name] for name in shown} | {"reasons": reasons, "statements": entries}


def _may_be_told(reason: Mapping[str, str], community: Community, household: str, flats: set[str]) -> bool:
    what, name = reason["what"], reason["name"]
    if what in _OF_ALL or what.startswith("pellets."):
        return True
    if what in ("households", "advances", "work"):
        return name.partition(" ")[0] == household
    if what in ("readings", "edits", "replacements"):
        meter = next((one for one in community.meters if one.id == name.partition(" ")[0]), None)
        return meter is not None and (meter.flat is None or meter.flat in flats)
    return False
