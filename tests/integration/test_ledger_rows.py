"""The ledger in the database: append-only, balanced at commit, and every posting says what is behind it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import psycopg
import pytest

from core.communityfile import load
from core.db import config
from core.db.connection import Connection, connect
from core.db.readings import insert_readings
from core.time import Month, from_microseconds
from settlement import readingsfile, run
from settlement.store import newest_postings
from tests.data.synthetic import generate
from tests.support.house import NOW
from tests.support.postgres import clone

pytestmark = pytest.mark.integration

DATA = Path(generate.__file__).parent


@pytest.fixture(scope="module")
def settled(server_url: str, template_name: str) -> Iterator[str]:
    """Address of a database in which the synthetic month is settled."""
    file = load(DATA / "community.yaml")
    known = readingsfile.read(DATA / "readings.csv", file.community)
    rows = (
        (meter, from_microseconds(time), value)
        for meter, one in known.items()
        for time, value in zip(one.times, one.values, strict=True)
    )
    with clone(server_url, template_name) as url, connect(url) as own:
        with own.transaction():
            config.apply(own, file, NOW, "test")
            insert_readings(own, file.community.community, rows, "test")
        run.settle(own, file.community.community, Month.parse("2026-01"), NOW)
        yield url


@pytest.fixture
def connection(settled: str) -> Iterator[Connection]:
    """Into that database; what a test leaves open is undone."""
    with connect(settled, autocommit=True) as own:
        yield own


def slug(connection: Connection) -> str:
    return config.communities(connection)[0]


@pytest.mark.parametrize("table", ["posting", "month"])
@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE {} SET community = community",
        "UPDATE {} SET month = '2026-02' WHERE false",
        "DELETE FROM {}",
        "DELETE FROM {} WHERE run = 99",
        "TRUNCATE {} CASCADE",
    ],
)
def test_nothing_booked_can_be_changed_or_taken_away(connection: Connection, table: str, statement: str) -> None:
    before = connection.execute("SELECT count(*), sum(abs(cents)) FROM posting").fetchone()
    with pytest.raises(psycopg.errors.RaiseException, match="append-only"), connection.transaction():
        connection.execute(statement.format(table))
    assert connection.execute("SELECT count(*), sum(abs(cents)) FROM posting").fetchone() == before


def add(connection: Connection, **transactions: list[object]) -> None:
    """Book into the settled month, line by line; transactions are named t9001 and so on."""
    for name, cents in transactions.items():
        for line, amount in enumerate(cents, 1):
            connection.execute(
                "INSERT INTO posting (community, month, run, transaction, line, account, cents, what)"
                " VALUES (%s, '2026-01', 1, %s, %s, 'a', %s, 'test')",
                (slug(connection), name.removeprefix("t"), line, amount),
            )


def test_a_transaction_that_does_not_balance_is_refused_at_commit(connection: Connection) -> None:
    before = connection.execute("SELECT count(*) FROM posting").fetchone()
    with pytest.raises(psycopg.errors.RaiseException, match="does not sum to zero"), connection.transaction():
        add(connection, t9001=[100, -99])
    with pytest.raises(psycopg.errors.RaiseException, match="does not sum to zero"), connection.transaction():
        add(connection, t9001=[100, -100], t9002=[1])
    assert connection.execute("SELECT count(*) FROM posting").fetchone() == before


def test_a_transaction_that_balances_by_its_end_is_kept(connection: Connection) -> None:
    with connection.transaction(force_rollback=True):
        add(connection, t9001=[100, -60, -40])  # unbalanced between the lines, balanced at the end
        connection.execute("SET CONSTRAINTS ALL IMMEDIATE")  # as a commit does
        row = connection.execute("SELECT sum(cents), count(*) FROM posting WHERE transaction = 9001").fetchone()
    assert row == (0, 3)


def test_a_cent_that_is_no_whole_number_is_refused(connection: Connection) -> None:
    with pytest.raises(psycopg.errors.InvalidTextRepresentation), connection.transaction():
        add(connection, t9001=["0.5", "-0.5"])


def test_balances_of_parties_in_the_database_are_the_statements(connection: Connection) -> None:
    statement = json.loads(connection.execute("SELECT statement FROM month").fetchall()[0][0])
    told: dict[str, int] = {}
    for entry in statement["statements"]:
        account = ":".join(["party", entry["party"], *([entry["flat"]] if entry["flat"] else [])])
        told[account] = told.get(account, 0) + int(Decimal(entry["balance_eur"]) * 100)
    booked = connection.execute(
        "SELECT account, sum(cents)::bigint FROM posting WHERE account LIKE 'party:%' GROUP BY 1"
    ).fetchall()
    assert {account: cents for account, cents in booked if cents} == {a: cents for a, cents in told.items() if cents}


def test_every_posting_names_what_is_behind_it(connection: Connection) -> None:
    file = config.load(connection, slug(connection))
    starts = {
        f"{section}@{entry['from']}" for section in ("tariffs", "sharing", "heat") for entry in file.tree[section]
    }
    events = {
        f"{kind}:{key}"
        for kind, key in connection.execute("SELECT kind, key FROM event WHERE community = %s", (slug(connection),))
    }
    meters = {meter.id for meter in file.community.meters}
    measures = {meter.measures for meter in file.community.meters}
    postings = newest_postings(connection, slug(connection), "2026-01")
    assert len(postings) > 20
    for posting in postings:
        evidence = posting["evidence"]
        assert set(evidence) <= {"rules", "documents", "meters", "all_of", "from", "until"}, posting
        assert set(evidence.get("rules", [])) <= starts
        named = {name for name in evidence.get("documents", []) if not name.startswith("stock:")}
        assert named <= events, posting
        assert set(evidence.get("meters", [])) <= meters
        assert set(evidence.get("all_of", [])) <= measures
        assert evidence["from"] < evidence["until"]
        assert evidence.get("rules") or posting["what"] == "advance"
    kinds = {posting["what"] for posting in postings}
    assert {"cost of heat", "solar", "fixed", "heat_measured", "heat_fixed", "advance"} <= kinds
    for what in ("solar", "heat_measured"):
        of = next(posting for posting in postings if posting["what"] == what)
        assert of["evidence"]["meters"]
    cost = next(posting for posting in postings if posting["what"] == "cost of heat")
    assert any(name.startswith("delivery:") for name in cost["evidence"]["documents"])
