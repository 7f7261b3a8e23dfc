"""`wijkenergie year` on a real database: final months, corrections, and the documents people get."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from core.db import amend
from core.db.connection import Connection, connect
from core.time import Month
from settlement import run
from settlement.final import issue, store
from settlement.final.years import make
from settlement.replay import write_files
from tests.support import yeartown
from tests.support.commandline import CommandLine
from tests.support.pdftext import text_of
from tests.support.postgres import clone, template
from tests.support.yeartown import LATER, MONTHS, SLUG
from wijkenergie.year import files

pytestmark = pytest.mark.integration

MARCH, MAY = Month(2025, 3), Month(2025, 5)


def seed(url: str) -> None:
    with connect(url) as connection:
        yeartown.fill(connection)
        yeartown.finalise(connection)


@pytest.fixture(scope="module")
def year_name(server_url: str, template_name: str) -> Iterator[str]:
    """Name of a database with a year of final months in it."""
    with template(server_url, template_name, seed) as name:
        yield name


@pytest.fixture
def year_url(server_url: str, year_name: str) -> Iterator[str]:
    with clone(server_url, year_name) as url:
        yield url


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str], tmp_path: Path, year_url: str) -> CommandLine:
    return CommandLine(capsys, tmp_path, year_url)


def correct(connection: Connection) -> None:
    """A bill of March was dearer; h-A left in May already, so May and June are somebody else's in part."""
    by = {"by": "board", "why": "typing error", "now": LATER}
    amend.amend(connection, SLUG, "cost", "heat M-2025-03", {"eur": "480.03"}, **by)
    amend.amend(connection, SLUG, "household", "h-A", {"until": "2025-05-11"}, **by)
    for month in (MARCH, MAY, Month(2025, 6)):
        assert issue.correct(connection, SLUG, month, LATER, "corporation")


def kept(connection: Connection) -> list[Any]:
    """Every posting, and every table of the year's months by its number of rows."""
    tables = ("month", "posting", "sealed", "correction_posting", "exported", "correction_candidate", "event")
    return [connection.execute(f"SELECT count(*), max(t::text) FROM {name} t".encode()).fetchone() for name in tables]


def sums(connection: Connection) -> dict[tuple[str, str], Decimal]:
    """What holds of 2025 by party and code, and of its advances, straight from the sealed documents [EUR]."""
    found: dict[tuple[str, str], Decimal] = {}
    for month in MONTHS:
        for sealed in store.of_month(connection, SLUG, str(month)):
            for entry in sealed.tree["statements"]:
                of = f"{entry['flat']} {entry['party']}"
                if sealed.revision == 1:
                    rows = [(line["code"], line["amount_eur"]) for line in entry["lines"]]
                    rows.append(("advance", entry["advance_eur"]))
                else:
                    rows = [(line["code"], line["difference"]["amount_eur"]) for line in entry["lines"]]
                    rows.append(("advance", entry["advance_eur"]["difference"]))
                for code, eur in rows:
                    found[of, code] = found.get((of, code), Decimal(0)) + Decimal(eur)
    return found


@pytest.fixture(scope="module")
def corrected_url(server_url: str, year_name: str) -> Iterator[str]:
    """Address of the same database after three months had been corrected; only read."""
    with clone(server_url, year_name) as url:
        with connect(url) as connection:
            correct(connection)
        yield url


