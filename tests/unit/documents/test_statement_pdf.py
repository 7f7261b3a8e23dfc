"""A statement as PDF: what it says, how it is built for readers of all kinds, and that it never changes by itself."""

from __future__ import annotations

import io
from typing import Any

import pikepdf
import pytest

from settlement.balance import Figures
from settlement.balance import balance as balance_of
from settlement.documents.building import building_paper
from settlement.documents.household import balance, household_paper
from settlement.documents.paper import Paper
from settlement.documents.pdf import statement_pdf
from settlement.documents.wording import Wording

NAME = "Flat De Ster"


def texts(paper: Paper) -> str:
    """Everything a document says, in reading order, with plain spaces."""

    def walk(value: Any):
        if isinstance(value, str):
            yield value
        elif isinstance(value, dict):
            for inner in value.values():
                yield from walk(inner)
        elif isinstance(value, (list, tuple)):
            for inner in value:
                yield from walk(inner)

    head = [paper.title, paper.subtitle, paper.status, paper.footer]
    return " ".join([*head, *walk(paper.blocks)]).replace("\u00a0", " ")


def household(statement: dict[str, Any], index: int = 0, language: str = "nl") -> str:
    return texts(household_paper(statement, statement["statements"][index], Wording(language), NAME))


def test_a_household_reads_first_what_it_pays(statement: dict[str, Any]) -> None:
    paper = household_paper(statement, statement["statements"][0], Wording("nl"), NAME)
    assert paper.title == "Uw overzicht van januari 2026"
    assert paper.blocks[0]["text"].replace("\u00a0", " ") == "U betaalt € 5,68"
    note = paper.blocks[0]["notes"][0].replace("\u00a0", " ")
    assert note == "Uw kosten zijn € 65,68. U betaalde vooraf € 60,00."


def test_money_back_is_never_a_negative_number(statement: dict[str, Any]) -> None:
    text = household(statement, 1)
    assert "U krijgt € 79,18 terug" in text
    assert "€ 3,20 terug" in text
    assert "-" not in text.replace("A02-", "").replace("€ -", "€ MINUS")
    assert "MINUS" not in text


def test_a_round_balance_is_said_in_words() -> None:
    assert balance("0.00", Wording("nl")) == "U hoeft niets te betalen"
    assert balance("0.00", Wording("en")) == "You have nothing to pay"


def test_the_sentences_carry_one_decimal_and_the_table_every_digit(statement: dict[str, Any]) -> None:
    text = household(statement)
    assert "U gebruikte 200,5 kWh stroom. Daarvan kwam 50,1 kWh van het dak. Dat is 25 van de 100 delen." in text
    assert "50,125 kWh" in text
    assert "€ 4,50 per maand" in text


def test_what_is_estimated_or_missing_is_said(statement: dict[str, Any]) -> None:
    text = household(statement)
    assert "Gemeten: 97,5 % van uw cijfers. Geschat of verbeterd: 2,25 %. Er ontbreekt 0,25 %." in text


def test_english_is_english(statement: dict[str, Any]) -> None:
    text = household(statement, 1, "en")
    assert "You get £" not in text
    assert "You get €79.18 back" in text
    assert "1 January 2026 up to and including 10 January 2026" in text


def test_an_unknown_language_is_served_in_dutch(statement: dict[str, Any]) -> None:
    assert household(statement, 0, "fr") == household(statement, 0, "nl")


def test_a_household_sees_nothing_of_others(statement: dict[str, Any]) -> None:
    for language in ("nl", "en"):
        text = household(statement, 0, language)
        for foreign in ("A02", "h-002", "heat-A02", "79,18", "79.18"):
            assert foreign not in text


def test_an_entry_without_meters_has_no_sentences_about_them(statement: dict[str, Any]) -> None:
    text = household(statement, 2)
    assert "de eigenaar" in text
    assert "U gebruikte" not in text
    assert "Gemeten" not in text


def test_a_home_without_any_use_is_possible(statement: dict[str, Any]) -> None:
    nothing = {"consumed_kwh": "0.000000", "shared_kwh": "0.000000", "grid_kwh": "0.000000", "saved_eur": None}
    statement["statements"][0]["electricity"] = nothing
    assert "Dat is 0 van de 100 delen." in household(statement)
    assert statement_pdf(statement, statement["statements"][0], "nl", NAME).startswith(b"%PDF")


def test_a_later_version_and_a_final_month_say_so(statement: dict[str, Any]) -> None:
    assert "Voorlopig" in household(statement)
    statement |= {"status": "final", "revision": 2}
    assert "Definitief. Versie 2." in household(statement)


