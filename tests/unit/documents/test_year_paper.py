"""A year as one party reads it: what to pay, what is left beside the months, and nothing of anybody else."""

from __future__ import annotations

import csv
import io
from decimal import Decimal
from typing import Any

import pikepdf
import pytest

from settlement.documents.csv import YEAR_COLUMNS, year_csv
from settlement.documents.paper import Paper
from settlement.documents.pdf import year_pdf
from settlement.documents.wording import NOTHING, Wording
from settlement.documents.year import year_paper

NAME = "Flat De Ster"


def line(code: str, months: str, year: str, vat: str = "0.00", rate: str = "21.00") -> dict[str, Any]:
    def amounts(amount: str) -> dict[str, str]:
        return {"net_eur": str(Decimal(amount) - Decimal(vat)), "vat_eur": vat, "amount_eur": amount}

    off = str(Decimal(year) - Decimal(months))
    difference = {"net_eur": off, "vat_eur": "0.00", "amount_eur": off}
    return {"code": code, "vat_percent": rate, **amounts(year), "months": amounts(months), "difference": difference}


def entry(*lines: dict[str, Any], advance: str = "0.00", **more: Any) -> dict[str, Any]:
    total = sum(Decimal(one["amount_eur"]) for one in lines)
    months = sum(Decimal(one["months"]["amount_eur"]) for one in lines)
    return {
        "party": "h-001",
        "flat": "A01",
        "days": [{"from": "2026-01-01", "until": "2026-06-01"}],
        "corrected": [],
        "lines": list(lines),
        "total_eur": str(total),
        "advance_eur": advance,
        "balance_eur": str(total - Decimal(advance)),
        "months_balance_eur": str(months - Decimal(advance)),
        "difference_eur": str(total - months),
    } | more


def document(*entries: dict[str, Any]) -> dict[str, Any]:
    return {"year": "2026", "statements": list(entries), "result_sha256": "a" * 64}


def paper(one: dict[str, Any], language: str = "nl") -> Paper:
    return year_paper(document(one), one, Wording(language), NAME)


def plain(value: Any) -> Any:
    """Text with ordinary spaces."""
    if isinstance(value, str):
        return value.replace("\N{NO-BREAK SPACE}", " ")
    return [plain(inner) for inner in value]


def block(found: Paper, kind: str, place: int = 0) -> dict[str, Any]:
    return [one for one in found.blocks if one["kind"] == kind][place]


@pytest.mark.parametrize(
    ("months", "year", "advance", "says"),
    [
        ("100.00", "120.00", "0.00", (
            "Over 2026 betaalt u € 120,00",
            "Uw kosten zijn € 120,00.",
            "Samen vragen uw maandoverzichten € 100,00. Het hele jaar komt € 20,00 hoger uit.",
            "Zijn uw maanden al afgerekend? Dan betaalt u alleen nog dit verschil.",
        )),
        ("100.00", "90.00", "150.00", (
            "Over 2026 krijgt u € 60,00 terug",
            "Uw kosten zijn € 90,00. U betaalde vooraf € 150,00.",
            "Samen geven uw maandoverzichten € 50,00 terug. Het hele jaar komt € 10,00 lager uit.",
            "Zijn uw maanden al afgerekend? Dan krijgt u alleen nog dit verschil terug.",
        )),
        ("100.00", "100.00", "100.00", (
            "Over 2026 hoeft u niets te betalen",
            "Uw kosten zijn € 100,00. U betaalde vooraf € 100,00.",
            "Samen komen uw maandoverzichten op nul uit. Het hele jaar komt op hetzelfde uit.",
            "Zijn uw maanden al afgerekend? Dan hoeft u niets meer te betalen.",
        )),
        # Months that gave money back, and a year that asks for some: no figure carries a minus.
        ("100.00", "130.00", "110.00", (
            "Over 2026 betaalt u € 20,00",
            "Uw kosten zijn € 130,00. U betaalde vooraf € 110,00.",
            "Samen geven uw maandoverzichten € 10,00 terug. Het hele jaar komt € 30,00 hoger uit.",
            "Zijn uw maanden al afgerekend? Dan betaalt u alleen nog dit verschil.",
        )),
    ],
)  # fmt: skip
def test_first_what_the_year_asks_then_what_is_left_beside_the_months(
    months: str, year: str, advance: str, says: tuple[str, ...]
) -> None:
    lead = block(paper(entry(line("heat_fixed", months, year), advance=advance)), "lead")
    assert plain([lead["text"], *lead["notes"]]) == list(says)


