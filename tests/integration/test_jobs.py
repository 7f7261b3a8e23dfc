"""The worker: what it does by the clock, what it survives, and how it stops."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Self

import procrastinate
import pytest
from pydantic import SecretStr
from structlog.testing import capture_logs

from core.db.connection import Connection, connect
from core.errors import BadInput, Unavailable
from core.settings import Settings
from settlement import jobs
from settlement.jobs import Work, do, run_worker
from settlement.tasks import rounds, store
from tests.support import boilerhouse as house
from tests.support.boilerhouse import OPENED, SLUG
from tests.support.mailbox import Mailbox

# The notification library imports a module of the standard library that is on its way out, on Python 3.11 and 3.12.
pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")

ROOT = Path(__file__).parents[2]
NOW = datetime(2026, 2, 3, 12, tzinfo=UTC)
_PATIENCE_SECONDS = 40


@pytest.fixture
def connection(database_url: str) -> Iterator[Connection]:
    with connect(database_url, autocommit=True) as opened:
        house.make(opened)
        yield opened


@pytest.fixture
def mailbox() -> Iterator[Mailbox]:
    box = Mailbox()
    box.start()
    try:
        yield box
    finally:
        box.stop()


def wait_for(holds: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while not holds():
        assert time.monotonic() < deadline, f"not within {_PATIENCE_SECONDS} s: {what}"
        time.sleep(0.05)


class Running:
    """A worker in a thread, stopped at the end of a with block."""

    def __init__(self, url: str, settings: Settings, now: datetime = NOW) -> None:
        self.alerts: list[tuple[str, str]] = []
        self._stop = threading.Event()
        self._failed: list[Exception] = []

        def body() -> None:
            try:
                run_worker(
                    url,
                    settings,
                    SLUG,
                    publish=lambda topic, text: self.alerts.append((topic, text)),
                    quiet_hours=False,
                    stop=self._stop,
                    clock=lambda: now,
                )
            except Exception as error:  # noqa: BLE001 - handed to the test's own thread
                self._failed.append(error)

        self._thread = threading.Thread(target=body)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        begin = time.monotonic()
        self._stop.set()
        self._thread.join(30)
        assert not self._thread.is_alive()
        assert not self._failed
        self.seconds_to_stop = time.monotonic() - begin


def statuses(connection: Connection) -> dict[str, str]:
    return dict(connection.execute("SELECT month, status FROM month ORDER BY month, run").fetchall())


def test_soon_after_the_start_months_are_settled_and_people_hear_of_it(
    connection: Connection, database_url: str, mailbox: Mailbox
) -> None:
    house.register_month(connection, OPENED - timedelta(days=2), NOW)
    house.person(connection, "r1", "bewoner@example.org", ["resident"], household="h-001")
    house.person(connection, "v1", "vrijwilliger@example.org", ["volunteer"])
    settings = Settings(notify_urls=SecretStr(mailbox.url), base_url="https://wijk.example.org")
    with Running(database_url, settings) as worker:
        wait_for(lambda: len(mailbox.received) == 2, "two mails")
        wait_for(lambda: set(statuses(connection)) == {"2026-01", "2026-02"}, "both months settled")
        wait_for(lambda: len(worker.alerts) == 1, "an alert")
    assert worker.seconds_to_stop < 5
    assert sorted(mailbox.recipients) == ["bewoner@example.org", "vrijwilliger@example.org"]
    subjects = {message["Subject"] for _, _, message in mailbox.received}
    assert subjects == {"De ketel heeft pellets nodig", "Uw overzicht van januari 2026 staat klaar"}
    assert set(statuses(connection).values()) == {"provisional"}
    ((topic, text),) = worker.alerts
    assert topic == "wijkenergie/de-ster/alerts/refill"
    assert json.loads(text) == {
        "kind": "refill",
        "text": "De ketel heeft pellets nodig",
        "time": "2026-02-03T12:00:00Z",
    }
    waiting = connection.execute("SELECT count(*) FROM procrastinate_jobs WHERE status = 'doing'").fetchone()
    assert waiting == (0,)


def test_two_workers_do_everything_once(connection: Connection, database_url: str, mailbox: Mailbox) -> None:
    house.register_month(connection, OPENED - timedelta(days=2), NOW)
    house.person(connection, "r1", "bewoner@example.org", ["resident"], household="h-001")
    house.person(connection, "v1", "vrijwilliger@example.org", ["volunteer"])
    settings = Settings(notify_urls=SecretStr(mailbox.url))
    with Running(database_url, settings) as one, Running(database_url, settings) as other:
        wait_for(lambda: len(mailbox.received) == 2, "two mails")
        wait_for(lambda: set(statuses(connection)) == {"2026-01", "2026-02"}, "both months settled")
        wait_for(lambda: len(one.alerts) + len(other.alerts) == 1, "an alert")
    assert len(mailbox.received) == 2
    assert connection.execute("SELECT month, run FROM month ORDER BY 1").fetchall() == [("2026-01", 1), ("2026-02", 1)]


def test_a_database_that_goes_away_is_waited_for(connection: Connection, database_url: str) -> None:
    def shot() -> int:
        killed = connection.execute(
            "SELECT count(*) FILTER (WHERE pg_terminate_backend(pid)) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        ).fetchone()
        assert killed is not None
        return int(killed[0])

    def listening() -> bool:
        row = connection.execute("SELECT count(*) FROM procrastinate_workers").fetchone()
        return row is not None and row[0] > 0

    with Running(database_url, Settings()):
        wait_for(listening, "a worker")
        wait_for(lambda: len(rounds.open_tasks(connection, SLUG)) == 1, "the first task")
        connection.execute("UPDATE task SET state = 'cancelled'")
        assert shot() > 0
        with procrastinate.App(connector=procrastinate.SyncPsycopgConnector(conninfo=database_url)).open() as app:
            app.configure_task("tasks", queue=SLUG).defer(timestamp=0)
        wait_for(lambda: len(rounds.open_tasks(connection, SLUG)) == 1, "a task after the cut")


def test_a_month_is_settled_again_only_while_it_may_change(connection: Connection, database_url: str) -> None:
    house.register_month(connection, OPENED - timedelta(days=2), NOW + timedelta(days=3))
    work = Work(database_url, Settings(), SLUG)

    def runs() -> list[tuple[str, int]]:
        return connection.execute("SELECT month, max(run) FROM month GROUP BY 1 ORDER BY 1").fetchall()

    def correct() -> None:
        """Let something new be known about January."""
        at = datetime(2026, 1, 10, minute=len(runs()) + runs()[0][1], tzinfo=UTC)
        connection.execute("INSERT INTO reading VALUES (%s, 'el-A01', %s, 60)", (SLUG, at))

    jobs.settle_months(work, connection, NOW + timedelta(days=4))
    assert runs() == [("2026-01", 1), ("2026-02", 1)]
    correct()
    jobs.settle_months(work, connection, NOW)
    assert runs()[0] == ("2026-01", 2)
    correct()
    jobs.settle_months(work, connection, NOW + timedelta(days=4))
    assert runs()[0] == ("2026-01", 2)
    connection.execute(
        "INSERT INTO month (community, month, run, status, input_sha256, result_sha256, statement)"
        " VALUES (%s, '2026-01', 3, 'final', '', '', '{\"statements\": []}')",
        (SLUG,),
    )
    jobs.settle_months(work, connection, NOW)
    assert runs()[0] == ("2026-01", 3)


def test_nothing_is_settled_where_nothing_was_measured(connection: Connection, database_url: str) -> None:
    jobs.settle_months(Work(database_url, Settings(), SLUG), connection, NOW)
    assert statuses(connection) == {}


def test_a_job_that_another_worker_does_is_left_to_it(connection: Connection, database_url: str) -> None:
    assert store.try_lock(connection, SLUG, "tasks")
    work = Work(database_url, Settings(), SLUG)
    do(work, "tasks", jobs.check_tasks, NOW)
    assert rounds.open_tasks(connection, SLUG) == []
    connection.execute("SELECT pg_advisory_unlock_all()")
    do(work, "tasks", jobs.check_tasks, NOW)
    assert len(rounds.open_tasks(connection, SLUG)) == 1


def test_a_job_that_fails_says_so_in_a_sentence_and_the_next_one_comes(
    connection: Connection, database_url: str
) -> None:
    def impossible(work: Work, opened: Connection, now: datetime) -> None:
        raise BadInput("The stock would be negative; correct delivery P-1.")

    def wrong(work: Work, opened: Connection, now: datetime) -> None:
        opened.execute("SELECT 1/0")

    work = Work(database_url, Settings(), SLUG)
    with capture_logs() as logs:
        do(work, "first", impossible, NOW)
        do(work, "second", wrong, NOW)
        do(work, "tasks", jobs.check_tasks, NOW)
    assert [(entry["event"], entry.get("job")) for entry in logs[:2]] == [
        ("job failed", "first"),
        ("job failed", "second"),
    ]
    assert logs[0]["reason"] == "The stock would be negative; correct delivery P-1."
    assert "exc_info" not in logs[0]
    assert logs[1]["exc_info"]
    assert len(rounds.open_tasks(connection, SLUG)) == 1
    assert work.busy == set()


def test_a_worker_without_a_community_or_a_database_says_so(database_url: str) -> None:
    with pytest.raises(BadInput, match="does not know the community"):
        run_worker(database_url, Settings(), SLUG)
    with pytest.raises(Unavailable, match="cannot be reached"):
        run_worker("postgresql://127.0.0.1:1/x", Settings(), SLUG)


PROGRAM = """
import sys, time
from core.settings import Settings
from settlement import jobs

