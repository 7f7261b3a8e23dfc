"""The collector as a service: sources, router and writer put together for one community."""

from __future__ import annotations

import json
import re
import signal
import threading
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from time import monotonic, sleep
from types import FrameType
from typing import Final

import structlog
from paho.mqtt.enums import MQTTProtocolVersion
from prometheus_client import start_http_server

from collector import lastknown, metrics
from collector.feeds import feed_faults
from collector.intake import Intake
from collector.router import Router
from collector.secret import folder_in
from collector.sources.broker import Broker
from collector.sources.mqtt import MqttSource, Status
from collector.sources.polling import PollSource
from collector.spool import Spool
from collector.store import Store
from collector.watched import watched
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
_MEMBER: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,19}")
_FLUSH_SECONDS: Final = 2.0
_DRAIN_SECONDS: Final = 60.0
"""How long a collector that leaves for good waits for its disk to be emptied."""
_LEAVE_SECONDS: Final = 0.1
_LOOK_SECONDS: Final = 20.0
"""How often a running service looks whether the community was changed by ``apply``."""
_READ_SECONDS: Final = 2
"""How long the database may take to describe the community; being told to stop waits for it."""


@dataclass(frozen=True)
class Share:
    """A collector that shares the durable messages of a community with others.

    Attributes
    ----------
    name
        Names the member and its session at the broker; must stay the same over restarts.
    polls
        Whether it also polls the devices and takes the messages without a time, which cannot be shared.
    """

    name: str
    polls: bool = False

    def __post_init__(self) -> None:
        if not _MEMBER.fullmatch(self.name):
            raise BadInput(f"'{self.name}' cannot name a collector; use up to 20 small letters, digits and hyphens.")


class Collector:
    """Reads all devices of a community into its database, from `start` to `stop`.

    Parameters
    ----------
    community
        Its devices, meters and name.
    database_url, broker
        Where to store, and the broker or its address.
    spool
        Keeps what the database does not take; the caller closes it.
    clock
        Tells the time.
    data_dir
        Holds the devices' passwords, in ``secrets``.
    share
        Take only a share of the messages; None to take and poll everything.
    """

    def __init__(
        self,
        community: Community,
        database_url: str,
        broker: Broker | str,
        spool: Spool,
        clock: Callable[[], datetime] = utc_now,
        data_dir: Path = Path(".wijkenergie"),
        *,
        share: Share | None = None,
    ) -> None:
        wrong = [f"{place(path)}: {text}." for path, text in feed_faults(community)]
        if wrong:
            raise BadInput("\n".join(wrong))
        self._community, self._clock = community, clock
        self._broker = Broker.parse(broker) if isinstance(broker, str) else broker
        self._share = share
        self._intakes = [Intake(device, community) for device in community.devices]
        slug = community.community
        described = [watched(intake.device, intake.profile, community) for intake in self._intakes]
        self._spool = spool
        self._store = Store(database_url, slug, described)
        self.writer = Writer(self._store, Store(database_url, slug, described), spool, clock)
        polled = self._intakes if share is None or share.polls else []
        self._polling = PollSource(polled, self.writer.offer, clock, folder_in(data_dir))
        self._mqtt: list[MqttSource] = []

    def start(self) -> None:
        """Start reading.

        Raises
        ------
        Unavailable
            If the broker cannot be reached, does not let us in, or cannot share messages as it should. Later losses are
            mended without a word to the caller.
        """
        version = self._broker.version()
        slug = self._community.community
        self._mqtt = [self._durable(version)]
        passing = [intake for intake in self._intakes if intake.profile.timeless]
        fleeting = Router(self._community, passing, native=False)
        if fleeting.filters and (self._share is None or self._share.polls):
            name = f"{_session(slug)}-now"
            self._mqtt.append(MqttSource(self._broker, version, name, fleeting, self.writer, self._clock))
        self._introduce()
        if self._polling.budgets:
            self._polling.asked_before(self._last_tries())
        self.writer.start()
        for source in self._mqtt:
            source.start()
        self._polling.start()
        _log.info("collecting", community=slug, devices=len(self._intakes), mqtt=version.name)

    def leave(self) -> None:
        """Store what the broker keeps for us, then have it keep nothing any more. Instead of `start`.

        Raises
        ------
        Unavailable
            As of `start`.
        """
        source = self._durable(self._broker.version())
        self._mqtt = [source]
        self.writer.start()
        source.start(leaving=True)
        try:
            source.wait_empty()
            until = monotonic() + _DRAIN_SECONDS
            while self._spool.waiting and monotonic() < until:
                sleep(_LEAVE_SECONDS)
        finally:
            self.stop()

    def _durable(self, version: MQTTProtocolVersion) -> MqttSource:
        slug, share = self._community.community, self._share
        if share is not None and version != MQTTProtocolVersion.MQTTv5:
            raise Unavailable(f"The broker at {self._broker} speaks no MQTT 5, which sharing messages needs.")
        lasting = [intake for intake in self._intakes if not intake.profile.timeless]
        member = None if share is None else share.name
        since = rfc3339(self._clock())
        status = Status(
            status_topic(slug, member),
            json.dumps({"state": "online", "since": since}).encode(),
            json.dumps({"state": "offline", "since": since}).encode(),
        )
        router = Router(self._community, lasting, native=True)
        group = None if share is None else _session(slug)
        return MqttSource(
            self._broker, version, _session(slug, member), router, self.writer, self._clock, status, group
        )

    def wait_connected(self, seconds: float) -> bool:
        """Wait until all connections to the broker stand."""
        return all(source.connected.wait(seconds) for source in self._mqtt)

    def publish(self, topic: str, payload: bytes) -> None:
        """Publish something of our own on the durable connection."""
        self._mqtt[0].publish(topic, payload)

    def stop(self) -> None:
        """Stop reading, store or spool what is in hand, acknowledge it, and disconnect; within three seconds."""
        self._polling.stop()
        if not self.writer.stop(_FLUSH_SECONDS):
            _log.warning("stopped with readings that are kept nowhere; the broker still has those it may keep")
        for source in reversed(self._mqtt):
            source.stop()

    def _introduce(self) -> None:
        """Tell the database and Prometheus which devices are watched from now on."""
        try:
            seen = self._store.introduce(self._clock(), _READ_SECONDS)
        except Unavailable as error:
            _log.warning("devices are introduced once the database is back", reason=str(error))
            seen = {intake.device.id: self._clock() for intake in self._intakes}
        metrics.AGES.watch(seen)

    def _last_tries(self) -> dict[str, datetime]:
        """Return when each device was asked last; a meter with a budget counts as just asked while nobody can tell."""
        try:
            return self._store.last_tries(_READ_SECONDS)
        except Unavailable as error:
            _log.warning("devices with a budget wait for their next turn", reason=str(error))
            return {intake.device.id: self._clock() for intake in self._intakes}


def _session(slug: str, member: str | None = None) -> str:
    """Name of a session at the broker. The colon is in no community's name and in no member's."""
    return f"wijkenergie-{slug}" + ("" if member is None else f":{member}")


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
