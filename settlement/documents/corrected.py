"""One household's part of a correction in plain words, for the page and the document: what changed, why and to what."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from settlement.documents import paper
from settlement.documents.paper import Column, Paper
from settlement.documents.wording import NOTHING, Wording

_SECTIONS: Final = {
    "readings": "readings", "edits": "readings", "replacements": "readings", "meters": "readings",
    "households": "household", "advances": "advance",
    "costs": "costs", "tariffs": "price",
    "heat": "rules", "sharing": "rules", "estimates": "rules", "settlement_interval": "rules", "timezone": "rules",
    "work": "work", "work_credits": "work",
}  # fmt: skip
"""What a section of the community means to a resident; all of the pellets are one thing."""


@dataclass(frozen=True)
class Corrected:
    """A household's part of a correction in words.

    Attributes
    ----------
    title
        Which correction, by its number.
    due
        What is paid more or comes back because of it.
    together
        What the month comes to with it.
    reasons
        Sentences that tell of no other home.
    rows
        Per changed line what it is for, the amount that stood there and the one that holds now.
    """

    title: str
    due: str
    together: str
    reasons: tuple[str, ...]
    rows: tuple[tuple[str, str, str], ...]


def corrected(part: Mapping[str, Any], words: Wording) -> Corrected:
    """Say a household's part of a correction (`settlement.documents.correction.own_part`)."""
    (entry,) = part["statements"]
    rows = [
        (words.named(_shown(line)), _printed(line, "original", words), _printed(line, "recomputed", words))
        for line in entry["lines"]
    ]
    for name, text in (("total_eur", words.say("Together")), ("advance_eur", words.say("Paid in advance"))):
        if Decimal(entry[name]["difference"]):
            rows.append((text, words.owed(entry[name]["original"]), words.owed(entry[name]["recomputed"])))
    return Corrected(
        title=words.say("Correction %(number)s", number=part["number"]),
        due=_due(entry["due_eur"], words),
        together=_together(entry["balance_eur"]["recomputed"], words),
        reasons=tuple(dict.fromkeys(_reason(reason["what"], words) for reason in part["reasons"]))
        or (words.say("Something changed for the building."),),
        rows=tuple(rows),
    )


def correction_paper(part: Mapping[str, Any], words: Wording, community_name: str) -> Paper:
    """Write a household's part of a correction as a document of its own: the statement it corrects stays as it is."""
    said, month = corrected(part, words), words.month(part["month"])
    where = words.say("Flat %(flat)s", flat=part["statements"][0]["flat"])
    columns = [
        Column(words.say("What"), wide=True),
        Column(words.say("It was"), "right"),
        Column(words.say("It is now"), "right"),
    ]
    return Paper(
        lang=words.language,
        region=words.region,
        title=words.say("Correction of your statement for %(month)s", month=month),
        author=community_name,
        subtitle=f"{community_name} · {where} · {said.title}",
        status=words.say("Final."),
        footer=f"{community_name} · {where} · {said.title}",
        page=words.say("page {page} of {pages}"),
        blocks=(
            paper.lead(said.due, said.together),
            paper.heading(words.say("Why?")),
            paper.bullets(*said.reasons),
            paper.heading(words.say("What changed")),
            paper.table(columns, said.rows),
            paper.paragraph(words.say("Your statement itself stays as it was. This comes on top of it.")),
        ),
    )


def _shown(line: Mapping[str, Any]) -> dict[str, str | None]:
    """Name a line by what it is now, or was if it is no more: work is a credit or a cost by its amount."""
    now = line["recomputed"]["amount_eur"]
    amount = now if Decimal(now) else line["original"]["amount_eur"]
    return {"code": line["code"], "window": line.get("window"), "amount_eur": amount}


def _printed(line: Mapping[str, Any], when: str, words: Wording) -> str:
    amount = line[when]["amount_eur"]
    return words.owed(amount) if Decimal(amount) else NOTHING


def _due(amount: str, words: Wording) -> str:
    if Decimal(amount) > 0:
        return words.say("You pay %(amount)s more", amount=words.euro(amount))
    if Decimal(amount) < 0:
        return words.say("You get %(amount)s back", amount=words.euro(amount.removeprefix("-")))
    return words.say("You pay as much as before")


def _together(amount: str, words: Wording) -> str:
    if Decimal(amount) > 0:
        return words.say("For the whole month you now pay %(amount)s.", amount=words.euro(amount))
    if Decimal(amount) < 0:
        back = words.euro(amount.removeprefix("-"))
        return words.say("For the whole month you now get %(amount)s back.", amount=back)
    return words.say("For the whole month you now have nothing to pay.")


def _reason(what: str, words: Wording) -> str:
    kind = "pellets" if what.startswith("pellets.") else _SECTIONS.get(what, "")
    return {
        "readings": words.say("Numbers of a meter came later or were put right."),
        "household": words.say("The days you lived here were put right."),
        "advance": words.say("What you paid in advance was put right."),
        "costs": words.say("A bill for the building was added or put right."),
        "price": words.say("A price was put right."),
        "rules": words.say("The rules for dividing were put right."),
        "work": words.say("Work that somebody did was added or put right."),
        "pellets": words.say("A delivery or a count of the pellets was added or put right."),
    }.get(kind, words.say("Something changed for the building."))
