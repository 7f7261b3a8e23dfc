"""Fixtures of all tests: a real PostgreSQL, a real broker, a clean environment.

=====================  ===========================================================================================
`server_url`           the server's own database, for tests that make databases or roles
`template_name`        a migrated database on it to `clone`, for fixtures that many tests share
`house_name`           the same with the building of `tests.support.house` in it, two months settled
`town_name`            the same with the building of `tests.support.finaltown` in it, a month of readings
`database_url`         a fresh, migrated database for this test alone
`empty_database_url`   a fresh database with nothing in it
`broker`               a mosquitto with ``url``, ``host``, ``port``, ``stop()``, ``kill()``, ``start()``
`quick_broker`         the same, in memory only
`shared_data`          the folder of real measurements beside the checkout; skips where it is absent
=====================  ===========================================================================================

Tests in ``integration/``, ``browser/``, ``crash/`` and ``benchmark/`` carry the marker of their folder.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from hypothesis import settings

from core.db.server import temporary
from tests.support.broker import Broker, find_mosquitto
from tests.support.postgres import clone, quick_folder, template

pytest_plugins = ["tests.support.tally"]

ROOT = Path(__file__).parents[1]

_SERVER = os.environ.get("WIJKENERGIE_TEST_DATABASE_URL")
for _name in [name for name in os.environ if name.startswith("WIJKENERGIE_")]:
    del os.environ[_name]  # a developer's own settings are not part of any test

# No deadline: one example's time says more about the machine's other work than about the code.
settings.register_profile("dev", max_examples=100, deadline=None)
settings.register_profile("ci", max_examples=150, deadline=None, print_blob=True)
settings.load_profile("ci" if os.environ.get("CI") == "true" else "dev")


@pytest.fixture(scope="session")
def server_url() -> Iterator[str]:
    """Address of the server the tests use, as somebody who may make databases and roles."""
    if _SERVER:
        yield _SERVER
    else:
        with pytest.MonkeyPatch.context() as patch, ExitStack() as stack:
            patch.setattr(tempfile, "tempdir", quick_folder())
            server = stack.enter_context(temporary())
            patch.undo()
            yield server.url_of("postgres")


@pytest.fixture(scope="session")
def template_name(server_url: str) -> Iterator[str]:
    """Name of a migrated database that can be cloned."""
    with template(server_url) as name:
        yield name


@pytest.fixture(scope="session")
def house_name(server_url: str, template_name: str) -> Iterator[str]:
    """Name of a database with a building whose months are settled and who lives there, to be cloned."""
    from tests.support.house import seed  # noqa: PLC0415 - the whole web server comes with it, which few runs need

    with template(server_url, template_name, seed) as name:
        yield name


@pytest.fixture(scope="session")
def town_name(server_url: str, template_name: str) -> Iterator[str]:
    """Name of a database with a small building and a month of readings that can become final, to be cloned."""
    from tests.support.finalhouse import seed  # noqa: PLC0415 - as above

    with template(server_url, template_name, seed) as name:
        yield name


@pytest.fixture
def database_url(server_url: str, template_name: str) -> Iterator[str]:
    """Address of a fresh, migrated database."""
    with clone(server_url, template_name) as url:
        yield url


@pytest.fixture
def empty_database_url(server_url: str) -> Iterator[str]:
    """Address of a fresh database without any schema."""
    with clone(server_url, None) as url:
        yield url


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    """Start a broker that lets everybody in and forgets nothing."""
    yield from _running(tmp_path / "mosquitto", None)


@pytest.fixture
def quick_broker(tmp_path: Path) -> Iterator[Broker]:
    """Start one that does not write every change to the disk, and so has soon read what it was told."""
    yield from _running(tmp_path / "quick", "allow_anonymous true\nmax_queued_messages 100000\n")


def _running(folder: Path, config: str | None) -> Iterator[Broker]:
    if find_mosquitto() is None:
        pytest.skip("mosquitto is not installed (apt-get install mosquitto)")
    folder.mkdir()
    server = Broker(folder, config)
    server.start()
    try:
        yield server
    finally:
        server.stop()


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of the real measurements."""
    folder = ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"the real data is not beside the checkout ({folder})")
    return folder
