"""One household's month in plain words: what to pay, for what, how sure the figures are and how they came about."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from settlement.documents import paper
from settlement.documents.paper import Block, Column, Paper
from settlement.documents.why import told
from settlement.documents.wording import Wording

Entry = dict[str, Any]


def household_paper(
    statement: dict[str, Any],
    entry: Entry,
    words: Wording,
    community_name: str,
    changes: dict[str, Any] | None = None,
) -> Paper:
    """Write a party's statement.

    Parameters
    ----------
    statement
        statement.json of the month; only what concerns the whole building is taken from it.
    entry
        One of its ``statements``.
    changes
        Why its total is different, as `settlement.why.answer` says it.
    """
    month = words.month(statement["month"])
    blocks = [
        paper.lead(balance(entry["balance_eur"], words), *reckoning(entry, words)),
        *_electricity(entry, words),
        *_heat(entry, words),
        *_costs(entry, words),
        *_changes(changes, words),
        *_quality(entry, words),
        *_explanation(statement, entry, words),
        paper.code(words.say("Mark of this month's calculation:"), statement["result_sha256"]),
    ]
    where = words.say("Flat %(flat)s", flat=entry["flat"]) if entry["flat"] else words.say("The owner")
    days = words.say(
        "%(first)s up to and including %(last)s", first=words.day(entry["from"]), last=words.last_day(entry["until"])
    )
    return Paper(
        lang=words.language,
        region=words.region,
        title=words.say("Your statement for %(month)s", month=month),
        author=community_name,
        subtitle=f"{community_name} · {where} · {days}",
        status=words.status(statement),
        footer=f"{community_name} · {where} · {month}",
        page=words.say("page {page} of {pages}"),
        blocks=tuple(blocks),
    )


def balance(amount: str, words: Wording) -> str:
    """Say what is to be paid or comes back, never as a negative number."""
    euro = Decimal(amount)
    if euro > 0:
        return words.say("You pay %(amount)s", amount=words.euro(amount))
    if euro < 0:
        return words.say("You get %(amount)s back", amount=words.euro(str(-euro)))
    return words.say("You have nothing to pay")


def reckoning(entry: Mapping[str, Any], words: Wording) -> list[str]:
    """Say what it costs and what was paid in advance."""
    total = entry["total_eur"]
    if Decimal(total) < 0:
        costs = words.say("Your credit is %(amount)s.", amount=words.euro(total.removeprefix("-")))
    else:
        costs = words.say("Your costs are %(amount)s.", amount=words.euro(total))
    if not Decimal(entry["advance_eur"]):
        return [costs]
    paid = words.say("You paid %(amount)s in advance.", amount=words.euro(entry["advance_eur"]))
    return [f"{costs} {paid}"]


def _electricity(entry: Entry, words: Wording) -> list[Block]:
    used = entry["electricity"]
    if used is None:
        return []
    consumed, shared = Decimal(used["consumed_kwh"]), Decimal(used["shared_kwh"])
    part = round(100 * shared / consumed) if consumed else 0
    share = words.say(
        "Of this, %(shared)s came from the roof. That is %(part)s of every 100 parts.",
        shared=words.rounded(used["shared_kwh"]),
        part=str(part),
    )
    rest = words.say(
        "Your own supplier brought the other %(grid)s. That bill comes separately.",
        grid=words.rounded(used["grid_kwh"]),
    )
    saved = used["saved_eur"]
    gain = words.say("The sun saved you %(saved)s.", saved=words.euro(saved)) if saved and Decimal(saved) > 0 else ""
    return [
        paper.heading(words.say("Electricity")),
        paper.paragraph(
            words.say("You used %(consumed)s of electricity.", consumed=words.rounded(used["consumed_kwh"])), share
        ),
        paper.bar(
            part,
            words.say("Bar: %(part)s percent of your electricity was sun.", part=str(part)),
            words.say("%(part)s %% sun from the roof", part=str(part)),
            words.say("%(part)s %% from your own supplier", part=str(100 - part)),
        ),
        paper.paragraph(rest, gain),
    ]


def _heat(entry: Entry, words: Wording) -> list[Block]:
    heat = entry["heat"]
    if heat is None:
        return []
    sentences = []
    if heat["measured_kwh"] is not None:
        sentences.append(words.say("You used %(heat)s of heat.", heat=words.rounded(heat["measured_kwh"])))
    sentences.append(
        words.say(
            "The measured part costs %(measured)s, the fixed part %(fixed)s.",
            measured=words.euro(heat["measured_eur"]),
            fixed=words.euro(heat["fixed_eur"]),
        )
    )
    whole = words.say("Many heat meters failed. So all heat is divided like the fixed part.")
    sentences += _failed(heat, words.say("A heat meter failed."), whole, words)
    water = heat.get("hot_water")
    if water is not None:
        sentences.append(
            words.say(
                "For hot water the measured part costs %(measured)s, the fixed part %(fixed)s.",
                measured=words.euro(water["measured_eur"]),
                fixed=words.euro(water["fixed_eur"]),
            )
        )
        whole = words.say("Many hot water meters failed. So all hot water is divided like its fixed part.")
        sentences += _failed(water, words.say("A hot water meter failed."), whole, words)
    return [paper.heading(words.say("Heat")), paper.paragraph(*sentences)]


def _failed(told: dict[str, Any], failed: str, whole: str, words: Wording) -> list[str]:
    """Say how the heat or hot water was found that a failed meter did not count; ``whole`` where too many failed."""
    method, volume = told.get("estimated_by"), told.get("estimated_m3")
    if method is None:
        return []
    if method == "fixed_measure":
        return [whole]
    amount, unit = (told.get("estimated_kwh"), "kWh") if volume is None else (volume, "m³")
    if amount is None:
        return [failed, words.say("What it missed is estimated %(how)s.", how=words.estimated_from(method))]
    found = words.rounded(amount, unit)
    return [failed, words.say("%(heat)s is estimated %(how)s.", heat=found, how=words.estimated_from(method))]


def _costs(entry: Entry, words: Wording) -> list[Block]:
    columns = [
        Column(words.say("What"), wide=True),
        Column(words.say("Quantity"), "right"),
        Column(words.say("Price"), "right"),
        Column(words.say("Without VAT"), "right"),
        Column(words.say("VAT"), "right"),
        Column(words.say("Amount"), "right"),
    ]
    rows = [
        [
            words.named(line),
            words.exact(line["quantity"], line["unit"]),
            words.price(line["price_eur"], line["unit"]),
            words.owed(line["net_eur"]),
            f"{words.owed(line['vat_eur'])} ({words.percent(line['vat_percent'])})",
            words.owed(line["amount_eur"]),
        ]
        for line in entry["lines"]
    ]
    totals = [[words.say("Together"), "", "", "", "", words.owed(entry["total_eur"])]]
    if Decimal(entry["advance_eur"]):
        totals.append([words.say("Paid in advance"), "", "", "", "", words.owed(entry["advance_eur"])])
        last = words.say("You get back") if Decimal(entry["balance_eur"]) < 0 else words.say("You pay")
        totals.append([last, "", "", "", "", words.euro(entry["balance_eur"].removeprefix("-"))])
    return [paper.heading(words.say("Your costs")), paper.table(columns, rows, totals)]


def _changes(changes: dict[str, Any] | None, words: Wording) -> list[Block]:
    blocks = []
    for one in told(changes, words) if changes else ():
        blocks += [paper.heading(one.question), paper.paragraph(one.sentence)]
        if one.rows:
            columns = [Column(words.say("What"), wide=True), Column(words.say("Amount"), "right")]
            blocks.append(paper.table(columns, one.rows))
        if one.note:
            blocks.append(paper.paragraph(one.note))
    return blocks


def _quality(entry: Entry, words: Wording) -> list[Block]:
    quality = entry["quality"]
    if quality["measured_percent"] is None:
        return []
    sentences = [words.say("Measured: %(part)s of your figures.", part=words.percent(quality["measured_percent"]))]
    if Decimal(quality["estimated_percent"]):
        sentences.append(
            words.say("Estimated or corrected: %(part)s.", part=words.percent(quality["estimated_percent"]))
        )
    if Decimal(quality["missing_percent"]):
        sentences.append(words.say("Missing: %(part)s.", part=words.percent(quality["missing_percent"])))
        if not (entry["heat"] or {}).get("estimated_by"):
            sentences.append(words.say("You pay nothing for what is missing until it is known."))
    if (entry["heat"] or {}).get("hot_water"):  # quality is of electricity and heat
        sentences.append(words.say("Hot water is not counted here."))
    return [paper.heading(words.say("How sure are these figures?")), paper.paragraph(*sentences)]


def _explanation(statement: dict[str, Any], entry: Entry, words: Wording) -> list[Block]:
    codes = {line["code"]: line for line in entry["lines"]}
    items = [words.say("We divide the sun all day long, %(key)s.", key=words.key(statement["sharing_key"]))]
    items.append(words.say("You never get more sun than you use at that moment."))
    if "heat_measured" in codes or "heat_fixed" in codes:
        items.append(words.say("Heat costs the pellets that were burnt, and the bills for the boiler."))
        by_area = codes.get("heat_fixed", {}).get("unit") != "days"
        items.append(
            words.say("A part follows your meter. The rest follows the size of your home and the days.")
            if by_area
            else words.say("A part follows your meter. The rest is the same for every home.")
        )
    if "common" in codes:
        items.append(words.say("The costs of shared areas follow the size of your home."))
    items.append(words.say("Amounts are rounded to cents. Together they are exactly the total of the building."))
    return [paper.heading(words.say("How we calculate")), paper.bullets(*items)]
