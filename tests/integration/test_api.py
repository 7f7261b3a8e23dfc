"""The API over real HTTP on a real database: figures, work, readings, errors, and how the server starts and stops."""

from __future__ import annotations

import csv
import io
import json
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from decimal import Decimal
from html import unescape
from urllib.parse import urlsplit

import httpx
import psycopg
import pytest
from psycopg.types.json import Jsonb
from pydantic import SecretStr

from api.serve import run
from core.communityfile import parse
from core.db import config
from core.db.connection import connect
from core.db.people import Person, save_person
from core.errors import BadInput, Unavailable
from core.settings import Settings
from tests.support import house
from tests.support.broker import Broker
from tests.support.house import NOW, SLUG
from tests.support.postgres import clone

APRIL = "from=2026-04-01&until=2026-05-01"


@pytest.fixture(scope="module")
def read_only(server_url: str, house_name: str) -> Iterator[tuple[str, str]]:
    """Address and database of a server that tests only ask."""
    with clone(server_url, house_name) as url, house.served(url) as address:
        yield address, url


@pytest.fixture
def fresh(server_url: str, house_name: str) -> Iterator[str]:
    with clone(server_url, house_name) as url:
        yield url


@pytest.fixture
def address(fresh: str) -> Iterator[str]:
    with house.served(fresh) as served:
        yield served


def total(rows: list[dict[str, str | None]], name: str) -> Decimal:
    return sum((Decimal(row[name] or 0) for row in rows), Decimal(0))


# -- figures --------------------------------------------------------------------------------------------------------


def test_every_step_adds_up_to_the_same_month_and_to_the_statement(read_only: tuple[str, str]) -> None:
    address, url = read_only
    with house.client(address, url, "resident") as client:
        by_step = {
            step: client.get(f"/api/v1/me/energy?{APRIL}&step={step}").json()["rows"]
            for step in ("15min", "1h", "1d", "1month")
        }
        entry = client.get("/api/v1/me/statements/2026-04.json").json()["statement"]
    assert {step: len(rows) for step, rows in by_step.items()} == {"15min": 2880, "1h": 720, "1d": 30, "1month": 1}
    for rows in by_step.values():
        assert total(rows, "consumed_kwh") == Decimal(entry["electricity"]["consumed_kwh"])
        assert total(rows, "shared_kwh") == Decimal(entry["electricity"]["shared_kwh"])
        assert total(rows, "grid_kwh") == Decimal(entry["electricity"]["grid_kwh"])
        assert total(rows, "heat_kwh") == Decimal(entry["heat"]["measured_kwh"])


def test_the_silent_hour_is_marked_as_estimated_and_no_other(read_only: tuple[str, str]) -> None:
    address, url = read_only
    with house.client(address, url, "resident") as client:
        rows = client.get("/api/v1/me/energy?step=1h").json()["rows"]
    estimated = [row["start"] for row in rows if row["quality"] == "estimated"]
    assert estimated == ["2026-05-13T07:00:00Z"]


def test_the_building_gives_and_takes_what_it_makes_and_uses(read_only: tuple[str, str]) -> None:
    address, url = read_only
    with house.client(address, url, "neighbour") as client:
        rows = client.get(f"/api/v1/building/energy?{APRIL}&step=1d").json()["rows"]
        (month,) = client.get(f"/api/v1/building/energy?{APRIL}&step=1month").json()["rows"]
    assert len(rows) == 30
    balance = total(rows, "solar_kwh") + total(rows, "grid_import_kwh") - total(rows, "grid_export_kwh")
    assert balance == total(rows, "consumed_kwh")
    assert all(total(rows, name) == Decimal(month[name]) for name in month if name != "start")


def test_pellets_are_told_with_a_range_and_without_who_does_what(fresh: str, address: str) -> None:
    task = house.open_task(fresh)
    with house.client(address, fresh, "volunteer") as volunteer:
        volunteer.post(f"/api/v1/tasks/{task}/claim")
    with house.client(address, fresh, "resident") as client:
        pellets = client.get("/api/v1/building/pellets").json()
    assert Decimal(pellets["days_low"]) <= Decimal(pellets["days_left"]) <= Decimal(pellets["days_high"])
    assert pellets["next_task"]["state"] == "claimed"
    assert "vrijwilliger" not in json.dumps(pellets)