def test_the_table_sets_the_year_beside_the_months_and_adds_rates_of_vat_up() -> None:
    one = entry(
        line("solar", "30.00", "30.00", vat="5.21"),
        line("heat_fixed", "40.00", "0.00"),
        line("heat_fixed", "0.00", "50.00", vat="4.13", rate="9.00"),
        line("work", "-5.00", "-5.00", rate="0.00"),
        advance="80.00",
    )
    table = block(paper(one), "table")
    assert plain(table["rows"]) == [
        ["Zonnestroom van het dak", "€ 30,00", "€ 30,00"],
        ["Warmte, vast deel", "€ 40,00", "€ 50,00"],
        ["Werk voor het gebouw", "€ 5,00 terug", "€ 5,00 terug"],
    ]
    assert plain(table["totals"]) == [
        ["Samen", "€ 65,00", "€ 75,00"],
        ["Vooraf betaald", "€ 80,00", "€ 80,00"],
        ["Te betalen", "€ 15,00 terug", "€ 5,00 terug"],
    ]
    assert plain(block(paper(one), "text")["text"]) == "In het bedrag van het jaar zit € 9,34 btw."


def test_a_line_the_months_did_not_have_shows_a_dash_there() -> None:
    assert plain(block(paper(entry(line("heat_fixed", "0.00", "3.00"))), "table")["rows"]) == [
        ["Warmte, vast deel", NOTHING, "€ 3,00"]
    ]


def test_why_heat_can_differ_is_said_to_those_who_have_some() -> None:
    said = " ".join(one.get("text", "") for one in paper(entry(line("heat_fixed", "1.00", "2.00"))).blocks)
    assert "Binnen een maand telt elke dag even zwaar." in said
    assert "Over het jaar telt een winterdag zwaarder, want dan is veel meer warmte nodig." in said
    said = " ".join(one.get("text", "") for one in paper(entry(line("feed_in", "-1.00", "-1.00"))).blocks)
    assert "winterdag" not in said
    assert "btw" not in said  # a credit carries none to pay


def test_corrected_months_are_named() -> None:
    one = entry(line("fixed", "1.00", "1.00"), corrected=["2026-02", "2026-11"])
    assert plain(block(paper(one), "text", -1)["text"]) == (
        "Deze maanden zijn verbeterd: februari 2026, november 2026. De verbeteringen zijn meegeteld."
    )
    none = paper(entry(line("fixed", "1.00", "1.00")))
    assert block(none, "text", -1)["text"] == "Geen van uw maanden is verbeterd."


def test_whose_it_is_and_of_which_days_stands_on_top() -> None:
    found = paper(entry(line("fixed", "1.00", "1.00")))
    assert found.title == "Uw jaaroverzicht van 2026"
    assert found.subtitle == "Flat De Ster · woning A01 · 1 januari 2026 tot en met 31 mei 2026"
    twice = [{"from": "2026-01-01", "until": "2026-02-01"}, {"from": "2026-12-01", "until": "2027-01-01"}]
    owner = paper(entry(line("feed_in", "-1.00", "-1.00"), party="owner", flat=None, days=twice), "en")
    assert owner.subtitle == (
        "Flat De Ster · The owner · 1 January 2026 up to and including 31 January 2026"
        " · 1 December 2026 up to and including 31 December 2026"
    )
    assert owner.blocks[0]["text"] == "For 2026 you get €1.00 back"


def test_nobody_reads_of_anybody_else() -> None:
    mine = entry(line("fixed", "1.00", "1.00"))
    other = entry(line("fixed", "777.00", "777.00"), party="h-002", flat="A02", corrected=["2026-09"])
    found = str(year_paper(document(mine, other), mine, Wording("nl"), NAME))
    for foreign in ("777", "h-002", "A02", "september"):
        assert foreign not in found


@pytest.mark.parametrize("language", ["nl", "en"])
def test_the_pdf_is_tagged_titled_and_the_same_every_time(language: str) -> None:
    one = entry(line("heat_fixed", "1.00", "2.00"))
    made = year_pdf(document(one), one, language, NAME)
    assert made == year_pdf(document(one), one, language, NAME)
    with pikepdf.open(io.BytesIO(made)) as pdf:
        assert str(pdf.Root.Lang).lower().startswith(language)
        assert bool(pdf.Root.MarkInfo.Marked)
        with pdf.open_metadata() as metadata:
            assert "2026" in str(metadata["dc:title"])


def test_the_rows_to_book_add_up_to_the_balances() -> None:
    one = entry(line("solar", "30.00", "30.00", vat="5.21"), line("heat_fixed", "40.00", "45.00"), advance="80.00")
    gone = entry(days=[], party="=h", flat="A02", advance="1.00")
    rows = list(csv.DictReader(io.StringIO(year_csv(document(one, gone)), newline="")))
    assert tuple(rows[0]) == YEAR_COLUMNS
    assert [row["code"] for row in rows] == ["solar", "heat_fixed", "advance", "advance"]
    mine = [row for row in rows if row["flat"] == "A01"]
    for column, due in (("amount_eur", "-5.00"), ("months_amount_eur", "-10.00"), ("difference_eur", "5.00")):
        assert sum(Decimal(row[column]) for row in mine) == Decimal(due)
    assert (mine[0]["from"], mine[0]["until"]) == ("2026-01-01", "2026-06-01")
    assert (rows[-1]["party"], rows[-1]["from"], rows[-1]["until"]) == ("'=h", "", "")
