"""One party's year in plain words: what it costs, what is left beside its months, and why heat can differ from them."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from settlement.documents import paper
from settlement.documents.household import reckoning
from settlement.documents.paper import Block, Column, Paper
from settlement.documents.wording import NOTHING, Wording
from settlement.yearly.months import FIXED_HEAT

Document = Mapping[str, Any]


def year_paper(document: Document, entry: Document, words: Wording, community_name: str) -> Paper:
    """Write a party's year.

    Parameters
    ----------
    document
        year.json; only what concerns the whole building is taken from it.
    entry
        One of its ``statements``.
    """
    number = document["year"]
    where = words.say("Flat %(flat)s", flat=entry["flat"]) if entry["flat"] else words.say("The owner")
    days = [
        words.say(
            "%(first)s up to and including %(last)s", first=words.day(one["from"]), last=words.last_day(one["until"])
        )
        for one in entry["days"]
    ]
    return Paper(
        lang=words.language,
        region=words.region,
        title=words.say("Your statement for the year %(year)s", year=number),
        author=community_name,
        subtitle=" · ".join([community_name, where, *days]),
        status=words.say("Made from the final statements of your months."),
        footer=f"{community_name} · {where} · {number}",
        page=words.say("page {page} of {pages}"),
        blocks=(
            paper.lead(_due(number, entry["balance_eur"], words), *reckoning(entry, words), *_beside(entry, words)),
            *_costs(entry, words),
            *_heat(entry, words),
            *_corrected(entry, words),
            paper.code(words.say("Mark of this year's calculation:"), document["result_sha256"]),
        ),
    )


def _due(number: str, amount: str, words: Wording) -> str:
    euro = Decimal(amount)
    if euro > 0:
        return words.say("For %(year)s you pay %(amount)s", year=number, amount=words.euro(amount))
    if euro < 0:
        return words.say("For %(year)s you get %(amount)s back", year=number, amount=words.euro(str(-euro)))
    return words.say("For %(year)s you have nothing to pay", year=number)


def _beside(entry: Document, words: Wording) -> list[str]:
    """Say what the months' own statements asked for, so that nobody pays or gets the same money twice."""
    months, more = Decimal(entry["months_balance_eur"]), Decimal(entry["difference_eur"])
    if months > 0:
        asked = words.say("Together your monthly statements ask for %(amount)s.", amount=words.euro(str(months)))
    elif months < 0:
        asked = words.say("Together your monthly statements give %(amount)s back.", amount=words.euro(str(-months)))
    else:
        asked = words.say("Together your monthly statements come to zero.")
    amount = words.euro(str(abs(more)))
    if more > 0:
        off = words.say("The year comes to %(amount)s more.", amount=amount)
        left = words.say("Have your months been settled already? Then you pay only this difference.")
    elif more < 0:
        off = words.say("The year comes to %(amount)s less.", amount=amount)
        left = words.say("Have your months been settled already? Then you get only this difference back.")
    else:
        off = words.say("The year comes to the same.")
        left = words.say("Have your months been settled already? Then nothing is left to pay.")
    return [f"{asked} {off}", left]


def _costs(entry: Document, words: Wording) -> list[Block]:
    """Set the year beside the months, line by line; lines of several rates of VAT are one."""
    columns = [
        Column(words.say("What"), wide=True),
        Column(words.say("Your months together"), "right"),
        Column(words.say("The year"), "right"),
    ]
    sums: dict[str, tuple[Decimal, Decimal]] = {}
    for line in entry["lines"]:
        months, year = sums.get(line["code"], (Decimal(0), Decimal(0)))
        months, year = months + Decimal(line["months"]["amount_eur"]), year + Decimal(line["amount_eur"])
        sums[line["code"]] = (months, year)
    rows = [[words.line(code), *(_printed(one, words) for one in both)] for code, both in sums.items()]
    whole, advance = Decimal(entry["total_eur"]), Decimal(entry["advance_eur"])
    balances = (entry["months_balance_eur"], entry["balance_eur"])
    totals = [[words.say("Together"), *(words.owed(str(Decimal(one) + advance)) for one in balances)]]
    if advance:
        totals += [
            [words.say("Paid in advance"), *[words.euro(entry["advance_eur"])] * 2],
            [words.say("To pay"), *(words.owed(one) for one in balances)],
        ]
    vat = sum(Decimal(line["vat_eur"]) for line in entry["lines"])
    blocks = [paper.heading(words.say("Costs of the year")), paper.table(columns, rows, totals)]
    if vat > 0 and whole > 0:
        blocks.append(paper.paragraph(words.say("The year includes %(amount)s of VAT.", amount=words.euro(str(vat)))))
    return blocks


def _heat(entry: Document, words: Wording) -> list[Block]:
    if all(line["code"] != FIXED_HEAT for line in entry["lines"]):
        return []
    return [
        paper.heading(words.say("Why can the fixed part of heat be different?")),
        paper.paragraph(
            words.say("Within a month every day counts the same."),
            words.say("Over the year a winter day counts for more, because much more heat is needed then."),
            words.say("So this part can differ from that of your months together."),
        ),
    ]


def _corrected(entry: Document, words: Wording) -> list[Block]:
    months = [words.month(month) for month in entry["corrected"]]
    if months:
        sentences = [
            words.say("These months were corrected: %(months)s.", months=", ".join(months)),
            words.say("The corrections are counted in."),
        ]
    else:
        sentences = [words.say("None of your months was corrected.")]
    return [paper.heading(words.say("Corrected months")), paper.paragraph(*sentences)]


def _printed(amount: Decimal, words: Wording) -> str:
    return words.owed(str(amount)) if amount else NOTHING