def test_a_building_without_fuel_has_no_pellets(server_url: str, template_name: str) -> None:
    text = (
        house.COMMUNITY[: house.COMMUNITY.index("\npellets:")] + house.COMMUNITY[house.COMMUNITY.index("\nadvances:") :]
    )
    text = text[: text.index("\nheat:")] + text[text.index("\nadvances:") : text.index("\ntasks:")] + "\n"
    with clone(server_url, template_name) as url:
        with connect(url) as connection:
            config.apply(connection, parse(text), NOW, "test")
            save_person(connection, SLUG, Person("one", "bewoner", ["resident"], "h-001"))
        with house.served(url) as address, house.client(address, url, "one") as client:
            assert client.get("/api/v1/building/pellets").status_code == 404
            page = client.get("/", headers={"Accept": "text/html"})
            assert page.status_code == 200
            assert "Pellets" not in page.text
            assert "nog niets voor u gemeten" in page.text


def test_when_measuring_stops_the_page_says_so_in_words(fresh: str, address: str) -> None:
    with house.client(address, fresh, "resident") as client:
        assert "Het meten loopt achter" not in client.get("/").text
    with house.served(fresh, now=NOW + timedelta(days=1)) as later, house.client(later, fresh, "resident") as client:
        page = client.get("/").text
    assert "Bijgewerkt op 13 mei om 14:15." in page
    assert "Het meten loopt achter" in page


# -- months and documents -------------------------------------------------------------------------------------------


def test_the_months_document_is_the_one_that_was_settled_byte_for_byte(read_only: tuple[str, str]) -> None:
    address, url = read_only
    with house.client(address, url, "corporation") as client, connect(url) as connection:
        kept = connection.execute("SELECT statement FROM month WHERE month = '2026-04'").fetchone()
        answer = client.get("/api/v1/months/2026-04/statement.json")
        listed = client.get("/api/v1/months").json()
    assert kept is not None
    assert answer.text == kept[0]
    assert [row["month"] for row in listed] == ["2026-05", "2026-04"]
    entries = json.loads(kept[0])["statements"]
    assert Decimal(listed[1]["total_eur"]) == sum(Decimal(entry["total_eur"]) for entry in entries)


def test_the_books_of_a_month_balance_and_say_what_is_behind_every_posting(read_only: tuple[str, str]) -> None:
    address, url = read_only
    for keeper in ("corporation", "operator"):
        with house.client(address, url, keeper) as client:
            postings = client.get("/api/v1/months/2026-04/postings").json()
            assert client.get("/api/v1/months/2020-01/postings").status_code == 404
    balances: dict[int, Decimal] = {}
    for posting in postings:
        balances[posting["transaction"]] = balances.get(posting["transaction"], Decimal(0)) + Decimal(posting["eur"])
    assert set(balances.values()) == {Decimal(0)}
    sun = next(posting for posting in postings if posting["account"] == "party:h-001:A01")
    assert sun["what"] == "solar"
    assert sun["evidence"] == {
        "rules": ["tariffs@2026-04-01", "sharing@2026-04-01"],
        "documents": ["household:h-001"],
        "meters": ["el-A01"],
        "all_of": ["solar_generation", "electricity"],
        "from": "2026-03-31T22:00:00Z",
        "until": "2026-04-30T22:00:00Z",
    }


def test_documents_come_as_downloads_with_a_name(read_only: tuple[str, str]) -> None:
    address, url = read_only
    with house.client(address, url, "corporation") as client:
        pdf = client.get("/api/v1/months/2026-04/statement.pdf")
        book = client.get("/api/v1/months/2026-04/statement.csv")
        again = client.get("/api/v1/months/2026-04/statement.pdf")
    with house.client(address, url, "resident") as client:
        own = client.get("/api/v1/me/statements/2026-04.pdf")
    assert pdf.content.startswith(b"%PDF-") and own.content.startswith(b"%PDF-")  # noqa: PT018 - one statement
    assert pdf.content == again.content
    assert pdf.headers["content-disposition"] == 'attachment; filename="de-ster-2026-04.pdf"'
    assert own.headers["content-disposition"] == 'attachment; filename="de-ster-2026-04-A01.pdf"'
    rows = list(csv.DictReader(io.StringIO(book.text)))
    assert {row["flat"] for row in rows} == {"A01", "A02", "A03", ""}


