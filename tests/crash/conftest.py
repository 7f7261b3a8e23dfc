"""A rig per test, on a server that keeps what it committed; and what all logs said when a test fails."""

from __future__ import annotations

import os
import secrets
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest

from core.db.server import Server, temporary
from tests.crash.rig import Rig, broker_lines
from tests.support.broker import Broker, find_mosquitto
from tests.support.postgres import clone, template


@pytest.fixture(scope="session")
def durable_server() -> Iterator[Server]:
    """Give a server that is as safe as in the house: the tests' own one forgets commits when it is killed."""
    with temporary(durable=True) as server:
        yield server


@pytest.fixture(scope="session")
def durable_template(durable_server: Server) -> Iterator[str]:
    """Name of a migrated database on it."""
    with template(durable_server.url_of("postgres")) as name:
        yield name


@pytest.fixture
def rig(tmp_path: Path, durable_server: Server, durable_template: str) -> Iterator[Rig]:
    """Everything but the collector and the publisher runs already."""
    if find_mosquitto() is None:
        pytest.skip("mosquitto is not installed (apt-get install mosquitto)")
    broker = Broker(tmp_path, broker_lines(tmp_path))
    broker.start()
    try:
        with clone(durable_server.url_of("postgres"), durable_template) as url:
            made = Rig(tmp_path, durable_server, url, broker)
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
    if report.failed and report.when == "call":
        if "seed" in given:
            report.sections.append(("seed", f"CRASH_SEED={given['seed']} repeats it"))
        if "rig" in given:
            report.sections.extend(given["rig"].report())
    return report