def test_the_month_of_the_building_adds_up(statement: dict[str, Any]) -> None:
    paper = building_paper(statement, Wording("en"), NAME)
    tables = [block for block in paper.blocks if block["kind"] == "table"]
    assert tables[0]["totals"][0][-3:] == ["€70.50", "€145.00", "-€74.50"]
    assert tables[1]["totals"][0][-3:] == ["€70.50", "€0.00", "€70.50"]
    assert [row[0] for row in tables[0]["rows"]] == ["A01", "A02", "\N{EN DASH}"]


def test_the_month_of_the_building_shows_energy_checks_findings_and_hashes(statement: dict[str, Any]) -> None:
    text = texts(building_paper(statement, Wording("nl"), NAME))
    for expected in ("1.224,60 kWh", "656,863 kg", "De voorraad aan het eind is geschat", "every transaction sums"):
        assert expected in text
    for expected in ("8 intervals were estimated", "a" * 64, "b" * 64):
        assert expected in text


def test_the_month_of_the_building_says_where_the_energy_went(statement: dict[str, Any]) -> None:
    kwh = 10**6
    figures = Figures(
        has=frozenset({"solar_generation", "grid_import", "grid_export", "flats", "common"}),
        complete=True,
        sun=300 * kwh,
        sun_flats=200 * kwh,
        surplus=100 * kwh,
        grid_import=1000 * kwh,
        grid_export=100 * kwh,
        flats=1250 * kwh,
        common=20 * kwh,
    )
    whole = balance_of(figures)
    text = texts(building_paper(statement, Wording("nl"), NAME, whole))
    assert "Waar de energie bleef" in text
    assert "Te veel geteld 70,0 kWh" in text  # and no minus
    assert "Zon gebruikt in de gedeelde ruimten \N{EN DASH}" in text
    assert "Niet te verklaren" not in text
    assert statement_pdf(statement, None, "nl", NAME, whole).startswith(b"%PDF")


def test_a_building_without_pellets_heat_or_findings_is_possible(statement: dict[str, Any]) -> None:
    statement |= {"pellets": None, "findings": []}
    statement["energy"] |= {"heat_produced_kwh": None, "heat_measured_kwh": None, "heat_lost_kwh": None}
    text = texts(building_paper(statement, Wording("nl"), NAME))
    assert "Pellets" not in text
    assert "Warmte voor warm water" not in text
    assert "ketel" not in text
    assert "Er viel niets op." in text
    assert statement_pdf(statement, None, "nl", NAME).startswith(b"%PDF")


def test_the_building_s_energy_tells_what_hot_water_took_where_it_is_apart(statement: dict[str, Any]) -> None:
    statement["energy"] |= {"hot_water_kwh": "123.400000"}
    assert "Warmte voor warm water 123,4" in texts(building_paper(statement, Wording("nl"), NAME))


@pytest.mark.parametrize(("index", "language"), [(0, "nl"), (1, "en"), (None, "nl")])
def test_the_pdf_is_tagged_titled_and_in_a_language(
    statement: dict[str, Any], index: int | None, language: str
) -> None:
    chosen = None if index is None else statement["statements"][index]
    with pikepdf.open(io.BytesIO(statement_pdf(statement, chosen, language, NAME))) as pdf:
        assert str(pdf.Root.Lang).lower().startswith(language)
        assert bool(pdf.Root.MarkInfo.Marked)
        assert bool(pdf.Root.ViewerPreferences.DisplayDocTitle)
        tags = set(_tags(pdf.Root.StructTreeRoot))
        assert {"H1", "H2", "P", "Table", "TH", "TD"} <= tags
        with pdf.open_metadata() as metadata:
            assert "januari 2026" in str(metadata["dc:title"]) or "January 2026" in str(metadata["dc:title"])
            assert metadata["pdfuaid:part"] == "1"
        page = pdf.pages[0].mediabox
        assert sorted(round(float(side)) for side in (page[2], page[3])) == [595, 842]
        for font in (font for page in pdf.pages for font in page.Resources.Font.values()):
            assert "FontFile" in " ".join(font.DescendantFonts[0].FontDescriptor.keys())


def test_the_bar_is_told_in_words(statement: dict[str, Any]) -> None:
    with pikepdf.open(io.BytesIO(statement_pdf(statement, statement["statements"][0], "nl", NAME))) as pdf:
        described = [str(node.Alt) for node in _nodes(pdf.Root.StructTreeRoot) if "/Alt" in node]
    assert described == ["Balk: 25 procent van uw stroom was zon."]


