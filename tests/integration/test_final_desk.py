"""Final months at the desk: over HTTP, on the corporation's page, and at the command line."""

from __future__ import annotations

import io
import json
import sys
import zipfile
from collections.abc import Callable, Iterator
from html import unescape
from pathlib import Path

import pytest

from core.db import config
from core.db.connection import connect
from tests.support import finalhouse, finaltown
from tests.support import house as april
from tests.support.postgres import clone
from wijkenergie.cli import main

pytestmark = pytest.mark.integration

LIMITS = json.dumps({"required_invoices": ["common"]})


@pytest.fixture(scope="module")
def desk(server_url: str, house_name: str) -> Iterator[tuple[str, str]]:
    """Address and database of a served building of three flats; April can become final, May runs."""
    with clone(server_url, house_name) as url, april.served(url) as address:
        yield address, url


def test_the_corporation_makes_a_month_final_over_http(desk: tuple[str, str]) -> None:
    address, url = desk
    with (
        april.client(address, url, "corporation") as corporation,
        april.client(address, url, "operator") as operator,
        april.client(address, url, "resident") as resident,
        april.client(address, url, "neighbour") as neighbour,
    ):
        assert corporation.get("/api/v1/months/2026-04/statement.zip").status_code == 404
        assert resident.get("/api/v1/me/statements/2026-04.zip").status_code == 404
        refused = corporation.post("/api/v1/months/2026-05/final")
        assert refused.status_code == 409
        assert refused.headers["content-type"] == "application/problem+json"
        assert refused.json()["detail"] == "2026-05 cannot become final yet; nothing was changed."
        assert refused.json()["gates"][0]["gate"] == "over"
        assert corporation.get("/api/v1/months/2026-05/gates").json() == refused.json()["gates"]
        assert operator.get("/api/v1/months/2026-04/gates").json() == []
        assert "Maak deze maand definitief" in corporation.get("/months/2026-04").text
        sent = corporation.post("/months/2026-05/final")
        assert (sent.status_code, sent.headers["location"]) == (303, "/months/2026-05")
        with connect(url) as connection:
            connection.execute("UPDATE community SET config = jsonb_set(config::jsonb, '{final}', %s)", (LIMITS,))
        page = unescape(corporation.get("/months/2026-04").text)
        assert "Er is deze maand geen rekening voor de gedeelde ruimtes." in page
        assert "Maak deze maand definitief" not in page
        with connect(url) as connection:
            connection.execute("UPDATE community SET config = config::jsonb - 'final'")

        said = corporation.post("/api/v1/months/2026-04/final", json={"despite": {"wait": "soon"}})
        assert (said.status_code, said.json()["detail"]) == (
            403,
            "Only an operator may go over a gate; leave 'despite' out.",
        )
        for body in ("[", "[]", '{"despite": {"wait": 1}}'):
            assert operator.post("/api/v1/months/2026-04/final", content=body).status_code == 422
        final = corporation.post("/api/v1/months/2026-04/final").json()
        assert (final["status"], final["number"], final["revision"]) == ("final", "2026-0001", 1)
        assert corporation.post("/api/v1/months/2026-04/final").status_code == 409
        assert corporation.post("/api/v1/months/2026-04/correction").status_code == 204

        listed = {row["month"]: row for row in corporation.get("/api/v1/months").json()}
        assert (listed["2026-04"]["status"], listed["2026-04"]["number"]) == ("final", "2026-0001")
        assert (listed["2026-05"]["status"], listed["2026-05"]["number"]) == ("provisional", None)
        assert corporation.get("/api/v1/months/2026-04").json()["exported_at"] is None
        whole = corporation.get("/api/v1/months/2026-04/statement.zip").content
        assert corporation.get("/api/v1/months/2026-04").json()["exported_at"] is not None

        own = resident.get("/api/v1/me/statements/2026-04.zip").content
        assert {"own.json", "proof.json", "opening.json", "seal.json"} <= names(own)
        assert {"statement.json", "seal.json", "verify.py"} <= names(whole)
        assert b"h-003" in neighbour.get("/api/v1/me/statements/2026-04.zip").content
        assert b"h-003" not in own


