"""Statements as PDF: A4, tagged, PDF/UA-1, the same statement gives the same bytes.

Fonts are those inside the typesetter, so that a document looks the same on every machine. Conformance is what the
typesetter itself enforces: it refuses a document without a title or with a figure without words.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import typst

from settlement.balance import Balance
from settlement.documents.building import building_paper
from settlement.documents.corrected import correction_paper
from settlement.documents.household import household_paper
from settlement.documents.paper import Paper
from settlement.documents.wording import Wording
from settlement.documents.year import year_paper

_TEMPLATE: Final = Path(__file__).with_name("statement.typ")
_NEVER: Final = 0
"""Creation time that is handed to the typesetter: the document says of which month it is, not when it was printed."""


def statement_pdf(
    statement: dict[str, Any],
    entry: dict[str, Any] | None,
    language: str,
    community_name: str,
    whole: Balance | None = None,
    changes: dict[str, Any] | None = None,
) -> bytes:
    """Typeset a statement.

    Parameters
    ----------
    statement
        statement.json of the month.
    entry
        One of its ``statements`` for that party's own document, in plain words; None for the month of the whole
        building, which is the corporation's.
    language
        One of ``core.words.LANGUAGES``; any other is served in Dutch.
    community_name
        As the community file says it.
    whole
        The month's balance, for the document of the whole building.
    changes
        Why the party's total is different, as `settlement.why.answer` says it.

    Returns
    -------
    bytes
        A PDF.
    """
    words = Wording(language)
    if entry is None:
        paper = building_paper(statement, words, community_name, whole)
    else:
        paper = household_paper(statement, entry, words, community_name, changes)
    return _typeset(paper)


def correction_pdf(part: dict[str, Any], language: str, community_name: str) -> bytes:
    """Typeset a household's part of a correction (`settlement.documents.correction.own_part`); else as above."""
    return _typeset(correction_paper(part, Wording(language), community_name))


def year_pdf(document: Mapping[str, Any], entry: Mapping[str, Any], language: str, community_name: str) -> bytes:
    """Typeset a party's year: one of the ``statements`` of a ``year.json``; else as above."""
    return _typeset(year_paper(document, entry, Wording(language), community_name))


def _typeset(paper: Paper) -> bytes:
    inputs = {"paper": json.dumps(asdict(paper), ensure_ascii=False)}
    return typst.compile(
        str(_TEMPLATE),
        format="pdf",
        sys_inputs=inputs,
        pdf_standards="ua-1",
        timestamp=_NEVER,
        ignore_system_fonts=True,
    )