def test_the_pellet_stock_of_a_month_closes_to_its_statement(read_only: tuple[str, str]) -> None:
    address, url = read_only
    for month in ("2026-04", "2026-05"):
        with house.client(address, url, "corporation") as client:
            settled = client.get(f"/api/v1/months/{month}/statement.json").json()["pellets"]
            answer = client.get(f"/api/v1/months/{month}/pellets.csv")
            missing = client.get("/api/v1/months/2026-01/pellets.csv")
        rows = list(csv.DictReader(io.StringIO(answer.text, newline="")))
        assert answer.headers["content-disposition"] == f'attachment; filename="de-ster-{month}-pellets.csv"'
        assert (rows[-1]["stock_kg"], rows[-1]["stock_eur"]) == (settled["closing_kg"], settled["closing_eur"])
        assert sum(Decimal(row["eur"]) for row in rows) == Decimal(rows[-1]["stock_eur"]) - Decimal(
            rows[0]["stock_eur"]
        )
        assert [row["noted_kg"] for row in rows if row["what"] == "bags"] == (["90.000"] if month == "2026-05" else [])
        assert missing.status_code == 404


# -- work -----------------------------------------------------------------------------------------------------------


def test_of_two_who_claim_at_once_one_wins(fresh: str, address: str) -> None:
    task = house.open_task(fresh)
    with house.client(address, fresh, "volunteer") as one, house.client(address, fresh, "helper") as two:
        with ThreadPoolExecutor(2) as both:
            answers = list(both.map(lambda client: client.post(f"/api/v1/tasks/{task}/claim"), (one, two)))
        assert sorted(answer.status_code for answer in answers) == [200, 409]
        refused = next(answer for answer in answers if answer.status_code == 409)
        assert refused.headers["content-type"] == "application/problem+json"
        assert "taken by" in refused.json()["detail"]
        assert [row["state"] for row in one.get("/api/v1/tasks").json()] == ["claimed"]


def test_done_writes_the_bags_down_once(fresh: str, address: str) -> None:
    task = house.open_task(fresh)
    with house.client(address, fresh, "volunteer") as client:
        assert client.post(f"/api/v1/tasks/{task}/claim").status_code == 200
        assert client.post(f"/api/v1/tasks/{task}/done", json={"bags": "4"}).status_code == 422
        assert client.post(f"/api/v1/tasks/{task}/done", json={}).status_code == 422
        done = [client.post(f"/api/v1/tasks/{task}/done", json={"bags": 4}) for _ in range(2)]
        assert [(answer.status_code, answer.json()["bags"]) for answer in done] == [(200, 4), (200, 4)]
        assert client.get("/api/v1/tasks").json() == []
        assert client.post("/api/v1/tasks/999999999999999999999/claim").status_code == 404
    with connect(fresh) as connection:
        events = connection.execute(
            "SELECT body->>'bags' FROM event WHERE kind = 'bags' AND key <> 'task 0'"
        ).fetchall()
    assert events == [("4",)]


def test_what_was_given_back_is_open_again(fresh: str, address: str) -> None:
    task = house.open_task(fresh)
    with house.client(address, fresh, "volunteer") as one, house.client(address, fresh, "helper") as two:
        one.post(f"/api/v1/tasks/{task}/claim")
        assert two.post(f"/api/v1/tasks/{task}/release").status_code == 409
        assert one.post(f"/api/v1/tasks/{task}/release").json()["state"] == "open"
        assert two.post(f"/api/v1/tasks/{task}/claim").json()["person"] == "tweede vrijwilliger"


# -- readings -------------------------------------------------------------------------------------------------------

BATCH: list[dict[str, object]] = [
    {"meter": "el-common", "time": "2026-05-13T12:16:00Z", "value": "5000.125"},
    {"meter": "el-common", "time": "2026-05-13T12:17:00Z", "value": 5000.25},
]


