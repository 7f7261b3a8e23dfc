"""A correction as one household reads it: more or less to pay, why, and which amounts changed."""

from __future__ import annotations

from typing import Any

import pytest

from settlement.documents.corrected import corrected, correction_paper
from settlement.documents.pdf import correction_pdf
from settlement.documents.wording import NOTHING, Wording


def three(was: str, now: str, difference: str) -> dict[str, str]:
    return {"original": was, "recomputed": now, "difference": difference}


def line(code: str, was: str, now: str) -> dict[str, Any]:
    amounts = {"original": {"amount_eur": was}, "recomputed": {"amount_eur": now}}
    return {"code": code, "price_eur": None, "vat_percent": "9", "unit": None} | amounts


def part(due: str, balance: dict[str, str], *lines: dict[str, Any], why: tuple[str, ...] = ()) -> dict[str, Any]:
    entry = {
        "party": "h-a",
        "flat": "A01",
        "lines": list(lines),
        "total_eur": three("40.00", "43.00", "3.00"),
        "advance_eur": three("30.00", "30.00", "0.00"),
        "balance_eur": balance,
        "due_eur": due,
    }
    reasons = [{"kind": "added", "what": what, "name": "x", "text": "x"} for what in why]
    return {"month": "2026-02", "number": "2026-0007", "revision": 2, "statements": [entry], "reasons": reasons}


def plain(text: str) -> str:
    return text.replace("\N{NO-BREAK SPACE}", " ")


DEARER = part("3.00", three("10.00", "13.00", "3.00"), line("heat_fixed", "12.00", "15.00"), why=("costs", "costs"))


@pytest.mark.parametrize(
    ("due", "now", "said", "together"),
    [
        ("3.00", "13.00", "U betaalt € 3,00 meer", "Voor de hele maand betaalt u nu € 13,00."),
        ("-13.00", "-3.00", "U krijgt € 13,00 terug", "Voor de hele maand krijgt u nu € 3,00 terug."),
        ("0.00", "0.00", "U betaalt evenveel als eerst", "Voor de hele maand hoeft u nu niets te betalen."),
    ],
)
def test_no_amount_is_ever_negative(due: str, now: str, said: str, together: str) -> None:
    found = corrected(part(due, three("10.00", now, due)), Wording("nl"))
    assert (plain(found.due), plain(found.together)) == (said, together)


def test_each_reason_is_told_once_and_unknown_ones_in_general() -> None:
    assert corrected(DEARER, Wording("nl")).reasons == ("Een rekening voor het gebouw kwam erbij of is verbeterd.",)
    balance = three("10.00", "13.00", "3.00")
    both = corrected(part("3.00", balance, why=("pellets.deliveries", "flats")), Wording("nl")).reasons
    assert both == (
        "Een levering of telling van de pellets kwam erbij of is verbeterd.",
        "Er is iets veranderd voor het gebouw.",
    )
    assert corrected(part("3.00", balance), Wording("nl")).reasons == ("Er is iets veranderd voor het gebouw.",)


def test_the_rows_are_the_lines_that_changed_and_the_sum_that_did() -> None:
    rows = [tuple(map(plain, row)) for row in corrected(DEARER, Wording("nl")).rows]
    assert rows == [("Warmte, vast deel", "€ 12,00", "€ 15,00"), ("Samen", "€ 40,00", "€ 43,00")]


def test_a_line_that_is_new_or_gone_has_a_dash_on_that_side_and_work_its_own_name() -> None:
    balance = three("10.00", "13.00", "3.00")
    gone, new = line("work", "-5.00", "0.00"), line("solar", "0.00", "2.00")
    rows = [tuple(map(plain, row)) for row in corrected(part("3.00", balance, gone, new), Wording("nl")).rows]
    assert rows[:2] == [
        ("Bedankt voor uw werk", "€ 5,00 terug", NOTHING),
        ("Zonnestroom van het dak", NOTHING, "€ 2,00"),
    ]


@pytest.mark.parametrize("language", ["nl", "en"])
def test_it_is_a_document_of_its_own(language: str) -> None:
    paper = correction_paper(DEARER, Wording(language), "Flat De Ster")
    assert "2026-0007" in paper.subtitle
    assert "A01" in paper.subtitle
    assert correction_pdf(DEARER, language, "Flat De Ster").startswith(b"%PDF-")