def test_a_final_month_is_corrected_over_http_and_a_resident_sees_the_own_part(
    server_url: str, house_name: str
) -> None:
    with (
        clone(server_url, house_name) as url,
        april.sealed(url) as address,
        april.client(address, url, "corporation") as corporation,
        april.client(address, url, "operator") as operator,
        april.client(address, url, "resident") as resident,
    ):
        with connect(url) as connection:
            body = {"date": "2026-04-15", "pool": "heat", "eur": "30.00", "invoice": "M-9", "what": "soot"}
            config.add_event(connection, april.SLUG, "cost", "heat M-9", body, april.NOW, "test")
            body = {"household": "h-003", "from": "2026-04-10", "eur_per_month": "71.00"}
            config.add_event(connection, april.SLUG, "advance", "h-003@2026-04-10", body, april.NOW, "test")
        corrected = operator.post("/api/v1/months/2026-04/correction").json()
        assert (corrected["number"], corrected["revision"]) == ("2026-0002", 2)
        shown = corporation.get("/api/v1/months/2026-04").json()["corrections"]
        assert [one["number"] for one in shown] == ["2026-0002"]
        document = corporation.get("/api/v1/months/2026-04/corrections/2.json").json()
        assert {reason["name"] for reason in document["reasons"]} == {"heat M-9", "h-003 2026-04-10"}
        rows = corporation.get("/api/v1/months/2026-04/corrections/2.csv").text.splitlines()
        assert rows[0].startswith("community,month,number,revision,corrects,flat,party,code")
        assert any(",A03,h-003,advance," in row for row in rows)
        assert corporation.get("/api/v1/months/2026-04/corrections/2.zip").status_code == 200
        assert corporation.get("/api/v1/months/2026-04/corrections/3.json").status_code == 404

        page = unescape(corporation.get("/months/2026-04").text)
        assert "Dit is document 2026-0001." in page
        assert "Document 2026-0002 verbetert het voor 3 partijen." in page
        assert "2026-0001" in corporation.get("/months").text

        mine = resident.get("/api/v1/me/statements/2026-04.json").json()
        assert [entry["party"] for entry in mine["corrections"][0]["statements"]] == ["h-001"]
        assert [reason["name"] for reason in mine["corrections"][0]["reasons"]] == ["heat M-9"]
        assert "h-003" not in json.dumps(mine)

        (entry,) = mine["corrections"][0]["statements"]
        read = unescape(resident.get("/statements/2026-04").text).replace("\N{NO-BREAK SPACE}", " ")
        assert "Correctie 2026-0002" in read
        assert f"U betaalt € {entry['due_eur'].replace('.', ',')} meer" in read
        assert "Een rekening voor het gebouw kwam erbij of is verbeterd." in read
        assert "vooraf" not in read.partition("Correctie 2026-0002")[2].partition("</section>")[0]
        now = entry["balance_eur"]["recomputed"].replace(".", ",")
        assert f"<h1>U betaalt € {now}.</h1>" in read
        for listed in ("/statements", "/"):
            shown = unescape(resident.get(listed).text).replace("\N{NO-BREAK SPACE}", " ")
            assert f'U betaalt € {now}. <span class="badge">verbeterd</span>' in shown
        paper = resident.get("/api/v1/me/statements/2026-04/corrections/2.pdf")
        assert paper.content.startswith(b"%PDF-")
        assert f"{april.SLUG}-2026-04-A01-2026-0002.pdf" in paper.headers["content-disposition"]
        assert resident.get("/api/v1/me/statements/2026-04/corrections/3.pdf").status_code == 404


def names(archive: bytes) -> set[str]:
    with zipfile.ZipFile(io.BytesIO(archive)) as opened:
        return set(opened.namelist())


@pytest.fixture
def database_url(server_url: str, town_name: str) -> Iterator[str]:
    """Address of a database with the small building in it."""
    with clone(server_url, town_name) as url:
        yield url