def test_a_batch_is_taken_once_however_often_it_is_sent(fresh: str, address: str) -> None:
    with house.client(address, fresh, "operator") as client:
        first = client.post("/api/v1/readings", json=BATCH, headers={"Idempotency-Key": "a-1"})
        again = client.post("/api/v1/readings", json=BATCH, headers={"Idempotency-Key": "a-1"})
        other_key = client.post("/api/v1/readings", json=BATCH, headers={"Idempotency-Key": "a-2"})
        other_body = client.post("/api/v1/readings", json=BATCH[:1], headers={"Idempotency-Key": "a-1"})
        clash = client.post("/api/v1/readings", json=[BATCH[0] | {"value": "1"}], headers={"Idempotency-Key": "a-3"})
    assert (first.status_code, first.json()) == (200, {"new": 2, "duplicate": 0, "conflicting": 0})
    assert again.json() == first.json()
    assert other_key.json() == {"new": 0, "duplicate": 2, "conflicting": 0}
    assert other_body.status_code == 422
    assert clash.json() == {"new": 0, "duplicate": 0, "conflicting": 1}
    with connect(fresh) as connection:
        known = connection.execute(
            "SELECT value FROM reading WHERE meter = 'el-common' AND time >= '2026-05-13 12:16Z' ORDER BY time"
        ).fetchall()
    assert known == [(Decimal("5000.125"),), (Decimal("5000.25"),)]


def test_the_same_batch_twice_at_once_is_taken_once(fresh: str, address: str) -> None:
    with house.client(address, fresh, "operator") as client, ThreadPoolExecutor(6) as many:
        answers = list(
            many.map(
                lambda _: client.post("/api/v1/readings", json=BATCH, headers={"Idempotency-Key": "b"}).json(), range(6)
            )
        )
    assert answers == [{"new": 2, "duplicate": 0, "conflicting": 0}] * 6


def test_a_batch_with_one_fault_changes_nothing(fresh: str, address: str) -> None:
    with house.client(address, fresh, "operator") as client:
        wrong = [*BATCH, {"meter": "nobody", "time": "2026-05-13T12:16:00Z", "value": "1"}]
        answer = client.post("/api/v1/readings", json=wrong, headers={"Idempotency-Key": "c"})
        assert (answer.status_code, answer.json()["detail"].startswith("Entry 2")) == (422, True)
        assert client.post("/api/v1/readings", json=BATCH).status_code == 422  # without a key
        huge = client.post("/api/v1/readings", content=b"[" + b" " * 4_000_001, headers={"Idempotency-Key": "d"})
        assert huge.status_code == 413
        right = client.post("/api/v1/readings", json=BATCH, headers={"Idempotency-Key": "c"})
        assert right.json()["new"] == 2


def test_devices_tell_their_health_to_the_operator(fresh: str, address: str) -> None:
    with connect(fresh) as connection:
        connection.execute(
            "INSERT INTO device_health (community, device, last_seen, errors, last_error, readings, silent_after)"
            " VALUES (%s, 'p1-A01', %s, 3, 'no answer', 12, '1 hour')",
            (SLUG, NOW - timedelta(minutes=5)),
        )
        connection.execute(
            "INSERT INTO finding (community, code, meter, since, until, facts, opened_at, closed_at) VALUES"
            " (%(c)s, 'register-jumped', 'el-A01', %(now)s, %(now)s, %(facts)s, %(now)s, NULL),"
            " (%(c)s, 'register-dipped', 'el-A01', %(now)s, %(now)s, %(facts)s, %(now)s, %(now)s)",
            {"c": SLUG, "now": NOW, "facts": Jsonb({"before": "1.5", "after": "990", "unit": "kWh"})},
        )
    with house.client(address, fresh, "operator") as client:
        devices = {row["id"]: row for row in client.get("/api/v1/devices").json()}
        found = client.get("/api/v1/devices/findings").json()
        ever = client.get("/api/v1/devices/findings?closed=true").json()
        page = client.get("/devices").text
    assert devices["p1-A01"]["last_seen"] == "2026-05-13T12:15:00Z"
    assert [devices["p1-A01"][name] for name in ("state", "age_seconds", "silent_after_seconds")] == [
        "error",
        300,
        3600,
    ]
    assert (devices["silo"]["state"], devices["silo"]["age_seconds"]) == ("never", None)
    assert devices["p1-A01"]["findings"] == found
    assert found[0]["text"].startswith("Meter el-A01 jumped from 1.5 to 990 kWh between 13 May 2026 14:20")
    assert [(one["code"], one["closed_at"]) for one in ever] == [
        ("register-dipped", "2026-05-13T12:20:00Z"), ("register-jumped", None),
    ]  # fmt: skip
    assert found[0]["text"] in unescape(page)
    assert "We do not hear 1 device." in page
    assert (devices["p1-A01"]["errors"], devices["silo"]["last_seen"]) == (3, None)
    assert devices["p1-A01"]["feeds"] == {"electric_energy_import": "el-A01"}
    assert "no answer" in page


