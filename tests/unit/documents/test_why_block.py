"""The household's document says why the month is different, in the words of the page."""

from __future__ import annotations

from typing import Any

from settlement.documents.household import household_paper
from settlement.documents.pdf import statement_pdf
from settlement.documents.wording import Wording

WHY: dict[str, Any] = {
    "comparisons": [
        {"kind": "last_month", "with": "2025-12", "comparable": False, "reason": "not_here"},
        {
            "kind": "last_year",
            "with": "2025-01",
            "comparable": True,
            "total_eur": "60.00",
            "difference_eur": "5.68",
            "weather_by": "season",
            "complete": True,
            "parts": [{"code": "weather", "amount_eur": "6.68"}, {"code": "price", "amount_eur": "-1.00"}],
        },
    ]
}


def test_the_reason_and_the_parts_stand_on_the_paper(statement: dict[str, Any]) -> None:
    entry = statement["statements"][0]
    without = household_paper(statement, entry, Wording("nl"), "Flat De Ster").blocks
    blocks = household_paper(statement, entry, Wording("nl"), "Flat De Ster", WHY).blocks
    added = [block for block in blocks if block not in without]
    assert [block["kind"] for block in added] == ["heading", "text", "heading", "text", "table", "text"]
    assert added[1]["text"] == "U woonde hier niet in december 2025. Daarom kunnen we niet vergelijken."
    assert added[3]["text"] == "Uw kosten zijn \N{EURO SIGN}\N{NO-BREAK SPACE}5,68 hoger dan in januari 2025."
    assert [row[1] for row in added[4]["rows"]] == ["€\N{NO-BREAK SPACE}6,68 meer", "€\N{NO-BREAK SPACE}1,00 minder"]


def test_it_can_be_typeset(statement: dict[str, Any]) -> None:
    entry = statement["statements"][0]
    plain = statement_pdf(statement, entry, "nl", "Flat De Ster")
    assert statement_pdf(statement, entry, "nl", "Flat De Ster", changes=WHY) != plain
