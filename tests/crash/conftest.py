"""A rig per test, on a server that keeps what it committed; and what all logs said when a test fails."""

from __future__ import annotations

import os
import secrets
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest

from core.db.connection import connect
from core.db.migrate import migrate
from core.db.server import Server, temporary
from tests.crash.rig import Rig, broker_lines
from tests.support.broker import Broker, find_mosquitto
from tests.support.postgres import clone


@pytest.fixture(scope="session")
def durable_server() -> Iterator[Server]:
    """Give a server that is as safe as in the house: the tests' own one forgets commits when it is killed."""
    with temporary(durable=True) as server:
        yield server


@pytest.fixture(scope="session")
def durable_database(durable_server: Server) -> Iterator[str]:
    """Address of a migrated database on it; making and dropping one is slow where the disk must confirm it."""
    with clone(durable_server.url_of("postgres"), None) as url:
        migrate(url)
        yield url


@pytest.fixture
def rig(tmp_path: Path, durable_server: Server, durable_database: str) -> Iterator[Rig]:
    """Everything but the collector and the publisher runs already, and nothing is stored."""
    if find_mosquitto() is None:
        pytest.skip("mosquitto is not installed (apt-get install mosquitto)")
    with connect(durable_database) as connection:
        connection.execute("TRUNCATE reading, reading_conflict, dead_letter, device_health")
    broker = Broker(tmp_path, broker_lines(tmp_path))
    broker.start()
    try:
        made = Rig(tmp_path, durable_server, durable_database, broker)
        try:
            yield made
        finally:
            made.close()
    finally:
        broker.stop()


@pytest.fixture
def seed() -> int:
    """Where all chance of a test comes from; ``CRASH_SEED`` repeats a run."""
    return int(os.environ.get("CRASH_SEED") or secrets.randbelow(1_000_000))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Generator[None, object, object]:
    """Show the seed and the last lines of every log below a failure."""
    report = yield
    assert isinstance(report, pytest.TestReport)
    given = getattr(item, "funcargs", {})
    if report.failed:
        if "seed" in given:
            report.sections.append(("seed", f"CRASH_SEED={given['seed']} repeats it"))
        if "rig" in given:
            report.sections.extend(given["rig"].report())
    return report