@pytest.fixture(scope="module")
def corrected(corrected_url: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with its year."""
    folder = tmp_path_factory.mktemp("year")
    with connect(corrected_url) as connection:
        write_files(folder, files(make(connection, SLUG, "2025")))
    return folder


def read(folder: Path) -> Any:
    return json.loads((folder / "year.json").read_bytes())


def test_every_cent_of_the_months_and_their_corrections_is_in_the_year(corrected: Path, corrected_url: str) -> None:
    document = read(corrected)
    with connect(corrected_url) as connection:
        held = sums(connection)
    for entry in document["statements"]:
        of = f"{entry['flat']} {entry['party']}"
        for line in entry["lines"]:
            assert Decimal(line["months"]["amount_eur"]) == held[of, line["code"]]
            if line["code"] != "heat_fixed":
                assert line["amount_eur"] == line["months"]["amount_eur"]
        assert Decimal(entry["advance_eur"]) == held[of, "advance"]
    pool = sum(eur for (_, code), eur in held.items() if code == "heat_fixed")
    assert [Decimal(x["amount_eur"]) for x in document["totals"]["lines"] if x["code"] == "heat_fixed"] == [pool]
    assert document["totals"]["difference_eur"] == "0.00"
    assert all(check["holds"] for check in document["checks"])
    assert "year: balances of 2025-03 = those its corrections say hold" in [one["name"] for one in document["checks"]]


def test_the_year_names_its_documents_and_hashes_itself(corrected: Path, corrected_url: str) -> None:
    document = read(corrected)
    with connect(corrected_url) as connection:
        sealed = [one for month in MONTHS for one in store.of_month(connection, SLUG, str(month))]
    assert [(one["number"], one["seal_sha256"]) for one in document["documents"]] == [
        (one.number, one.seal_sha256) for one in sealed
    ]
    assert [one["month"] for one in document["documents"] if one["revision"] == 2] == ["2025-03", "2025-05", "2025-06"]
    rest = {name: value for name, value in document.items() if name != "result_sha256"}
    text = json.dumps(rest, ensure_ascii=False, indent=2, sort_keys=True) + "\n"
    assert hashlib.sha256(text.encode()).hexdigest() == document["result_sha256"]


def test_days_and_corrected_months_are_those_that_hold(corrected: Path, corrected_url: str) -> None:
    with connect(corrected_url) as connection:
        balances = store.corrected_balances(connection, SLUG, "h-C")
    h_a, owner, h_new, *_, h_c, own = read(corrected)["statements"]
    assert h_c["corrected"] == sorted(balances)  # as the pages show them
    assert h_c["corrected"][0] == "2025-03"
    assert own["corrected"] == []
    assert h_a["days"] == [{"from": "2025-01-01", "until": "2025-05-11"}]
    assert h_a["corrected"] == ["2025-03", "2025-05", "2025-06"]
    assert owner["days"] == [{"from": "2025-05-11", "until": "2025-07-01"}]
    assert h_new["corrected"] == []


def test_the_rows_to_book_add_up_to_the_balances_and_each_balances_by_itself(corrected: Path) -> None:
    rows = list(csv.DictReader(io.StringIO((corrected / "year.csv").read_text(encoding="utf-8"))))
    columns = {
        "amount_eur": "balance_eur",
        "months_amount_eur": "months_balance_eur",
        "difference_eur": "difference_eur",
    }
    for entry in read(corrected)["statements"]:
        mine = [row for row in rows if (row["party"], row["flat"]) == (entry["party"], entry["flat"] or "")]
        for column, name in columns.items():
            assert sum(Decimal(row[column]) for row in mine) == Decimal(entry[name])
    booked = [row for row in rows if Decimal(row["difference_eur"])]
    assert {row["code"] for row in booked} == {"heat_fixed"}
    assert sum(Decimal(row["difference_eur"]) for row in booked) == 0
    for row in booked:
        net, vat = Decimal(row["difference_net_eur"]), Decimal(row["difference_vat_eur"])
        assert net + vat == Decimal(row["difference_eur"])


def test_every_party_reads_its_own_year_in_plain_words(corrected: Path) -> None:
    assert {path.name for path in corrected.iterdir()} == {
        "year.json", "year.csv", "A+h-A.pdf", "A+owner.pdf", "A+h-new.pdf", "B+h-B.pdf", "B+owner.pdf", "B+h-B2.pdf",
        "C+h-C.pdf", "owner.pdf",
    }  # fmt: skip
    document = read(corrected)
    h_a = document["statements"][0]
    text = text_of((corrected / "A+h-A.pdf").read_bytes())
    for words in (
        "Uw jaaroverzicht van 2025",
        "woning A · 1 januari 2025 tot en met 10 mei 2025",
        f"Over 2025 betaalt u {euro(h_a['balance_eur'])}",
        f"U betaalde vooraf {euro(h_a['advance_eur'])}",
        f"Samen vragen uw maandoverzichten {euro(h_a['months_balance_eur'])}.",
        f"Het hele jaar komt {euro(h_a['difference_eur'])} hoger uit.",
        "Over het jaar telt een winterdag zwaarder, want dan is veel meer warmte nodig.",
        "Deze maanden zijn verbeterd: maart 2025, mei 2025, ",
        document["result_sha256"],
    ):
        assert words.replace(" ", "") in text
    assert "Geenvanuwmaandenisverbeterd." in text_of((corrected / "A+h-new.pdf").read_bytes())


def test_the_command_writes_the_same_again_and_only_reads_the_database(
    corrected: Path, corrected_url: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    with connect(corrected_url) as connection:
        before = kept(connection)
    said = CommandLine(capsys, tmp_path, corrected_url)("year", "2025", "--out", "out")
    assert (said.returncode, said.stderr) == (0, "")
    assert "2025-01 up to and including 2025-12, from 12 final statements and 3 corrections." in said.stdout
    assert "Written to out: year.json, year.csv and 8 PDFs." in said.stdout
    written = {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()}
    assert written == {path.name: path.read_bytes() for path in corrected.iterdir()}
    with connect(corrected_url) as connection:
        assert kept(connection) == before


def euro(amount: str) -> str:
    whole, cents = amount.split(".")
    return f"€ {int(whole):,}".replace(",", ".") + f",{cents}"


def test_a_correction_that_waits_is_told_and_does_not_count(command: CommandLine, year_url: str) -> None:
    plain = json.loads(command("year", "2025", "--out", "plain", "--json").stdout)
    with connect(year_url) as connection:
        amend.amend(connection, SLUG, "cost", "heat M-2025-03", {"eur": "480.03"}, "board", "typing error", LATER)
        assert issue.look_again(connection, SLUG, MARCH, LATER)
    said = command("year", "2025", "--out", "out")
    assert (
        "A correction of 2025-03 waits and does not count: 'wijkenergie settle 2025-03 --final' issues it"
        in said.stdout
    )
    assert json.loads(command("year", "2025", "--out", "out", "--json").stdout) == plain


def test_a_rule_changed_in_the_file_does_not_reach_a_year_that_is_final(command: CommandLine, year_url: str) -> None:
    plain = command("year", "2025", "--out", "plain", "--json").stdout
    with connect(year_url) as connection:
        equal = [{"from": "2020-01-01", "measured_percent": "65", "fixed_by": "equal"}]
        yeartown.apply(connection, heat=equal)
    assert command("year", "2025", "--out", "out", "--json").stdout == plain
    with connect(year_url) as connection:
        issue.correct(connection, SLUG, MARCH, LATER, "corporation")
    document = json.loads(command("year", "2025", "--out", "out", "--json").stdout)
    # Only March was corrected: it is divided equally, the months before and after it by floor area as they were.
    assert [one["name"] for one in document["checks"] if "heat_fixed from" in one["name"]] == [
        "year: heat_fixed from 2025-01-01 until 2025-03-01 = sum of the months",
        "year: heat_fixed from 2025-03-01 until 2025-04-01 = sum of the months",
        "year: heat_fixed from 2025-04-01 until 2026-01-01 = sum of the months",
    ]


def test_months_that_are_not_final_are_named_with_the_remedy(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, database_url: str
) -> None:
    command = CommandLine(capsys, tmp_path, database_url)
    with connect(database_url) as connection:
        yeartown.fill(connection)
        yeartown.finalise(connection, MONTHS[2:5])  # the building began in March
    said = command("year", "2025", "--out", "out")
    assert (said.returncode, said.stdout) == (2, "")
    assert said.stderr == (
        "The year 2025 cannot be settled yet: 2025-06, 2025-07, 2025-08, 2025-09, 2025-10, 2025-11 and 2025-12 are not"
        " final; nothing was written. Make them final with 'wijkenergie settle 2025-06 --final', and so on in this"
        " order; if the building ended before that, add --until 2025-05.\n"
    )
    assert not (tmp_path / "out").exists()
    said = command("year", "2025", "--until", "2025-05", "--out", "out")
    assert (said.returncode, said.stderr) == (0, "")
    document = json.loads((tmp_path / "out" / "year.json").read_bytes())
    assert (document["from"], document["until"]) == ("2025-03-01", "2025-06-01")
    with connect(database_url) as connection:
        run.settle(connection, SLUG, Month(2025, 6), LATER)
    said = command("year", "2025", "--until", "2025-05", "--out", "elsewhere")
    assert (said.returncode, said.stderr) == (
        2,
        "The year 2025 does not end with 2025-05: 2025-06 was settled. Leave out --until, and make every month"
        " final.\n",
    )
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("20x5",), "'20x5' is not a year; write it as YYYY, for instance 2026.\n"),
        (("2025", "--until", "2024-12"), "2024-12 is not a month of 2025; --until names the last month of the year.\n"),
        (("2024",), "The year 2024 cannot be settled: no month before 2025-01 became final;"
                    " 'wijkenergie year 2025' makes the first year.\n"),
        (("2025", "--until", "May"), "'May' is not a month; write it as YYYY-MM, for instance 2026-01.\n"),
    ],
)  # fmt: skip
def test_a_year_that_cannot_be_is_refused(
    command: CommandLine, tmp_path: Path, words: tuple[str, ...], says: str
) -> None:
    said = command("year", *words, "--out", "out")
    assert (said.returncode, said.stdout, said.stderr) == (2, "", says)
    assert not (tmp_path / "out").exists()
