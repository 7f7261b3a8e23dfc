"""The collector as a service: sources, router and writer put together for one community."""

from __future__ import annotations

import json
import signal
import threading
from collections.abc import Callable
from contextlib import closing
from datetime import datetime
from pathlib import Path
from types import FrameType
from typing import Final

import structlog
from prometheus_client import start_http_server

from collector import lastknown
from collector.feeds import feed_faults
from collector.intake import Intake
from collector.router import Router
from collector.sources.broker import Broker
from collector.sources.modbus import ModbusSource
from collector.sources.mqtt import MqttSource, Status
from collector.spool import Spool
from collector.store import Store
from collector.writer import Writer
from core.community import Community
from core.communityfile import CommunityFile
from core.db import config
from core.db.connection import connect, in_words, patience
from core.errors import BadInput, Unavailable
from core.time import rfc3339, utc_now
from core.wire import status_topic
from core.yamltext import place

_log = structlog.get_logger("collector")

SPOOL_BYTES: Final = 1_024_000_000
_FLUSH_SECONDS: Final = 2.0
_LOOK_SECONDS: Final = 20.0
"""How often a running service looks whether the community was changed by ``apply``."""
_READ_SECONDS: Final = 2
"""How long the database may take to describe the community; being told to stop waits for it."""


class Collector:
    """Reads all devices of a community into its database, from `start` to `stop`.

    Parameters
    ----------
    community
        Its devices, meters and name.
    database_url, mqtt_url
        Where to store, and the broker.
    spool
        Keeps what the database does not take; the caller closes it.
    clock
        Tells the time.
    """

    def __init__(
        self,
        community: Community,
        database_url: str,
        mqtt_url: str,
        spool: Spool,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        wrong = [f"{place(path)}: {text}." for path, text in feed_faults(community)]
        if wrong:
            raise BadInput("\n".join(wrong))
        self._community, self._clock = community, clock
        self._broker = Broker.parse(mqtt_url)
        self._intakes = [Intake(device, community) for device in community.devices]
        slug = community.community
        self.writer = Writer(Store(database_url, slug), Store(database_url, slug), spool, clock)
        self._modbus = ModbusSource(self._intakes, self.writer.offer, clock)
        self._mqtt: list[MqttSource] = []

    def start(self) -> None:
        """Start reading.

        Raises
        ------
        Unavailable
            If the broker cannot be reached or does not let us in. Later losses are mended without a word to the caller.
        """
        version = self._broker.version()
        slug = self._community.community
        lasting = [intake for intake in self._intakes if not intake.profile.timeless]
        passing = [intake for intake in self._intakes if intake.profile.timeless]
        durable = Router(self._community, lasting, native=True)
        fleeting = Router(self._community, passing, native=False)
        self._mqtt = [
            MqttSource(
                self._broker, version, f"wijkenergie-{slug}", durable, self.writer, self._clock, self._status(slug)
            )
        ]
        if fleeting.filters:
            name = f"wijkenergie-{slug}-now"
            self._mqtt.append(MqttSource(self._broker, version, name, fleeting, self.writer, self._clock))
        self.writer.start()
        for source in self._mqtt:
            source.start()
        self._modbus.start()
        _log.info("collecting", community=slug, devices=len(self._intakes), mqtt=version.name)

    def wait_connected(self, seconds: float) -> bool:
        """Wait until all connections to the broker stand."""
        return all(source.connected.wait(seconds) for source in self._mqtt)

    def publish(self, topic: str, payload: bytes) -> None:
        """Publish something of our own on the durable connection."""
        self._mqtt[0].publish(topic, payload)

    def stop(self) -> None:
        """Stop reading, store or spool what is in hand, acknowledge it, and disconnect; within three seconds."""
        self._modbus.stop()
        if not self.writer.stop(_FLUSH_SECONDS):
            _log.warning("stopped with readings that are kept nowhere; the broker still has those it may keep")
        for source in reversed(self._mqtt):
            source.stop()

    def _status(self, slug: str) -> Status:
        since = rfc3339(self._clock())
        return Status(
            status_topic(slug),
            json.dumps({"state": "online", "since": since}).encode(),
            json.dumps({"state": "offline", "since": since}).encode(),
        )


def spools(data_dir: Path) -> Path:
    """Return where the spools are."""
    return data_dir / "spool"


def run(
    database_url: str,
    mqtt_url: str,
    slug: str,
    metrics_listen: str | None = None,
    data_dir: Path = Path(".wijkenergie"),
    spool_bytes: int = SPOOL_BYTES,
) -> None:
    """Collect until told to stop by SIGTERM or Ctrl-C; a community changed by ``apply`` is taken over while running.

    Parameters
    ----------
    database_url, mqtt_url
        Where to store, and the broker.
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
    with closing(Spool(spools(data_dir) / slug, spool_bytes)) as spool:
        community = _known(database_url, slug, spool.folder)
        if metrics_listen is not None:
            _serve_metrics(metrics_listen)
        while not stop.is_set():
            collector = Collector(community, database_url, mqtt_url, spool)
            collector.start()
            try:
                community = _until_changed(stop, collector, database_url, spool.folder, community)
            finally:
                collector.stop()
    _log.info("stopped", community=slug)


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