# -- errors and health ----------------------------------------------------------------------------------------------


def test_every_error_is_a_problem_in_words(read_only: tuple[str, str]) -> None:
    address, url = read_only
    with house.client(address, url, "resident") as client:
        for answer, status in (
            (client.get("/api/v1/nothing"), 404),
            (client.delete("/api/v1/me"), 405),
            (client.get("/api/v1/me/energy?step=1week"), 422),
            (client.get("/api/v1/me/energy?from=2026-13-01"), 422),
            (httpx.get(f"{address}/api/v1/me"), 401),
        ):
            body = answer.json()
            assert answer.status_code == status
            assert answer.headers["content-type"] == "application/problem+json"
            assert {"type", "title", "status", "detail"} <= set(body)
            assert body["status"] == status


def test_people_get_a_page_and_machines_a_problem(read_only: tuple[str, str]) -> None:
    address, _ = read_only
    page = httpx.get(address, headers={"Accept": "text/html", "Accept-Language": "nl"})
    assert (page.status_code, page.headers["content-type"]) == (401, "text/html; charset=utf-8")
    assert "U bent niet aangemeld" in page.text
    assert httpx.get(address).headers["content-type"] == "application/problem+json"


def test_a_fault_of_ours_is_admitted_without_a_traceback(fresh: str, address: str) -> None:
    token = house.session(fresh, "corporation")
    with connect(fresh) as connection:
        connection.execute("ALTER TABLE month RENAME TO month_elsewhere")
    answer = httpx.get(f"{address}/api/v1/months", headers={"Authorization": f"Bearer {token}"})
    assert (answer.status_code, answer.headers["content-type"]) == (500, "application/problem+json")
    assert "month" not in answer.text
    assert "Traceback" not in answer.text


def test_while_the_database_is_away_the_service_says_so_and_comes_back(
    server_url: str, fresh: str, address: str
) -> None:
    token = house.session(fresh, "resident")
    name = urlsplit(fresh).path.removeprefix("/")
    headers = {"Authorization": f"Bearer {token}"}
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false')
        connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", (name,))
        try:
            away = httpx.get(f"{address}/api/v1/me", headers=headers, timeout=20)
            assert (away.status_code, away.headers["content-type"]) == (503, "application/problem+json")
            assert httpx.get(f"{address}/readyz", timeout=20).json()["database"] is False
            assert httpx.get(f"{address}/healthz").status_code == 200
        finally:
            connection.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true')
    end = time.monotonic() + 30
    while (back := httpx.get(f"{address}/api/v1/me", headers=headers, timeout=20)).status_code != 200:
        assert time.monotonic() < end, back.text
        time.sleep(0.2)


def test_ready_means_database_and_broker(fresh: str, broker: Broker) -> None:
    settings = Settings(listen="127.0.0.1:0", mqtt_url=SecretStr(broker.url))
    with house.served(fresh, settings=settings) as address:
        ready = httpx.get(f"{address}/readyz")
        assert (ready.status_code, ready.json()["ready"]) == (200, True)
        assert ready.json()["newest"]["heat"] == {"time": "2026-05-13T12:15:00Z", "age_seconds": 300}
        broker.stop()
        away = httpx.get(f"{address}/readyz")
        assert (away.status_code, away.json()["broker"], away.json()["database"]) == (503, False, True)


