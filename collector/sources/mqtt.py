"""MQTT: messages in, deliveries out, acknowledged once they are stored.

Two kinds of connection. A durable one has a session the broker keeps while we are away: every message is acknowledged
in order, after its commit. A passing one starts clean each time, for payloads without a time of their own: what the
broker kept or repeats is old, so such messages are no readings.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from time import monotonic, sleep
from typing import Any, Final

import structlog
from paho.mqtt.client import Client as PahoClient
from paho.mqtt.enums import MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.subscribeoptions import SubscribeOptions

from collector import metrics
from collector.delivery import DeadLetter, Delivery
from collector.pending import Pending
from collector.raw import Message
from collector.router import Router
from collector.sources.broker import KEEP_ALIVE_SECONDS, Broker
from collector.sources.client import Client, Publish
from collector.writer import Writer

_log = structlog.get_logger("collector.mqtt")

SESSION_SECONDS: Final = 7 * 24 * 3600
"""How long the broker keeps messages for us while we are away."""
WINDOW: Final = 4000
"""Messages in hand at most: received and not yet stored. Below the writer's bound, so that the network's thread need
never wait for the writer. The broker is asked to keep to it too (MQTT 5), and is not relied on."""
_CALM_SECONDS: Final = 1.0
_QUIET_SECONDS: Final = 3.0


@dataclass(frozen=True)
class Status:
    """What is published while we are connected, and what the broker says when we are gone; both retained."""

    topic: str
    online: bytes
    offline: bytes


class MqttSource:
    """One connection to the broker.

    Parameters
    ----------
    broker, version
        Whom to speak to, and how.
    client_id
        Names the session; for a durable connection it must stay the same over restarts.
    router
        What the messages mean.
    writer
        Where they go.
    clock
        Tells when a message arrived.
    status
        Makes the connection durable, and is published on it; None for a passing connection.
    group
        Share the messages with the other members of this group, each message for one of them; None for all messages.
    """

    def __init__(
        self,
        broker: Broker,
        version: MQTTProtocolVersion,
        client_id: str,
        router: Router,
        writer: Writer,
        clock: Callable[[], datetime],
        status: Status | None = None,
        group: str | None = None,
    ) -> None:
        self._broker, self._version = broker, version
        self._router, self._writer, self._clock, self._status = router, writer, clock, status
        self._prefix = "" if group is None else f"$share/{group}/"
        self._lock = threading.Lock()
        self._pending = Pending(WINDOW)
        self._told = False  # that something may be acknowledged
        self._leaving = False
        self._heard = monotonic()
        self.connected = threading.Event()
        """Set while the connection stands and the broker has answered every subscription."""
        self._asked: set[int | None] = set()  # subscriptions without an answer
        clean = None if version == MQTTProtocolVersion.MQTTv5 else status is None
        self._client = Client(
            version, client_id, clean_session=clean, dial=broker.dial, take=self._take, acknowledgements=self._due
        )
        if broker.user is not None:
            self._client.username_pw_set(broker.user, broker.password)
        if status is not None:
            self._client.will_set(status.topic, status.offline, qos=1, retain=True)
        self._client.on_connect = self._on_connect
        self._client.on_disconnect = self._on_disconnect
        self._client.on_subscribe = self._client.on_unsubscribe = self._on_answer

    def start(self, *, leaving: bool = False) -> None:
        """Connect in the background, and again whenever the connection is lost.

        Parameters
        ----------
        leaving
            Take what the broker keeps for us and nothing more, and have it forget us at the end.
        """
        self._leaving = leaving
        if self._version == MQTTProtocolVersion.MQTTv5:
            properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]  # paho left it untyped
            if self._status is not None:
                properties.SessionExpiryInterval = SESSION_SECONDS
                properties.ReceiveMaximum = WINDOW
            self._client.connect_async(
                self._broker.host,
                self._broker.port,
                KEEP_ALIVE_SECONDS,
                clean_start=self._status is None,
                properties=properties,
            )
        else:
            self._client.connect_async(self._broker.host, self._broker.port, KEEP_ALIVE_SECONDS)
        self._client.start()

    def stop(self) -> None:
        """Say goodbye; what is not acknowledged stays with the broker."""
        if self._status is not None and self.connected.is_set():
            last = b"" if self._leaving else self._status.offline  # an empty one takes a retained message away
            self._client.publish(self._status.topic, last, qos=1, retain=True).wait_for_publish(_CALM_SECONDS)
        farewell = None
        if self._leaving and self._version == MQTTProtocolVersion.MQTTv5:
            farewell = Properties(PacketTypes.DISCONNECT)  # type: ignore[no-untyped-call]  # see start
            farewell.SessionExpiryInterval = 0
        self._client.stop(farewell)

    def wait_empty(self) -> None:
        """Return when nothing has come for a while and all that came is acknowledged."""
        while not self.connected.wait(_CALM_SECONDS) or self._pending or monotonic() - self._heard < _QUIET_SECONDS:
            sleep(_CALM_SECONDS / 10)

    def publish(self, topic: str, payload: bytes, *, retain: bool = False) -> None:
        """Publish something of our own, like an alert."""
        self._client.publish(topic, payload, qos=1, retain=retain)

    def _on_connect(self, client: PahoClient, _data: Any, flags: Any, reason: Any, _properties: Any) -> None:
        if reason.is_failure:
            _log.error("the broker does not let us in", broker=str(self._broker), reason=str(reason))
            return
        with self._lock:
            self._pending.disconnected()
        self._heard = monotonic()
        self._asked = {self._follow(client, self._prefix + topic) for topic in self._router.filters}
        if self._status is not None:
            client.publish(self._status.topic, self._status.online, qos=1, retain=True)
        metrics.CONNECTIONS.labels("mqtt").inc()
        _log.info("connected", durable=self._status is not None, resumed=flags.session_present)

    def _follow(self, client: PahoClient, topic: str) -> int | None:
        """Ask for a subscription, or for its end when leaving; returns what its answer is known by."""
        if self._leaving:
            return client.unsubscribe(topic)[1]
        if self._version == MQTTProtocolVersion.MQTTv5:
            # The standard forbids the option on a shared subscription; the router knows our own topics.
            return client.subscribe(topic, options=SubscribeOptions(qos=1, noLocal=not self._prefix))[1]
        return client.subscribe(topic, qos=1)[1]

    def _on_disconnect(self, _client: PahoClient, _data: Any, _flags: Any, reason: Any, _properties: Any) -> None:
        self.connected.clear()
        with self._lock:
            self._pending.disconnected()
        if reason.is_failure:
            _log.warning("connection lost", broker=str(self._broker), reason=str(reason))

    def _on_answer(self, _client: PahoClient, _data: Any, message_id: int, reasons: Any, _properties: Any) -> None:
        for reason in reasons:
            if reason.is_failure:
                _log.error("the broker refuses a subscription; look at its access list", reason=str(reason))
        self._asked.discard(message_id)
        if not self._asked:
            self.connected.set()

    def _take(self, publish: Publish) -> bool:
        """Take a message, in the network's thread, which an exception would end: none may leave here."""
        with self._lock:
            if self._pending.full:
                return False
            place = self._pending.received(publish.message_id)
            self._heard = monotonic()
        delivery = self._delivery(publish)
        if self._status is None:
            if not delivery.empty:
                self._writer.offer(delivery)
            self._settle(place)
        else:
            self._writer.put(replace(delivery, acknowledge=lambda: self._settle(place)))
        return True

    def _delivery(self, publish: Publish) -> Delivery:
        now = self._clock()
        topic = publish.topic.decode(errors="replace")
        try:
            if not self._router.knows(topic):
                _log.warning("a topic of the past; not following it any more", topic=topic)
                self._client.unsubscribe(self._prefix + topic)
            return self._router.route(Message(topic, publish.payload, now, publish.retained, publish.duplicate), now)
        except Exception as error:  # noqa: BLE001 - a fault of ours must cost one message, not the connection
            _log.exception("a message could not be worked out", topic=topic)
            letter = DeadLetter(topic, publish.payload, f"fault in the collector: {error!r}")
            return Delivery(now, topic, dead_letters=(letter,))

    def _settle(self, place: int) -> None:
        """Note that a message is stored, or needs no storing; the network's thread acknowledges it when its turn is."""
        with self._lock:
            self._pending.settled(place)
            tell, self._told = not self._told, True
        if tell:
            self._client.wake()

    def _due(self) -> list[int]:
        with self._lock:
            self._told = False
            return self._pending.due()