def endless(work, connection, now):
    print("busy", flush=True)
    if sys.argv[2] == "query":
        connection.execute("SELECT pg_sleep(60)")
    else:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            time.sleep(0.01)

if sys.argv[2] != "idle":
    jobs.SCHEDULE["quarters"] = ("* * * * *", endless)
jobs.run_worker(sys.argv[1], Settings(), "de-ster")
print("clean", flush=True)
"""


@pytest.mark.parametrize(("doing", "ends_cleanly"), [("idle", True), ("query", True), ("calculation", False)])
def test_a_signal_ends_the_worker_soon_whatever_it_does(
    connection: Connection, database_url: str, doing: str, ends_cleanly: bool
) -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM, database_url, doing],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=environment,
        cwd=ROOT,
    ) as process:
        try:
            assert process.stdout is not None
            awaited = "worker ready" if doing == "idle" else "busy"
            seen = next(line for line in process.stdout if awaited in line)
            assert seen
            begin = time.monotonic()
            process.send_signal(signal.SIGTERM)
            rest = process.stdout.read()
            assert process.wait(30) == 0
            assert time.monotonic() - begin < 10  # four seconds of grace, and what a busy machine takes to end
        finally:
            process.kill()
    assert ("clean" in rest) is ends_cleanly
    assert ("abandoned" in rest) is not ends_cleanly
    assert "Traceback" not in rest
