"""The collector as a process: started, stopped by a signal, and started anew when the community was changed."""

from __future__ import annotations

import signal
import threading
from contextlib import closing
from pathlib import Path
from types import FrameType
from typing import Final

import structlog
from prometheus_client import start_http_server

from collector import lastknown
from collector.collector import Collector, Share
from collector.feeds import feed_faults
from collector.sources.broker import Broker
from collector.spool import Spool
from core.community import Community
from core.communityfile import CommunityFile
from core.db import config
from core.db.connection import connect, in_words, patience
from core.errors import BadInput, Unavailable

_log = structlog.get_logger("collector")

SPOOL_BYTES: Final = 1_024_000_000
_LOOK_SECONDS: Final = 20.0
"""How often a running service looks whether the community was changed by ``apply``."""
_READ_SECONDS: Final = 2
"""How long the database may take to describe the community; being told to stop waits for it."""


def spools(data_dir: Path) -> Path:
    """Return where the spools are."""
    return data_dir / "spool"


def _spool(data_dir: Path, slug: str, share: Share | None, size: int) -> Spool:
    """Open the spool of a collector; each member of a share has its own."""
    return Spool(spools(data_dir) / (slug if share is None else f"{slug}.{share.name}"), size)


def run(
    database_url: str,
    broker: Broker | str,
    slug: str,
    metrics_listen: str | None = None,
    data_dir: Path = Path(".wijkenergie"),
    spool_bytes: int = SPOOL_BYTES,
    *,
    share: Share | None = None,
) -> None:
    """Collect until told to stop by SIGTERM or Ctrl-C; a community changed by ``apply`` is taken over while running.

    Parameters
    ----------
    database_url, broker
        Where to store, and the broker or its address.
    slug
        Names the community.
    metrics_listen
        ``host:port`` for Prometheus.
    data_dir, spool_bytes
        Holds the spools, in ``spool``, one folder for each community; and how much this one may hold.

    Raises
    ------
    Unavailable
        If the broker cannot be reached at the start, the spool cannot be used, or the database cannot be reached and
        has never been.
    BadInput
        If the database does not know the community, or a device of it is wrong.
    """
    stop = threading.Event()

    def told(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, told)
    with closing(_spool(data_dir, slug, share, spool_bytes)) as spool:
        community = _known(database_url, slug, spool.folder)
        if metrics_listen is not None:
            _serve_metrics(metrics_listen)
        while not stop.is_set():
            collector = Collector(community, database_url, broker, spool, data_dir=data_dir, share=share)
            collector.start()
            try:
                community = _until_changed(stop, collector, database_url, spool.folder, community)
            finally:
                collector.stop()
    _log.info("stopped", community=slug)


def leave(database_url: str, broker: Broker, slug: str, share: Share | None, data_dir: Path) -> None:
    """End a collector for good: store what the broker keeps for it, then have the broker forget it.

    Raises
    ------
    Unavailable, BadInput
        As of `run`; also if readings are left on its disk because the database does not take them.
    """
    with closing(_spool(data_dir, slug, share, SPOOL_BYTES)) as spool:
        Collector(_known(database_url, slug, spool.folder), database_url, broker, spool, share=share).leave()
        if spool.waiting:
            raise Unavailable(
                f"The broker keeps nothing any more, but {spool.waiting} messages wait in {spool.folder}:"
                " the database does not take them. Start it, and start this collector once more."
            )


def _until_changed(
    stop: threading.Event, collector: Collector, database_url: str, kept: Path, community: Community
) -> Community:
    """Return when told to stop, or with the new description when ``apply`` changed what is collected."""
    while not stop.wait(_LOOK_SECONDS):
        if not collector.writer.database_answers:
            continue
        try:
            file = _read(database_url, community.community)
            found = file.community
            wrong = [text for _, text in feed_faults(found)]
        except (Unavailable, BadInput) as error:
            _log.warning("could not look for changes of the community", reason=str(error))
            continue
        if not wrong:
            lastknown.remember(kept, file)
        if (found.devices, found.meters) == (community.devices, community.meters):
            continue
        if wrong:
            _log.error("the community was changed and cannot be collected like this", reason=wrong[0])
            continue
        _log.info("the community was changed; starting anew with it")
        return found
    return community


def _known(database_url: str, slug: str, kept: Path) -> Community:
    """Return the community as the database describes it, or as it last did where that cannot be reached."""
    try:
        file = _read(database_url, slug)
    except Unavailable as error:
        last = lastknown.recall(kept)
        if last is None:
            raise Unavailable(
                f"{error} Without it the collector can only start where it has collected before."
            ) from error
        _log.warning("starting without the database, with the devices it last described", reason=str(error))
        return last.community
    lastknown.remember(kept, file)
    return file.community


def _read(database_url: str, slug: str) -> CommunityFile:
    with connect(database_url, seconds=_READ_SECONDS) as connection, in_words(), patience(connection, _READ_SECONDS):
        return config.load(connection, slug)


def _serve_metrics(listen: str) -> None:
    host, _, port = listen.rpartition(":")
    try:
        start_http_server(int(port), host or "127.0.0.1")
    except OSError as error:
        raise Unavailable(
            f"The metrics address {listen} cannot be used ({error.strerror}); choose another with "
            "WIJKENERGIE_METRICS_LISTEN."
        ) from None
    _log.info("metrics", address=f"http://{listen}/metrics")
