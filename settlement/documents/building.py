"""The month of the whole building for its owner: totals per flat, never a load curve, and every check."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from core.units import decimal_text
from settlement.balance import Balance, rows_of
from settlement.documents import paper
from settlement.documents.paper import Block, Column, Paper
from settlement.documents.wording import NOTHING, Wording


def building_paper(
    statement: dict[str, Any], words: Wording, community_name: str, whole: Balance | None = None
) -> Paper:
    """Write the month of the building.

    Parameters
    ----------
    statement
        statement.json of the month.
    whole
        Its balance; without it there is no table of where the energy went.
    """
    month = words.month(statement["month"])
    key = words.say("The sun is divided %(key)s.", key=words.key(statement["sharing_key"]))
    return Paper(
        lang=words.language,
        region=words.region,
        title=words.say("Month of the building: %(month)s", month=month),
        author=community_name,
        subtitle=community_name,
        status=f"{words.status(statement)} {key}",
        footer=f"{community_name} · {month}",
        page=words.say("page {page} of {pages}"),
        blocks=(
            *_parties(statement, words),
            *_books(statement, words),
            *_energy(statement, words),
            *_balance(whole, words),
            *_pellets(statement, words),
            *_checks(statement, words),
            *_findings(statement, words),
            paper.heading(words.say("Marks")),
            paper.code(words.say("Of everything that went in (SHA-256):"), statement["input_sha256"]),
            paper.code(words.say("Of everything that came out (SHA-256):"), statement["result_sha256"]),
        ),
        landscape=True,
    )


def _parties(statement: dict[str, Any], words: Wording) -> list[Block]:
    columns = [
        Column(words.say("Home")),
        Column(words.say("Party")),
        Column(words.say("First day")),
        Column(words.say("Last day")),
        Column(words.say("Electricity"), "right"),
        Column(words.say("Of which sun"), "right"),
        Column(words.say("Heat"), "right"),
        Column(words.say("Costs"), "right"),
        Column(words.say("In advance"), "right"),
        Column(words.say("Balance"), "right"),
    ]
    entries = statement["statements"]
    rows = []
    for entry in entries:
        electricity, heat = entry["electricity"] or {}, entry["heat"] or {}
        rows.append(
            [
                entry["flat"] or NOTHING,
                entry["party"],
                words.day(entry["from"]),
                words.last_day(entry["until"]),
                words.rounded(electricity.get("consumed_kwh")),
                words.rounded(electricity.get("shared_kwh")),
                words.rounded(heat.get("measured_kwh")),
                words.euro(entry["total_eur"]),
                words.euro(entry["advance_eur"]),
                words.euro(entry["balance_eur"]),
            ]
        )
    money = [words.euro(_sum(entry[name] for entry in entries)) for name in ("total_eur", "advance_eur", "balance_eur")]
    total = [words.say("Together"), "", "", "", "", "", "", *money]
    return [paper.heading(words.say("Per home")), paper.table(columns, rows, [total])]


def _books(statement: dict[str, Any], words: Wording) -> list[Block]:
    """Sum the lines by code and VAT rate, for the books."""
    groups: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for entry in statement["statements"]:
        for line in entry["lines"]:
            groups.setdefault((line["code"], line["vat_percent"]), []).append(line)
    columns = [
        Column(words.say("What")),
        Column(words.say("Code")),
        Column(words.say("VAT rate"), "right"),
        Column(words.say("Without VAT"), "right"),
        Column(words.say("VAT"), "right"),
        Column(words.say("Amount"), "right"),
    ]

    def sums(lines: list[dict[str, Any]]) -> list[str]:
        return [words.euro(_sum(line[name] for line in lines)) for name in ("net_eur", "vat_eur", "amount_eur")]

    rows = [[words.line(code), code, words.percent(rate), *sums(group)] for (code, rate), group in groups.items()]
    total = [words.say("Together"), "", "", *sums([line for group in groups.values() for line in group])]
    return [paper.heading(words.say("For the books")), paper.table(columns, rows, [total])]


def _energy(statement: dict[str, Any], words: Wording) -> list[Block]:
    energy = statement["energy"]
    rows = [
        (words.say("Sun from the roof"), energy["solar_kwh"]),
        (words.say("Electricity used in the building"), energy["consumed_kwh"]),
        (words.say("Sun used in the building"), energy["shared_kwh"]),
        (words.say("Sun that was sold"), energy["surplus_kwh"]),
        (words.say("Heat from the boiler"), energy["heat_produced_kwh"]),
        (words.say("Heat measured in the homes"), energy["heat_measured_kwh"]),
        (words.say("Heat for hot water"), energy.get("hot_water_kwh")),
        (words.say("Heat lost on the way"), energy["heat_lost_kwh"]),
    ]
    known = [(name, amount) for name, amount in rows if amount is not None]
    decimals = words.decimals([amount for _, amount in known])
    shown = [[name, words.exact(amount, decimals=decimals)] for name, amount in known]
    columns = [Column(words.say("What")), Column(words.say("Energy"), "right")]
    return [paper.heading(words.say("Energy of the building")), paper.table(columns, shown)]


def _balance(whole: Balance | None, words: Wording) -> list[Block]:
    """Say where the energy went; what came by a branch stands further in than the branch."""
    if whole is None:
        return []
    columns = [Column(words.say("What")), Column(words.say("Energy"), "right")]
    rows = [
        [
            "\u2003" * row.depth + words.branch(row.name, row.amount),
            words.rounded(None if row.amount is None else decimal_text(abs(row.amount))),
        ]
        for row in rows_of(whole)
    ]
    note = words.say("A dash means that there is no meter, or that it was not read.")
    return [paper.heading(words.say("Where the energy went")), paper.table(columns, rows), paper.paragraph(note)]


def _pellets(statement: dict[str, Any], words: Wording) -> list[Block]:
    pellets = statement["pellets"]
    if pellets is None:
        return []
    columns = [
        Column(words.say("What")),
        Column(words.say("Quantity"), "right"),
        Column(words.say("Value"), "right"),
    ]
    rows = [
        [words.say("Burnt"), words.exact(pellets["burnt_kg"], "kg"), words.euro(pellets["burnt_eur"])],
        [words.say("Stock at the end"), words.exact(pellets["closing_kg"], "kg"), words.euro(pellets["closing_eur"])],
    ]
    blocks = [paper.heading(words.say("Pellets")), paper.table(columns, rows)]
    if pellets["estimated"]:
        blocks.append(paper.paragraph(words.say("The stock at the end is estimated. The next count corrects it.")))
    return blocks


def _checks(statement: dict[str, Any], words: Wording) -> list[Block]:
    columns = [
        Column(words.say("Check")),
        Column(words.say("Holds")),
        Column(words.say("Difference"), "right"),
    ]
    rows = [
        [check["name"], words.say("yes") if check["holds"] else words.say("no"), check["difference"]]
        for check in statement["checks"]
    ]
    return [paper.heading(words.say("Checks")), paper.table(columns, rows)]


def _findings(statement: dict[str, Any], words: Wording) -> list[Block]:
    findings = statement["findings"]
    if not findings:
        return [paper.heading(words.say("Findings")), paper.paragraph(words.say("Nothing stood out."))]
    columns = [
        Column(words.say("Finding")),
        Column(words.say("Meter")),
        Column(words.say("From (UTC)")),
        Column(words.say("Until (UTC)")),
        Column(words.say("Explanation"), wide=True),
    ]
    rows = [
        [finding["code"], finding["meter"] or "", finding["from"] or "", finding["until"] or "", finding["text"]]
        for finding in findings
    ]
    return [paper.heading(words.say("Findings")), paper.table(columns, rows)]


def _sum(amounts: Iterable[str]) -> str:
    return str(sum((Decimal(amount) for amount in amounts), Decimal("0.00")))
