"""Run the web application: one process, many threads, a clean end on SIGTERM or Ctrl-C."""

from __future__ import annotations

import errno
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Final

import structlog
import uvicorn
from fastapi import FastAPI
from prometheus_client import CollectorRegistry, start_http_server

from api.app import create_app
from api.store import Pool
from core.db.connection import pool as open_pool
from core.errors import BadInput, Unavailable
from core.settings import Settings
from core.time import utc_now

_log = structlog.get_logger()
_CONNECTIONS: Final = 8
_GRACE_SECONDS: Final = 5
_START_SECONDS: Final = 10.0


def run(database_url: str, settings: Settings, slug: str, ready: Callable[[str], None] | None = None) -> None:
    """Serve until SIGTERM or SIGINT, then finish what is under way and return.

    Parameters
    ----------
    ready
        Told the address once connections are accepted.

    Raises
    ------
    BadInput
        If an address to listen on is not written as host:port.
    Unavailable
        If the port or the metrics port is in use, or the database does not answer.
    """
    # uvicorn raises the signal it ended by once more; here an asked-for end is no failure.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)
    registry = CollectorRegistry()
    with (
        _listening(settings.listen, "WIJKENERGIE_LISTEN") as listener,
        _metrics(settings.metrics_listen, registry),
        open_pool(database_url, most=_CONNECTIONS) as pool,
    ):
        server = _server(create_app(pool, settings, slug, registry=registry))
        if ready is not None:
            threading.Thread(target=_announce, args=(server, _address(listener), ready), daemon=True).start()
        server.run(sockets=[listener])


@contextmanager
def serving(pool: Pool, settings: Settings, slug: str, clock: Callable[[], datetime] = utc_now) -> Iterator[str]:
    """Serve from a thread of this process while the block runs; gives the address.

    Raises
    ------
    BadInput, Unavailable
        As `run` does.
    """
    with _listening(settings.listen, "WIJKENERGIE_LISTEN") as listener:
        server = _server(create_app(pool, settings, slug, clock))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, name="http")
        thread.start()
        try:
            if not _wait_until_started(server):
                raise Unavailable("The web server did not start within ten seconds; look at its log.")
            yield _address(listener)
        finally:
            server.should_exit = True
            thread.join()


def _server(app: FastAPI) -> uvicorn.Server:
    config = uvicorn.Config(
        app, log_config=None, access_log=False, lifespan="off", timeout_graceful_shutdown=_GRACE_SECONDS
    )
    return uvicorn.Server(config)


def _wait_until_started(server: uvicorn.Server) -> bool:
    end = time.monotonic() + _START_SECONDS
    while not server.started and time.monotonic() < end and not server.should_exit:
        time.sleep(0.01)
    return server.started


def _announce(server: uvicorn.Server, address: str, ready: Callable[[str], None]) -> None:
    if _wait_until_started(server):
        ready(address)


@contextmanager
def _listening(listen: str, name: str) -> Iterator[socket.socket]:
    host, port = _parts(listen, name)
    try:
        listener = socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except OSError as error:
        raise _cannot_listen(listen, name, error) from None
    with listener:
        # The event loop sets this only on sockets that name their protocol; without it every answer waits 40 ms.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        yield listener


@contextmanager
def _metrics(listen: str, registry: CollectorRegistry) -> Iterator[None]:
    host, port = _parts(listen, "WIJKENERGIE_METRICS_LISTEN")
    try:
        server, thread = start_http_server(port, host, registry)
    except OSError as error:
        raise _cannot_listen(listen, "WIJKENERGIE_METRICS_LISTEN", error) from None
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _parts(listen: str, name: str) -> tuple[str, int]:
    host, _, port = listen.rpartition(":")
    if not host or not port.isdigit() or int(port) > 65535:  # noqa: PLR2004 - the highest port there is
        raise BadInput(f"{name} is '{listen}'; write it as host:port, like 127.0.0.1:8000.")
    return host.strip("[]"), int(port)


def _cannot_listen(listen: str, name: str, error: OSError) -> Unavailable:
    if error.errno == errno.EADDRINUSE:
        return Unavailable(f"Port {listen} is in use by another program; stop it, or choose another with {name}.")
    return Unavailable(f"Cannot listen on {listen}: {error.strerror}. Correct {name}.")


def _address(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
