"""Final months on a real database: sealed once, changed by nobody, corrected in the same chain."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest

from core.communityfile import build
from core.db import transfer
from core.db.connection import Connection, connect
from core.db.migrate import migrate
from core.errors import BadInput, CheckFailed
from core.time import Month
from settlement import jobs, run
from settlement import store as month_store
from settlement.final import issue, store
from settlement.gates import NotFinal
from settlement.replay import settle_document
from settlement.seal import verify
from settlement.seal.bundle import SUN, resident_bundle
from tests.support import finalhouse, finaltown
from tests.support.finalhouse import LATER, NOW, SLUG
from tests.support.finaltown import FEBRUARY, HOUR, START
from tests.support.postgres import clone

pytestmark = pytest.mark.integration

DEARER = {"date": "2026-02-21", "pool": "heat", "eur": "10.00", "invoice": "M-5"}


@pytest.fixture
def house_url(server_url: str, town_name: str) -> Iterator[str]:
    with clone(server_url, town_name) as url:
        yield url


@pytest.fixture
def house(house_url: str) -> Iterator[Connection]:
    with connect(house_url) as connection:
        yield connection


def finalise(connection: Connection, **despite: str) -> issue.Issued:
    return issue.finalise(connection, SLUG, FEBRUARY, NOW, "corporation", despite)


def add_cost(connection: Connection) -> None:
    finalhouse.apply(connection, costs=[*finaltown.tree()["costs"], DEARER])


def fingerprint(connection: Connection) -> str:
    """Everything that is kept of months, in one hash."""
    digest = hashlib.sha256()
    for table in ("month", "posting", "sealed", "correction_posting", "opening"):
        for row in connection.execute(f"SELECT t::text FROM {table} t ORDER BY 1".encode()):
            digest.update(row[0].encode())
    return digest.hexdigest()


def test_a_month_becomes_final_with_a_number_and_a_seal(house: Connection) -> None:
    run.settle(house, SLUG, FEBRUARY, NOW)
    issued = finalise(house)
    assert (issued.sealed.number, issued.sealed.sequence, issued.sealed.revision) == ("2026-0001", 1, 1)
    assert issued.sealed.previous_sha256 is None
    assert (issued.document["status"], issued.document["revision"]) == ("final", 1)
    assert month_store.newest_statement(house, SLUG, "2026-02") == issued.sealed.document
    assert store.of_month(house, SLUG, "2026-02") == [issued.sealed]
    rows = house.execute("SELECT run, status FROM month ORDER BY run").fetchall()
    assert rows == [(1, "provisional"), (2, "final")]


def test_the_seal_changes_no_result(house: Connection) -> None:
    provisional = run.settle(house, SLUG, FEBRUARY, NOW).statement
    final = finalise(house).document
    for name in ("input_sha256", "result_sha256", "statements", "checks"):
        assert final[name] == provisional[name]
    file, readings = run.exported(house, SLUG, FEBRUARY)
    _, replayed = settle_document(build(file.tree, "the export"), FEBRUARY, readings)
    assert json.loads(replayed)["result_sha256"] == final["result_sha256"]


def test_a_gate_refuses_and_nothing_is_changed(database_url: str) -> None:
    values = finaltown.registers()
    for hour in range(49):
        del values["el-B"][START + HOUR * hour]
    with connect(database_url) as connection:
        finalhouse.fill(connection, values)
        before = fingerprint(connection)
        with pytest.raises(NotFinal) as refused:
            finalise(connection)
        assert "- missing: Meter el-B lacks 48 of 672 intervals" in str(refused.value)
        assert fingerprint(connection) == before
        gates = dict.fromkeys({one.gate for one in refused.value.refusals}, "the meter was broken")
        issued = finalise(connection, **gates)
        assert [one["gate"] for one in issued.sealed.despite] == sorted(gates, key=list(gates).index)
        assert {one["by"] for one in issued.sealed.despite} == {"corporation"}


def test_the_watchs_open_findings_block(house: Connection) -> None:
    house.execute(
        "INSERT INTO finding (community, code, meter, since, until, facts, opened_at) VALUES"
        " (%s, 'register-fell', 'el-A', '2026-02-03', '2026-02-03', %s, now()),"
        " (%s, 'register-fell', 'el-B', '2025-02-03', '2025-02-03', %s, now())",
        (SLUG, facts := json.dumps({"before": "5", "after": "1", "unit": "kWh"}), SLUG, facts),
    )
    (found,) = issue.blocked(house, SLUG, FEBRUARY, NOW)
    assert found.text.startswith("Meter el-A fell from 5 to 1 kWh at 3 February 2026 01:00")
    house.execute("UPDATE finding SET closed_at = now()")
    assert issue.blocked(house, SLUG, FEBRUARY, NOW) == []


def test_a_month_without_readings_cannot_become_final(house: Connection) -> None:
    with pytest.raises(BadInput, match="There are no readings for 2025-06; nothing was changed"):
        issue.finalise(house, SLUG, Month(2025, 6), NOW, "corporation")


def test_what_is_final_is_settled_by_nobody_again(house: Connection) -> None:
    issued = finalise(house)
    add_cost(house)
    before = fingerprint(house)
    with pytest.raises(CheckFailed, match=r"2026-02 is final \(document 2026-0001\) and is not settled again"):
        run.settle(house, SLUG, FEBRUARY, LATER)
    with pytest.raises(CheckFailed, match="2026-02 is final already: document 2026-0001"):
        finalise(house)
    assert fingerprint(house) == before
    assert store.of_month(house, SLUG, "2026-02") == [issued.sealed]


def test_a_correction_is_issued_once_and_chained(house: Connection) -> None:
    first = finalise(house)
    assert issue.candidate(house, SLUG, FEBRUARY) is None
    assert issue.correct(house, SLUG, FEBRUARY, LATER, "corporation") is None
    add_cost(house)
    waiting = issue.look_again(house, SLUG, FEBRUARY, LATER)
    assert waiting is not None
    assert store.candidate(house, SLUG, "2026-02") == waiting
    issued = issue.correct(house, SLUG, FEBRUARY, LATER, "corporation")
    assert issued is not None
    assert {**issued.document, "number": None} == waiting
    assert (issued.sealed.number, issued.sealed.revision) == ("2026-0002", 2)
    assert issued.sealed.previous_sha256 == first.sealed.seal_sha256
    assert issued.document["corrects"] == {
        "number": "2026-0001",
        "revision": 1,
        "seal_sha256": first.sealed.seal_sha256,
    }
    assert store.candidate(house, SLUG, "2026-02") is None
    assert issue.correct(house, SLUG, FEBRUARY, LATER, "corporation") is None
    assert sum(Decimal(entry["due_eur"]) for entry in issued.document["statements"]) == 10
    sums = house.execute("SELECT sum(cents) FROM correction_posting GROUP BY number, transaction").fetchall()
    assert set(sums) == {(0,)}
    # A second one builds on both.
    finalhouse.withdraw(house, "cost", "heat M-5")
    second = issue.correct(house, SLUG, FEBRUARY, LATER, "corporation")
    assert second is not None
    assert (second.sealed.number, second.sealed.revision) == ("2026-0003", 3)
    assert sum(Decimal(entry["due_eur"]) for entry in second.document["statements"]) == -10
    assert month_store.newest_statement(house, SLUG, "2026-02") == first.sealed.document


def test_late_readings_are_the_reason_of_a_correction(database_url: str) -> None:
    values = finaltown.registers()
    late = {START + HOUR * hour: values["heat-A"].pop(START + HOUR * hour) for hour in range(180, 210)}
    late = {at: value - Decimal("0.5") for at, value in late.items()}
    # Flat A changes hands while its meter says nothing, so that two bills depend on what it said.
    moved = [
        {"id": "h-a", "flat": "A", "from": "2025-01-01", "until": "2026-02-09"},
        {"id": "h-c", "flat": "A", "from": "2026-02-09"},
        finaltown.tree()["households"][1],
    ]
    with connect(database_url) as connection:
        finalhouse.fill(connection, values, households=moved)
        finalise(connection)
        finalhouse.take_in(connection, {"heat-A": late})
        made = issue.candidate(connection, SLUG, FEBRUARY)
    assert made is not None
    assert [reason["text"] for reason in made["reasons"]] == [
        "30 readings of meter heat-A from 2026-02-08T10:00:00Z to 2026-02-09T15:00:00Z became known after the month was"
        " final."
    ]


def test_not_a_cent_no_document(house: Connection) -> None:
    finalise(house)
    finalhouse.apply(house, final={"wait_days": "9"}, name="Linde aan de gracht")
    assert issue.look_again(house, SLUG, FEBRUARY, LATER) is None


def test_a_correction_passes_the_gates_too(house: Connection) -> None:
    finalise(house)
    house.execute("DELETE FROM reading WHERE meter = 'el-A' AND time < '2026-02-05'")
    assert issue.candidate(house, SLUG, FEBRUARY) is not None
    with pytest.raises(NotFinal, match="missing: Meter el-A lacks"):
        issue.correct(house, SLUG, FEBRUARY, LATER, "corporation")
    assert len(store.of_month(house, SLUG, "2026-02")) == 1


def test_months_become_final_in_order(house: Connection) -> None:
    finalise(house)
    march = finaltown.FEBRUARY.shift(1)
    values = {
        meter: {START + HOUR * hour: Decimal(wh * hour) / 1000 for hour in range(finaltown.HOURS, 62 * 24 + 2)}
        for meter, wh in finaltown.PER_HOUR.items()
    }
    finalhouse.take_in(house, values)
    late = NOW + timedelta(days=62)
    with pytest.raises(
        NotFinal, match="order: Months become final one after the other, without a gap; the next is 2026-03"
    ):
        issue.finalise(house, SLUG, march.shift(1), late, "corporation")
    with pytest.raises(BadInput, match="2026-03 is not final, so there is nothing to correct"):
        issue.correct(house, SLUG, march, late, "corporation")


def test_two_workers_at_once_seal_one_month(house: Connection, house_url: str) -> None:
    ready, ends = threading.Barrier(2), []

    def worker() -> None:
        with connect(house_url) as connection:
            ready.wait()
            try:
                ends.append(issue.finalise(connection, SLUG, FEBRUARY, NOW, "corporation").sealed.number)
            except CheckFailed as error:
                ends.append(str(error))

    threads = [threading.Thread(target=worker) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(ends) == {"2026-0001", "2026-02 is final already: document 2026-0001; it can only be corrected."}
    assert house.execute("SELECT count(*) FROM sealed").fetchone() == (1,)
    assert house.execute("SELECT count(*) FROM month WHERE status = 'final'").fetchone() == (1,)


ATTACKS = [
    "UPDATE month SET statement = '{}'",
    "UPDATE month SET status = 'provisional' WHERE status = 'final'",
    "DELETE FROM month",
    "TRUNCATE month CASCADE",
    "UPDATE posting SET cents = 0",
    "DELETE FROM posting",
    "TRUNCATE posting",
    "UPDATE sealed SET document = '{}'",
    "UPDATE sealed SET sealed_at = now()",
    "DELETE FROM sealed",
    "TRUNCATE sealed CASCADE",
    "UPDATE correction_posting SET cents = 0",
    "DELETE FROM correction_posting",
    "TRUNCATE correction_posting",
    "DELETE FROM opening",
    "TRUNCATE opening",
    "UPDATE opening SET opening = '\\x00'",
    "UPDATE exported SET person = 'nobody'",
    "DELETE FROM exported",
    "INSERT INTO month SELECT community, month, run + 1, 'provisional', input_sha256, result_sha256, '{}', now()"
    " FROM month WHERE status = 'final'",
    "INSERT INTO month SELECT community, month, run + 1, 'final', input_sha256, result_sha256, '{}', now()"
    " FROM month WHERE status = 'final'",
    "INSERT INTO sealed SELECT community, 9, '2026-0009', month, run, 9, now(), '', now(), 'x', 'y', '{}', inputs,"
    " despite, bundle FROM sealed WHERE sequence = 1",
    "INSERT INTO sealed SELECT community, sequence + 2, number || 'b', month, run, 9, now(), '', now(), seal_sha256,"
    " 'z', '{}', inputs, despite, bundle FROM sealed WHERE sequence = 1",
]
"""What would change, remove or slip in something; each must fail, whoever asks."""


def test_nobody_changes_what_is_sealed(corrected: Connection) -> None:
    before = fingerprint(corrected)
    for attack in ATTACKS:
        with pytest.raises(psycopg.Error):
            corrected.execute(attack.encode())
        assert fingerprint(corrected) == before, attack
    # What the service itself may do, whoever owns the tables: destroy what opens a month.
    assert store.destroy_openings(corrected, SLUG, "2026-02", LATER) == 5
    assert store.openings_destroyed_at(corrected, SLUG, "2026-0001") == LATER


@pytest.fixture(params=["superuser", "application"])
def corrected(request: pytest.FixtureRequest, server_url: str) -> Iterator[Connection]:
    """A database with a sealed month and a correction, as its owner sees it: a superuser, or the application's role."""
    role, name = f"sealer_{request.param}", f"sealed_{request.param}"
    with connect(server_url) as server:
        super_user = "SUPERUSER" if request.param == "superuser" else "NOSUPERUSER"
        server.execute(f"CREATE ROLE {role} LOGIN {super_user}".encode())
        server.execute(f"CREATE DATABASE {name} OWNER {role}".encode())
        try:
            parts = urlsplit(server_url)
            host = parts.netloc.rpartition("@")[2]
            url = parts._replace(netloc=f"{role}@{host}", path=f"/{name}").geturl()
            migrate(url)
            with connect(url) as connection:
                finalhouse.fill(connection)
                issued = finalise(connection)
                add_cost(connection)
                assert issue.correct(connection, SLUG, FEBRUARY, LATER, "corporation") is not None
                store.mark_exported(connection, SLUG, issued.sealed.number, LATER, "corporation", "zip")
                connection.execute(
                    "INSERT INTO opening (community, number, label, opening) VALUES (%s, %s, 'h-x', 'o')"
                    " ON CONFLICT DO NOTHING",
                    (SLUG, issued.sealed.number),
                )
                yield connection
        finally:
            server.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())
            server.execute(f"DROP ROLE {role}".encode())