def test_the_same_statement_gives_the_same_bytes(statement: dict[str, Any]) -> None:
    for chosen in (statement["statements"][0], None):
        assert statement_pdf(statement, chosen, "nl", NAME) == statement_pdf(statement, chosen, "nl", NAME)


def test_text_of_a_community_cannot_become_markup(statement: dict[str, Any]) -> None:
    name = '#panic("x") *De* $ster$ `\\'
    statement["findings"][0]["text"] = '#include "/etc/passwd" = <b> \\u{41}'
    assert statement_pdf(statement, None, "nl", name).startswith(b"%PDF")
    assert statement_pdf(statement, statement["statements"][0], "nl", name).startswith(b"%PDF")


def _nodes(node: Any):
    kids = node.get("/K")
    if kids is None:
        return
    for kid in kids if isinstance(kids, pikepdf.Array) else [kids]:
        if isinstance(kid, pikepdf.Dictionary):
            yield kid
            yield from _nodes(kid)


def _tags(root: Any):
    return (str(node.S).removeprefix("/") for node in _nodes(root) if "/S" in node)


@pytest.mark.parametrize(
    ("method", "kwh", "says"),
    [
        (
            "same_flat_last_year",
            "12.340000",
            "Een warmtemeter was stuk. 12,3 kWh is geschat uit wat deze woning in dezelfde maand vorig jaar",
        ),
        ("same_flat_last_month", "1.000000", "is geschat uit wat deze woning in de maand ervoor verbruikte."),
        ("alike_flats", None, "Wat hij miste, is geschat uit woningen die ongeveer even groot zijn."),
        ("building", "1.000000", "is geschat uit het gemiddelde van alle woningen."),
        (
            "fixed_measure",
            None,
            "Veel warmtemeters waren stuk. Daarom wordt alle warmte verdeeld zoals het vaste",
        ),
    ],
)
def test_a_household_reads_how_the_heat_of_a_failed_meter_was_found(
    statement: dict[str, Any], method: str, kwh: str | None, says: str
) -> None:
    free = "Wat ontbreekt, betaalt u pas als het bekend is."
    assert "Een warmtemeter was stuk" not in household(statement)
    statement["statements"][0]["heat"] |= {"estimated_by": None, "estimated_kwh": None}
    without = household(statement)
    assert "Een warmtemeter was stuk" not in without
    assert free in without
    statement["statements"][0]["heat"] |= {"estimated_by": method, "estimated_kwh": kwh}
    told = household(statement)
    assert says in " ".join(told.split())
    assert free not in told


@pytest.mark.parametrize(
    ("method", "m3", "kwh", "says"),
    [
        (
            "same_flat_last_year", "2.340000", "292.500000",
            "Een warmwatermeter was stuk. 2,3 m³ is geschat uit wat deze woning in dezelfde maand vorig jaar",
        ),
        ("alike_flats", None, "12.340000", "Een warmwatermeter was stuk. 12,3 kWh is geschat uit woningen die"),
        (
            "fixed_measure", None, None,
            "Veel warmwatermeters waren stuk. Daarom wordt al het warme water verdeeld zoals het vaste deel ervan.",
        ),
    ],
)  # fmt: skip
def test_a_household_reads_how_the_hot_water_of_a_failed_meter_was_found(
    statement: dict[str, Any], method: str, m3: str | None, kwh: str | None, says: str
) -> None:
    water = {"measured_kwh": "1.000000", "measured_m3": None, "measured_eur": "9.00", "fixed_eur": "4.00"}
    nothing = {"estimated_by": None, "estimated_m3": None, "estimated_kwh": None}
    statement["statements"][0]["heat"] |= {"hot_water": water | nothing}
    assert "warmwatermeter" not in household(statement)
    told = {"estimated_by": method, "estimated_m3": m3, "estimated_kwh": kwh}
    statement["statements"][0]["heat"] |= {"hot_water": water | told}
    found = " ".join(household(statement).split())
    assert says in found
    assert "warmtemeter" not in found


def test_a_household_reads_what_hot_water_costs(statement: dict[str, Any]) -> None:
    assert "Warm water" not in household(statement)
    statement["statements"][0]["heat"]["hot_water"] = {
        "measured_kwh": "1.000000", "measured_m3": None, "measured_eur": "9.00", "fixed_eur": "4.00",
    }  # fmt: skip
    assert "Bij warm water kost het gemeten deel € 9,00, het vaste deel € 4,00." in household(statement)
    assert "Warm water telt hier niet mee." in household(statement)
