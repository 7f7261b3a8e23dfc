"""What commands print: a settled month as a table."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

_WIDE = 120
_MOST_FINDINGS = 20


def show_month(statement: dict[str, Any]) -> None:
    """Print a statement: a line per party, the building's energy, the checks and the findings."""
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = _WIDE  # a file or a pipe has no edge to break lines at
    energy = statement["energy"]
    console.print(
        f"{statement['community']} {statement['month']} ({statement['status']}): sun {_kwh(energy['solar_kwh'])},"
        f" shared {_kwh(energy['shared_kwh'])}, left over {_kwh(energy['surplus_kwh'])};"
        f" heat in the flats {_kwh(energy['heat_measured_kwh'])}."
    )
    table = Table("flat", "party", "days", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for name in ("sun kWh", "grid kWh", "heat kWh", "total", "advance", "balance EUR"):
        table.add_column(name, justify="right", no_wrap=True)
    for entry in statement["statements"]:
        electricity, heat = entry["electricity"] or {}, entry["heat"] or {}
        last = date.fromisoformat(entry["until"]) - timedelta(days=1)
        table.add_row(
            entry["flat"] or "",
            entry["party"],
            f"{entry['from'][-2:]}-{last.day:02d}",
            _short(electricity.get("shared_kwh")),
            _short(electricity.get("grid_kwh")),
            _short(heat.get("measured_kwh")),
            entry["total_eur"],
            entry["advance_eur"],
            entry["balance_eur"],
        )
    console.print(table)
    holding = sum(check["holds"] for check in statement["checks"])
    console.print(f"{holding} of {len(statement['checks'])} checks hold exactly.")
    for finding in statement["findings"][:_MOST_FINDINGS]:
        console.print(f"- {finding['text']}", markup=False)
    if len(statement["findings"]) > _MOST_FINDINGS:
        console.print(f"- and {len(statement['findings']) - _MOST_FINDINGS} more findings in the document.")


def show_correction(document: dict[str, Any]) -> None:
    """Print a correction: why, a line per changed party, and what is due."""
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = _WIDE
    console.print(f"{document['community']} {document['month']}, correction (revision {document['revision']}):")
    for reason in document["reasons"][:_MOST_FINDINGS]:
        console.print(f"- {reason['text']}", markup=False)
    table = Table("flat", "party", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for name in ("total", "corrected", "advance", "corrected", "due EUR"):
        table.add_column(name, justify="right", no_wrap=True)
    for entry in document["statements"]:
        amounts = [entry[f"{name}_eur"][when] for name in ("total", "advance") for when in ("original", "recomputed")]
        table.add_row(entry["flat"] or "", entry["party"], *amounts, entry["due_eur"])
    console.print(table)
    holding = sum(check["holds"] for check in document["checks"])
    console.print(f"{holding} of {len(document['checks'])} checks hold exactly.")


def show_year(document: dict[str, Any]) -> None:
    """Print a year: a line per party with what its months asked for and what the year comes to, and the checks."""
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = _WIDE
    sealed = document["documents"]
    months = sorted({one["month"] for one in sealed})
    console.print(
        f"{document['community']} {document['year']}: {months[0]} up to and including {months[-1]}, from {len(months)}"
        f" final statements and {len(sealed) - len(months)} corrections."
    )
    table = Table("flat", "party", "days", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for name in ("total", "advance", "balance EUR", "months'", "difference"):
        table.add_column(name, justify="right", no_wrap=True)
    amounts = ("total_eur", "advance_eur", "balance_eur", "months_balance_eur", "difference_eur")
    for entry in document["statements"]:
        days = sum((date.fromisoformat(one["until"]) - date.fromisoformat(one["from"])).days for one in entry["days"])
        table.add_row(entry["flat"] or "", entry["party"], str(days), *(entry[name] for name in amounts))
    table.add_section()
    table.add_row("", "together", "", *(document["totals"][name] for name in amounts))
    console.print(table)
    holding = sum(check["holds"] for check in document["checks"])
    console.print(f"{holding} of {len(document['checks'])} checks hold exactly.")


def show_rules(compared: dict[str, Any]) -> None:
    """Print a comparison of sharing rules: a line per rule, then each flat's gain under the keys."""
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = _WIDE
    today, rules = compared["today"], compared["rules"]
    energy = today["energy"]
    console.print(
        f"{compared['community']} {compared['from']} up to and including {compared['until']}:"
        f" sun {_kwh(energy['solar_kwh'])}, used {_kwh(energy['consumed_kwh'])}."
        f" Today's rule is {today['same_as'] or 'not the same all the time'}."
    )
    table = Table("rule", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for name in ("self-use %", "of use %", "most lost", "most gained", "owner EUR", "spread EUR", "Gini", "per kWh"):
        table.add_column(name, justify="right", no_wrap=True)
    for rule in rules:
        gains = sorted((Decimal(flat["gain_eur"]), flat["flat"]) for flat in rule["flats"] if flat["gain_eur"])
        table.add_row(
            rule["rule"] + (" *" if rule["today"] else ""),
            rule["energy"]["self_consumption_percent"] or "",
            rule["energy"]["self_sufficiency_percent"] or "",
            f"{gains[0][1]} {gains[0][0]}" if gains else "",
            f"{gains[-1][1]} {gains[-1][0]}" if gains else "",
            *(rule[name] or "" for name in ("owner_gain_eur", "spread_eur", "gini", "gini_per_kwh")),
        )
    console.print(table)
    if any(rule["today"] for rule in rules):
        console.print("* today's rule")
    _show_gains(console, rules)
    for note in compared["notes"]:
        console.print(f"- {note}", markup=False)
    for missing in compared["not_possible"]:
        console.print(f"- {missing['key']} cannot be tried: {missing['what_to_do']}", markup=False)


def _show_gains(console: Console, rules: Sequence[dict[str, Any]]) -> None:
    """Print what each flat gains by the division of the sun alone; where the surplus goes to is in the files."""
    shown = [rule for rule in rules if rule["surplus"] == "owner" and rule["flats"][0]["gain_eur"] is not None]
    if not shown:
        return
    console.print("Gain (or loss) of each flat in EUR against today's rule, the surplus for the owner:")
    table = Table("flat", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for rule in shown:
        table.add_column(rule["rule"].partition("/")[0], justify="right")
    for row in zip(*(rule["flats"] for rule in shown), strict=True):
        table.add_row(row[0]["flat"], *(flat["gain_eur"] for flat in row))
    console.print(table)


def _short(value: str | None) -> str:
    return "" if value is None else value[:-3]


def _kwh(value: str | None) -> str:
    return "unknown" if value is None else f"{value[:-3]} kWh"
