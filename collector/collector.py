"""One collector: the sources, the router and the writer of one community, put together."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from time import monotonic, sleep
from typing import Final

import structlog
from paho.mqtt.enums import MQTTProtocolVersion

from collector import metrics
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
from core.errors import BadInput, Unavailable
from core.time import rfc3339, utc_now
from core.wire import status_topic
from core.yamltext import place

_log = structlog.get_logger("collector")

_MEMBER: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,19}")
_FLUSH_SECONDS: Final = 2.0
_DRAIN_SECONDS: Final = 60.0
"""How long a collector that leaves for good waits for its disk to be emptied."""
_LEAVE_SECONDS: Final = 0.1
_ASK_SECONDS: Final = 2
"""How long the database may take to tell of the devices; being told to stop waits for it."""


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
            seen = self._store.introduce(self._clock(), _ASK_SECONDS)
        except Unavailable as error:
            _log.warning("devices are introduced once the database is back", reason=str(error))
            seen = {intake.device.id: self._clock() for intake in self._intakes}
        metrics.AGES.watch(seen)

    def _last_tries(self) -> dict[str, datetime]:
        """Return when each device was asked last; a meter with a budget counts as just asked while nobody can tell."""
        try:
            return self._store.last_tries(_ASK_SECONDS)
        except Unavailable as error:
            _log.warning("devices with a budget wait for their next turn", reason=str(error))
            return {intake.device.id: self._clock() for intake in self._intakes}


def _session(slug: str, member: str | None = None) -> str:
    """Name of a session at the broker. The colon is in no community's name and in no member's."""
    return f"wijkenergie-{slug}" + ("" if member is None else f":{member}")
