"""The collector as a service: sources, router and writer put together for one community."""

from __future__ import annotations

import json
import re
import signal
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from types import FrameType
from typing import Final

import structlog
from paho.mqtt.enums import MQTTProtocolVersion
from prometheus_client import start_http_server

from collector.feeds import feed_faults
from collector.intake import Intake
from collector.router import Router
from collector.sources.broker import Broker
from collector.sources.modbus import ModbusSource
from collector.sources.mqtt import MqttSource, Status
from collector.store import Store
from collector.writer import Writer
from core.community import Community
from core.db import config
from core.db.connection import connect
from core.errors import BadInput, Unavailable
from core.time import rfc3339, utc_now
from core.wire import status_topic
from core.yamltext import place

_log = structlog.get_logger("collector")

_MEMBER: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,19}")
_FLUSH_SECONDS: Final = 2.0
_LOOK_SECONDS: Final = 20.0
"""How often a running service looks whether the community was changed by ``apply``."""


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
    clock
        Tells the time.
    share
        Take only a share of the messages; None to take and poll everything.
    """

    def __init__(
        self,
        community: Community,
        database_url: str,
        broker: Broker | str,
        clock: Callable[[], datetime] = utc_now,
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
        self.writer = Writer(Store(database_url, community.community), clock)
        polled = self._intakes if share is None or share.polls else []
        self._modbus = ModbusSource(polled, self.writer.offer, clock)
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
        self.writer.start()
        for source in self._mqtt:
            source.start()
        self._modbus.start()
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
        """Stop reading, store what is in hand, acknowledge it, and disconnect; within three seconds."""
        self._modbus.stop()
        if not self.writer.stop(_FLUSH_SECONDS):
            _log.warning("stopped with readings in hand; the broker still has those it may keep")
        for source in reversed(self._mqtt):
            source.stop()


def _session(slug: str, member: str | None = None) -> str:
    """Name of a session at the broker. The colon is in no community's name and in no member's."""
    return f"wijkenergie-{slug}" + ("" if member is None else f":{member}")


def run(
    database_url: str,
    broker: Broker | str,
    slug: str,
    metrics_listen: str | None = None,
    *,
    share: Share | None = None,
) -> None:
    """Collect until told to stop by SIGTERM or Ctrl-C; a community changed by ``apply`` is taken over while running.

    Raises
    ------
    Unavailable
        If database or broker cannot be reached at the start.
    BadInput
        If the database does not know the community, or a device of it is wrong.
    """
    stop = threading.Event()

    def told(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, told)
    community = _read(database_url, slug)
    if metrics_listen is not None:
        _serve_metrics(metrics_listen)
    while not stop.is_set():
        collector = Collector(community, database_url, broker, share=share)
        collector.start()
        try:
            community = _until_changed(stop, database_url, community)
        finally:
            collector.stop()
    _log.info("stopped", community=slug)


def leave(database_url: str, broker: Broker, slug: str, share: Share | None) -> None:
    """End a collector for good: store what the broker keeps for it, then have the broker forget it.

    Raises
    ------
    Unavailable, BadInput
        As of `run`.
    """
    Collector(_read(database_url, slug), database_url, broker, share=share).leave()


def _until_changed(stop: threading.Event, database_url: str, community: Community) -> Community:
    """Return when told to stop, or with the new description when ``apply`` changed what is collected."""
    while not stop.wait(_LOOK_SECONDS):
        try:
            found = _read(database_url, community.community)
            wrong = [text for _, text in feed_faults(found)]
        except (Unavailable, BadInput) as error:
            _log.warning("could not look for changes of the community", reason=str(error))
            continue
        if (found.devices, found.meters) == (community.devices, community.meters):
            continue
        if wrong:
            _log.error("the community was changed and cannot be collected like this", reason=wrong[0])
            continue
        _log.info("the community was changed; starting anew with it")
        return found
    return community


def _read(database_url: str, slug: str) -> Community:
    with connect(database_url) as connection:
        return config.load(connection, slug).community


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