def test_openings_are_destroyed_once_and_on_record(house: Connection) -> None:
    issued = finalise(house)
    house.execute(
        "INSERT INTO opening (community, number, label, opening) VALUES (%s, %s, 'h-x', 'o')",
        (SLUG, issued.sealed.number),
    )
    assert store.openings(house, SLUG, issued.sealed.number, ["h-x", "h-y"]) == {"h-x": b"o"}
    assert store.destroy_openings(house, SLUG, "2026-02", LATER) >= 1
    assert store.destroy_openings(house, SLUG, "2026-02", LATER) == 0
    assert store.openings(house, SLUG, issued.sealed.number, ["h-x"]) == {}
    assert house.execute("SELECT DISTINCT destroyed_at FROM opening").fetchall() == [(LATER,)]
    assert store.bundle(house, SLUG, issued.sealed.number) is not None


def test_a_backup_keeps_finals_as_they_are(house: Connection, database_url: str, tmp_path: Path) -> None:
    for _ in range(2):
        run.settle(house, SLUG, FEBRUARY, NOW)
        finalhouse.take_in(house, {"el-A": {START + HOUR * 674: Decimal(480)}})
    finalise(house)
    add_cost(house)
    issue.correct(house, SLUG, FEBRUARY, LATER, "corporation")
    transfer.dump(house, tmp_path / "dump")
    with connect(database_url) as restored:
        transfer.load(restored, tmp_path / "dump")
        assert fingerprint(restored) == fingerprint(house)
        assert store.of_month(restored, SLUG, "2026-02") == store.of_month(house, SLUG, "2026-02")
        assert issue.candidate(restored, SLUG, FEBRUARY) is None
        with pytest.raises(psycopg.Error, match="append-only"):
            restored.execute("DELETE FROM sealed")
        first, second = (store.bundle(restored, SLUG, number) or b"" for number in ("2026-0001", "2026-0002"))
        label = "h-a|A|2026-02-01"
        openings = store.openings(restored, SLUG, "2026-0001", [label, SUN])
        seal = store.of_month(restored, SLUG, "2026-02")[0].seal_sha256
        own = resident_bundle(first, label, openings)
    assert len(openings) == 2
    proven = verify.verify(first, seal_sha256=seal, openings=list(openings.values()))
    assert (proven.wrong, len(proven.proved) > 10) == ([], True)
    assert verify.verify(own, seal_sha256=seal).wrong == []
    chained = verify.verify(second, previous=first)
    assert chained.wrong == []
    assert "It follows the seal before it." in chained.proved
    assert verify.verify(second, previous="0" * 64).wrong != []


def test_the_nightly_job_settles_no_final_month_and_finds_its_correction(house: Connection, house_url: str) -> None:
    issued = finalise(house)
    add_cost(house)
    march = range(finaltown.HOURS, finaltown.HOURS + 100)
    finalhouse.take_in(house, {"boiler": {START + HOUR * hour: Decimal(5 * hour) for hour in march}})
    work = jobs.Work(house_url, finalhouse.SETTINGS, SLUG)
    jobs.settle_months(work, house, NOW + timedelta(days=1))
    assert house.execute("SELECT DISTINCT month FROM month WHERE status = 'provisional'").fetchall() == [("2026-03",)]
    assert store.of_month(house, SLUG, "2026-02") == [issued.sealed]
    waiting = store.candidate(house, SLUG, "2026-02")
    assert waiting is not None
    assert waiting["revision"] == 2
    finalhouse.withdraw(house, "cost", "heat M-5")
    jobs.settle_months(work, house, NOW + timedelta(days=2))
    assert store.candidate(house, SLUG, "2026-02") is None
