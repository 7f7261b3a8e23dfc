"""Who may see what: every address for everybody, and nothing of another flat for anybody."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from hashlib import sha256

import httpx
import pytest
from fastapi.routing import APIRoute
from pydantic import SecretStr

from api.access import new_sign_in_link
from api.app import ROUTERS
from core.db.connection import connect
from core.settings import Settings
from tests.support import house
from tests.support.house import NOW, PEOPLE, SLUG
from tests.support.postgres import clone

ALL = frozenset(PEOPLE)
RESIDENTS = frozenset({"resident", "neighbour", "former", "newcomer"})
LIVED_IN_APRIL = RESIDENTS - {"newcomer"}
VOLUNTEERS = frozenset({"volunteer", "helper"})
CORPORATION = frozenset({"corporation"})
OPERATOR = frozenset({"operator"})
PUBLIC = ALL | {None}
CORRECTION = "/api/v1/months/2026-04/corrections/2"

MATRIX: dict[tuple[str, str], tuple[str, frozenset[str | None] | frozenset[str]]] = {
    ("GET", "/healthz"): ("/healthz", PUBLIC),
    ("GET", "/readyz"): ("/readyz", PUBLIC),
    ("GET", "/api/v1/openapi.json"): ("/api/v1/openapi.json", PUBLIC),
    ("GET", "/static/{name}"): ("/static/style.css", PUBLIC),
    ("GET", "/language/{language}"): ("/language/en", PUBLIC),
    ("GET", "/signout"): ("/signout", PUBLIC),
    ("GET", "/api/v1/me"): ("/api/v1/me", ALL),
    ("GET", "/api/v1/me/energy"): ("/api/v1/me/energy", RESIDENTS),
    ("GET", "/api/v1/me/statements"): ("/api/v1/me/statements", RESIDENTS),
    ("GET", "/api/v1/me/statements/{month}.json"): ("/api/v1/me/statements/2026-04.json", LIVED_IN_APRIL),
    ("GET", "/api/v1/me/statements/{month}.pdf"): ("/api/v1/me/statements/2026-04.pdf", LIVED_IN_APRIL),
    ("GET", "/api/v1/me/why"): ("/api/v1/me/why?month=2026-04", LIVED_IN_APRIL),
    ("GET", "/api/v1/building/energy"): ("/api/v1/building/energy", ALL),
    ("GET", "/api/v1/building/pellets"): ("/api/v1/building/pellets", ALL),
    ("GET", "/api/v1/tasks"): ("/api/v1/tasks", VOLUNTEERS),
    ("GET", "/api/v1/months"): ("/api/v1/months", CORPORATION),
    ("GET", "/api/v1/months/{month}"): ("/api/v1/months/2026-04", CORPORATION),
    ("GET", "/api/v1/months/{month}/balance"): ("/api/v1/months/2026-04/balance", CORPORATION | OPERATOR),
    ("GET", "/api/v1/months/{month}/postings"): ("/api/v1/months/2026-04/postings", CORPORATION | OPERATOR),
    ("GET", "/api/v1/months/{month}/statement.json"): ("/api/v1/months/2026-04/statement.json", CORPORATION),
    ("GET", "/api/v1/months/{month}/statement.pdf"): ("/api/v1/months/2026-04/statement.pdf", CORPORATION),
    ("GET", "/api/v1/months/{month}/statement.csv"): ("/api/v1/months/2026-04/statement.csv", CORPORATION),
    ("GET", "/api/v1/months/{month}/pellets.csv"): ("/api/v1/months/2026-04/pellets.csv", CORPORATION),
    ("GET", "/api/v1/months/{month}/gates"): ("/api/v1/months/2026-05/gates", CORPORATION | OPERATOR),
    ("GET", "/api/v1/months/{month}/statement.zip"): ("/api/v1/months/2026-04/statement.zip", CORPORATION),
    ("GET", "/api/v1/months/{month}/corrections/{revision}.json"): (f"{CORRECTION}.json", CORPORATION),
    ("GET", "/api/v1/months/{month}/corrections/{revision}.csv"): (f"{CORRECTION}.csv", CORPORATION),
    ("GET", "/api/v1/months/{month}/corrections/{revision}.zip"): (f"{CORRECTION}.zip", CORPORATION),
    ("GET", "/api/v1/me/statements/{month}.zip"): ("/api/v1/me/statements/2026-04.zip", LIVED_IN_APRIL),
    ("GET", "/api/v1/me/statements/{month}/corrections/{revision}.pdf"): (
        "/api/v1/me/statements/2026-04/corrections/2.pdf",
        LIVED_IN_APRIL,
    ),
    ("GET", "/api/v1/devices"): ("/api/v1/devices", OPERATOR),
    ("GET", "/api/v1/devices/findings"): ("/api/v1/devices/findings?closed=true", OPERATOR),
    ("GET", "/"): ("/", ALL),
    ("GET", "/statements"): ("/statements", RESIDENTS),
    ("GET", "/statements/{month}"): ("/statements/2026-04", LIVED_IN_APRIL),
    ("GET", "/work"): ("/work", VOLUNTEERS),
    ("GET", "/months"): ("/months", CORPORATION),
    ("GET", "/months/{month}"): ("/months/2026-04", CORPORATION),
    ("GET", "/devices"): ("/devices", OPERATOR),
    # What changes something is tried with a task and a batch that do not exist, so that the order does not matter.
    ("POST", "/api/v1/tasks/{task:int}/claim"): ("/api/v1/tasks/1/claim", VOLUNTEERS),
    ("POST", "/api/v1/tasks/{task:int}/release"): ("/api/v1/tasks/1/release", VOLUNTEERS),
    ("POST", "/api/v1/tasks/{task:int}/done"): ("/api/v1/tasks/1/done", VOLUNTEERS),
    ("POST", "/work/{task:int}/{step}"): ("/work/1/claim", VOLUNTEERS),
    ("POST", "/api/v1/readings"): ("/api/v1/readings", OPERATOR),
    ("POST", "/months/{month}/{step}"): ("/months/2020-01/final", CORPORATION),
    ("POST", "/api/v1/months/{month}/final"): ("/api/v1/months/2020-01/final", CORPORATION | OPERATOR),
    ("POST", "/api/v1/months/{month}/correction"): ("/api/v1/months/2020-01/correction", CORPORATION | OPERATOR),
}
SIGN_IN = {("GET", "/signin/{token}"), ("POST", "/signin/{token}"), ("POST", "/signout")}
"""Addresses for people who are not signed in yet, or no longer; tested by themselves below."""


@pytest.fixture(scope="module")
def url(server_url: str, house_name: str) -> Iterator[str]:
    with clone(server_url, house_name) as fresh:
        house.seal(fresh)
        yield fresh


@pytest.fixture(scope="module")
def address(url: str) -> Iterator[str]:
    with house.served(url) as served:
        yield served


@pytest.fixture(scope="module")
def clients(url: str, address: str) -> Iterator[dict[str | None, httpx.Client]]:
    opened: dict[str | None, httpx.Client] = {person: house.client(address, url, person) for person in (*PEOPLE, None)}
    yield opened
    for client in opened.values():
        client.close()


def test_the_matrix_names_every_address_there_is() -> None:
    routes = [route for router in ROUTERS for route in router.routes]
    found = {(method, route.path) for route in routes if isinstance(route, APIRoute) for method in route.methods or ()}
    assert len(routes) == len(found)
    assert found | {("GET", "/api/v1/openapi.json")} == set(MATRIX) | SIGN_IN


@pytest.mark.parametrize(("method", "pattern"), list(MATRIX))
def test_an_address_is_there_for_those_it_is_for_and_for_nobody_else(
    clients: dict[str | None, httpx.Client], method: str, pattern: str
) -> None:
    path, allowed = MATRIX[method, pattern]
    for person, client in clients.items():
        answer = client.request(method, path)
        if person in allowed and method == "POST":
            # Let in, and then told that the task or the batch is not as it should be.
            assert "nothing at this address" not in answer.text, (person, path)
            assert answer.status_code in (303, 404, 422), (person, path, answer.text)
        elif person in allowed:
            assert answer.status_code in (200, 303, 503 if path == "/readyz" else 200), (person, path, answer.text)
        elif person is None:
            assert answer.status_code == 401, (person, path)
        else:
            assert answer.status_code == 404, (person, path)
            assert "nothing at this address" in answer.text


def test_what_is_forbidden_and_what_does_not_exist_cannot_be_told_apart(
    clients: dict[str | None, httpx.Client],
) -> None:
    for forbidden, absent in (
        ("/api/v1/months/2026-04", "/api/v1/months/1999-01"),
        ("/api/v1/months/2026-04/statement.json", "/api/v1/nonsense"),
        ("/api/v1/devices", "/api/v1/devices/p1-A03"),
        ("/api/v1/devices/findings", "/api/v1/devices/p1-A03"),
        ("/api/v1/me/statements/1999-01.json", "/api/v1/flats/A03"),
    ):
        one, other = clients["resident"].get(forbidden), clients["resident"].get(absent)
        assert (one.status_code, one.content) == (other.status_code, other.content)
        assert {k: v for k, v in one.headers.items() if k != "date"} == {
            k: v for k, v in other.headers.items() if k != "date"
        }


def test_a_wrong_question_to_a_forbidden_address_is_no_better_answered(
    clients: dict[str | None, httpx.Client],
) -> None:
    for path in ("/api/v1/me/energy?step=century", "/api/v1/me/energy?from=nonsense"):
        assert clients["corporation"].get(path).status_code == 404
        assert clients[None].get(path).status_code == 401
        assert clients["resident"].get(path).status_code == 422
    assert clients["resident"].post("/api/v1/readings", content=b"{").status_code == 404
    assert clients["resident"].post("/work/1/done", data={"bags": "many"}).status_code == 404


@pytest.mark.parametrize("person", ["resident", "neighbour"])
def test_a_resident_is_told_nothing_of_any_other_flat(clients: dict[str | None, httpx.Client], person: str) -> None:
    own_flat, own_household = {"resident": ("A01", "h-001"), "neighbour": ("A03", "h-003")}[person]
    flats, households = {"A01", "A02", "A03"} - {own_flat}, {"h-001", "h-002", "h-003", "h-004"} - {own_household}
    for (method, _), (path, allowed) in MATRIX.items():
        if method != "GET" or person not in allowed or path.endswith(".pdf"):
            continue
        for asked in (path, f"{path}?flat=A02&household=h-002&person=former&meter=el-A02"):
            text = clients[person].get(asked).text
            assert not [name for name in flats | households if name in text], asked


def test_own_means_own(clients: dict[str | None, httpx.Client]) -> None:
    query = "/api/v1/me/energy?from=2026-04-10&step=1d"
    mine, theirs = (clients[person].get(query).json() for person in ("resident", "neighbour"))
    assert (mine["flat"], theirs["flat"]) == ("A01", "A03")
    assert mine["rows"][0]["consumed_kwh"] != theirs["rows"][0]["consumed_kwh"]
    statements = [
        clients[person].get("/api/v1/me/statements/2026-04.json").json() for person in ("resident", "neighbour")
    ]
    assert [one["statement"]["flat"] for one in statements] == ["A01", "A03"]
    assert all("statements" not in one for one in statements)


def test_a_household_sees_its_own_days_only(clients: dict[str | None, httpx.Client]) -> None:
    query = "/api/v1/me/energy?from=2026-04-28&until=2026-05-13&step=1d"
    former, newcomer = (clients[person].get(query).json()["rows"] for person in ("former", "newcomer"))
    assert [row["start"] for row in (former[0], former[-1])] == ["2026-04-27T22:00:00Z", "2026-05-03T22:00:00Z"]
    assert [row["start"] for row in (newcomer[0], newcomer[-1])] == ["2026-05-07T22:00:00Z", "2026-05-11T22:00:00Z"]
    for step in ("15min", "1h", "1month"):
        rows = clients["former"].get(f"/api/v1/me/energy?from=2026-05-05&until=2026-05-13&step={step}").json()["rows"]
        assert rows == []


def test_a_household_that_left_keeps_its_statements_and_gets_no_new_ones(
    clients: dict[str | None, httpx.Client],
) -> None:
    months = {
        person: [row["month"] for row in clients[person].get("/api/v1/me/statements").json()]
        for person in ("former", "newcomer")
    }
    assert months == {"former": ["2026-05", "2026-04"], "newcomer": ["2026-05"]}
    page = clients["former"].get("/", headers={"Cookie": "wijkenergie_language=nl"}).text
    assert "Deze maand kwam" in page
    assert "Vandaag kwam" not in page


def test_the_corporation_sees_totals_and_never_a_load_curve(clients: dict[str | None, httpx.Client]) -> None:
    client = clients["corporation"]
    month = client.get("/api/v1/months/2026-04").json()
    assert [entry["flat"] for entry in month["statements"]] == ["A01", "A02", "A03", None]
    assert all("lines" not in entry for entry in month["statements"])
    for path in ("/api/v1/months/2026-04", "/api/v1/months/2026-04/statement.json", "/api/v1/months"):
        # Times of a day would be a curve; the only ones are when a month was settled and where a finding lies.
        body = client.get(path).json()
        text = str({k: v for k, v in body.items() if k != "findings"}) if isinstance(body, dict) else str(body)
        assert not re.search(r"T\d\d:(15|30|45):00Z", text), path


def test_a_link_shows_a_button_and_is_used_up_only_when_it_is_pressed(url: str, address: str) -> None:
    with connect(url) as connection:
        link = new_sign_in_link(connection, address, SLUG, "resident", NOW)
    with httpx.Client() as browser:
        for _ in range(3):  # a mail scanner opens it, a preview opens it
            page = browser.get(link)
            assert page.status_code == 200
            assert 'method="post"' in page.text
            assert not browser.cookies
        pressed = browser.post(link, headers={"Origin": address})
        assert (pressed.status_code, pressed.headers["location"]) == (303, "/")
        cookie = pressed.headers["set-cookie"].lower()
        assert {"httponly", "samesite=lax"} <= set(cookie.split("; "))
        assert "secure" not in cookie
        assert browser.get(address, headers={"Accept": "text/html"}).status_code == 200
        assert browser.get(f"{address}/api/v1/me").json()["flat"] == "A01"
    assert httpx.post(link).status_code == 404
    assert httpx.get(link).status_code == 404


def test_a_link_works_for_its_time_and_no_longer(url: str, address: str) -> None:
    with connect(url) as connection:
        old = new_sign_in_link(connection, address, SLUG, "resident", NOW - timedelta(days=3))
        long = new_sign_in_link(connection, address, SLUG, "resident", NOW - timedelta(days=3), timedelta(days=4))
    assert httpx.post(old).status_code == 404
    assert httpx.post(long).status_code == 303
    assert httpx.post(f"{address}/signin/guessed").status_code == 404


def test_the_database_knows_tokens_only_as_hashes(url: str, address: str) -> None:
    with connect(url) as connection:
        token = new_sign_in_link(connection, address, SLUG, "resident", NOW).rpartition("/")[2]
        session = house.session(url, "resident")
        for table, known in (("sign_in", token), ("session", session)):
            rows = connection.execute(f"SELECT t::text, token_sha256 FROM {table} t").fetchall()
            assert not [row for row in rows if known in row[0]]
            assert sha256(known.encode()).digest() in [row[1] for row in rows]


def test_over_https_the_cookie_is_for_https_only(url: str) -> None:
    settings = Settings(listen="127.0.0.1:0", base_url="https://ster.example", mqtt_url=SecretStr("mqtt://127.0.0.1:9"))
    with house.served(url, settings=settings) as served:
        with connect(url) as connection:
            token = new_sign_in_link(connection, "", SLUG, "resident", NOW)
        answer = httpx.post(f"{served}{token}")
        assert "secure" in answer.headers["set-cookie"].lower()
        assert "max-age" in answer.headers["strict-transport-security"]


def test_signing_out_ends_the_session_everywhere(url: str, address: str) -> None:
    token = house.session(url, "resident")
    with httpx.Client(base_url=address, cookies={"wijkenergie_session": token}) as browser:
        assert browser.get("/api/v1/me").status_code == 200
        assert browser.post("/signout").status_code == 303
    stolen = httpx.get(f"{address}/api/v1/me", headers={"Authorization": f"Bearer {token}"})
    assert stolen.status_code == 401


def test_a_session_ends_after_its_time(url: str, address: str) -> None:
    token = house.session(url, "resident")
    with house.served(url, now=NOW + timedelta(days=91)) as later:
        headers = {"Authorization": f"Bearer {token}"}
        assert httpx.get(f"{later}/api/v1/me", headers=headers).status_code == 401
        assert httpx.get(f"{address}/api/v1/me", headers=headers).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
def test_a_form_sent_by_another_site_is_refused(url: str, address: str, headers: dict[str, str]) -> None:
    cookies = {"wijkenergie_session": house.session(url, "volunteer")}
    with httpx.Client(base_url=address, cookies=cookies) as browser:
        assert browser.post("/api/v1/tasks/1/claim", headers=headers).status_code == 403
        assert browser.post("/work/1/claim", headers=headers).status_code == 403
        assert browser.post("/signout", headers=headers).status_code == 403
        assert browser.get("/api/v1/me").status_code == 200


@pytest.mark.parametrize("target", ["//evil.example", "https://evil.example", "/\\evil.example", "javascript:alert(1)"])
def test_the_language_switch_leads_back_to_our_own_pages_only(address: str, target: str) -> None:
    answer = httpx.get(f"{address}/language/en", params={"next": target})
    assert answer.headers["location"] == "/"
    assert httpx.get(f"{address}/language/en", params={"next": "/work"}).headers["location"] == "/work"