def test_every_answer_carries_the_headers_that_keep_people_safe(read_only: tuple[str, str]) -> None:
    address, url = read_only
    with house.client(address, url, "resident") as client:
        for path in ("/", "/api/v1/me", "/nothing", "/static/wijk.js"):
            headers = client.get(path).headers
            assert "script-src 'self'" in headers["content-security-policy"]
            assert "unsafe" not in headers["content-security-policy"]
            assert headers["x-content-type-options"] == "nosniff"
        assert client.get("/").headers["cache-control"] == "no-store"
        assert "immutable" in client.get("/static/wijk.js").headers["cache-control"]


def test_the_description_of_the_api_holds_the_contracts_addresses(read_only: tuple[str, str]) -> None:
    address, _ = read_only
    paths = httpx.get(f"{address}/api/v1/openapi.json").json()["paths"]
    assert {"/api/v1/me", "/api/v1/me/energy", "/api/v1/building/energy", "/api/v1/building/pellets", "/api/v1/tasks",
            "/api/v1/months", "/api/v1/months/{month}", "/api/v1/months/{month}/statement.json", "/api/v1/readings",
            "/api/v1/devices", "/healthz", "/readyz"} <= set(paths)  # fmt: skip
    assert all("description" in method or "summary" in method for path in paths.values() for method in path.values())


# -- starting and stopping ------------------------------------------------------------------------------------------


def test_the_service_starts_serves_counts_and_ends_cleanly(fresh: str) -> None:
    script = (
        "import sys; from api.serve import run; from core.settings import Settings;"
        "run(sys.argv[1], Settings(listen='127.0.0.1:0', metrics_listen=sys.argv[2]), 'de-ster',"
        " lambda address: print(address, flush=True))"
    )
    with socket.create_server(("127.0.0.1", 0)) as free:
        metrics = f"127.0.0.1:{free.getsockname()[1]}"
    process = subprocess.Popen([sys.executable, "-c", script, fresh, metrics], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        address = process.stdout.readline().strip()
        assert httpx.get(f"{address}/healthz").status_code == 200
        assert httpx.get(f"{address}/api/v1/months/2026-04").status_code == 401
        counted = httpx.get(f"http://{metrics}/metrics").text
        assert (
            'wijkenergie_http_requests_total{method="GET",route="/api/v1/months/{month}",status="401"} 1.0' in counted
        )
        assert "2026-04" not in counted
        with pytest.raises(httpx.ConnectError):
            httpx.get(f"http://{address.rpartition('/')[2].replace('127.0.0.1', '127.0.0.2')}/healthz")
    finally:
        process.send_signal(signal.SIGTERM)
        began = time.monotonic()
        code = process.wait(timeout=20)
        process.stdout.close()
    assert code == 0
    assert time.monotonic() - began < 5


def test_a_port_in_use_is_one_clear_sentence(fresh: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        listen = f"127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(Unavailable, match=f"Port {listen} is in use by another program"):
            in_main_thread(fresh, Settings(listen=listen, metrics_listen="127.0.0.1:0"))
        with pytest.raises(Unavailable, match="WIJKENERGIE_METRICS_LISTEN"):
            in_main_thread(fresh, Settings(listen="127.0.0.1:0", metrics_listen=listen))


@pytest.mark.parametrize("listen", ["8000", "127.0.0.1:web", "127.0.0.1:70000"])
def test_an_impossible_address_to_listen_on_is_bad_input(fresh: str, listen: str) -> None:
    with pytest.raises(BadInput, match="WIJKENERGIE_LISTEN"):
        in_main_thread(fresh, Settings(listen=listen, metrics_listen="127.0.0.1:0"))


def in_main_thread(url: str, settings: Settings) -> None:
    """Run the service as its command does, and put the signal handlers of the tests back."""
    assert threading.current_thread() is threading.main_thread()
    kept = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        run(url, settings, SLUG)
    finally:
        for number, handler in kept.items():
            signal.signal(number, handler)