@pytest.fixture
def command(
    database_url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[str, str]]:
    """The command line on the small building, the clock at a time when February can become final."""
    monkeypatch.setenv("WIJKENERGIE_DATABASE_URL", database_url)

    def run_it(*args: object, code: int = 0) -> tuple[str, str]:
        monkeypatch.setattr(sys, "argv", ["wijkenergie", *map(str, args)])
        ended: object = 0
        try:
            main()
        except SystemExit as end:
            ended = end.code or 0
        told = capsys.readouterr()
        assert ended == code, told.err
        return told.out, told.err

    return run_it


def test_settle_final_at_the_command_line(
    command: Callable[..., tuple[str, str]], database_url: str, tmp_path: Path
) -> None:
    said = command("settle", "2026-02", "--final", "--despite", "wait", code=2)[1]
    assert said == "'wait' is not an override; write it as --despite GATE='the reason'.\n"
    assert command("settle", "2026-02", "--final", "--despite", "wait=soon", code=2)[1] == (
        "An override names who decided it; add --by.\n"
    )
    assert command("settle", "2026-02", "--by", "me", code=2)[1] == "--despite and --by go with --final.\n"
    out = command("settle", "2026-02", "--final", "--out", tmp_path / "final")[0]
    assert "linde 2026-02 (final)" in out
    assert "2026-02 is final: document" in out
    assert {path.suffix for path in (tmp_path / "final").iterdir()} == {".json", ".zip"}
    (bundle,) = (tmp_path / "final").glob("*.zip")
    assert "Nothing is wrong with this bundle." in command("verify", bundle)[0]
    assert "Settled today it would come out the same, to the cent." in command("settle", "2026-02")[0]
    assert "Settled today it would come out the same, to the cent." in command("settle", "2026-02", "--final")[0]
    with connect(database_url) as connection:
        dearer = {"date": "2026-02-21", "pool": "heat", "eur": "10.00", "invoice": "M-5"}
        finalhouse.apply(connection, costs=[*finaltown.tree()["costs"], dearer])
    out = command("settle", "2026-02")[0]
    assert "costs heat M-5 was added" in out
    assert "Nothing was changed; 'wijkenergie settle 2026-02 --final' issues this correction." in out
    assert json.loads(command("settle", "2026-02", "--json")[0])["correction"]["revision"] == 2
    assert "2026-02 was corrected: document" in command("settle", "2026-02", "--final")[0]
    status = json.loads(command("settle", "2026-02", "--json")[0])
    assert status["correction"] is None
    assert [one["revision"] for one in status["documents"]] == [1, 2]


def test_what_was_recorded_wrongly_is_put_right_at_the_command_line(command: Callable[..., tuple[str, str]]) -> None:
    assert "delivery\tP-17\t-\tat 2026-02-10T09:00:00+01:00, eur 310.00" in command("event", "list")[0]
    why = ("--by", "board", "--why", "typing error")
    said = command("event", "change", "delivery", "P-17", "eur=330.00", *why)[0]
    assert said.startswith("Changed: delivery P-17; it was at 2026-02-10")
    assert command("event", "change", "delivery", "P-17", "330.00", *why, code=2)[1] == (
        "'330.00' is not FIELD=VALUE; write it like eur=330.00.\n"
    )
    assert command("event", "withdraw", "cost", "heat M-4", *why)[0] == "Withdrawn: cost heat M-4.\n"
    listed = command("event", "list")[0]
    assert "P-17\tchanged 1 times" in listed
    assert "heat M-4\twithdrawn" in listed


def test_a_refusal_at_the_command_line_lists_every_gate_and_ends_with_1(
    command: Callable[..., tuple[str, str]], database_url: str
) -> None:
    with connect(database_url) as connection:
        connection.execute("DELETE FROM reading WHERE meter = 'el-A' AND time < '2026-02-05'")
        finalhouse.apply(connection, final={"required_invoices": ["common"]})
    said = command("settle", "2026-02", "--final", code=1)[1].splitlines()
    assert said[0] == "2026-02 cannot become final yet; nothing was changed."
    assert [line.split(":")[0] for line in said[1:]] == ["- missing", "- invoices"]
    out = command(
        "settle", "2026-02", "--final", "--by", "board", "--despite", "missing=the meter was new", "--despite",
        "invoices=none came",
    )[0]  # fmt: skip
    assert "Gate 'missing' was overridden by board: the meter was new" in out
