"""What every command needs: the settings, the database, the community, the log."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import structlog

from core.communityfile import load
from core.db import config
from core.db.connection import Connection, connect
from core.db.server import embedded
from core.errors import BadInput
from core.settings import Settings


@contextmanager
def database(settings: Settings) -> Iterator[str]:
    """Give the address of the database: the one of the settings, else the embedded server of the data folder."""
    if settings.database_url is not None:
        yield settings.database_url.get_secret_value()
        return
    with embedded(settings.data_dir) as server:
        yield server.url


@contextmanager
def session(settings: Settings) -> Iterator[Connection]:
    """Give an open connection to the database."""
    with database(settings) as url:
        connection = connect(url)
        try:
            yield connection
        finally:
            connection.close()


def slug_of(connection: Connection, settings: Settings) -> str:
    """Tell which community is meant: that of ``WIJKENERGIE_COMMUNITY``, else the only one the database knows.

    Raises
    ------
    BadInput
        If there is none, or more than one to choose from.
    """
    if settings.community is not None:
        return load(settings.community).community.community
    known = config.communities(connection)
    connection.rollback()
    if not known:
        raise BadInput("The database knows no community yet; run 'wijkenergie apply COMMUNITY.yaml' first.")
    if len(known) > 1:
        raise BadInput(
            f"The database knows {', '.join(known)}; say which one by pointing WIJKENERGIE_COMMUNITY at its file."
        )
    return known[0]


def configure_log(style: str) -> None:
    """Write the log to standard error, for people (``console``) or for machines (``json``)."""
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    renderer = structlog.processors.JSONRenderer() if style == "json" else structlog.dev.ConsoleRenderer()
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(file=sys.stderr),
    )


def absolute(path: Path) -> Path:
    """Return a path that stays right when another process is started elsewhere."""
    return path.expanduser().resolve()
