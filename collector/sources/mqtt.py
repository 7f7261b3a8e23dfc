"""MQTT: messages in, deliveries out, acknowledged once they are stored.

Two kinds of connection. A durable one has a session the broker keeps while we are away: every message is acknowledged
by hand, in order, after its commit. A passing one starts clean each time, for payloads without a time of their own:
what the broker kept or repeats is old, so such messages are no readings.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

import paho.mqtt.client as mqtt
import structlog
from paho.mqtt.enums import MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.subscribeoptions import SubscribeOptions

from collector import metrics
from collector.delivery import DeadLetter, Delivery
from collector.pending import Pending, Token
from collector.raw import Message
from collector.router import Router
from collector.sources.broker import KEEP_ALIVE_SECONDS, Broker
from collector.writer import Writer

_log = structlog.get_logger("collector.mqtt")

SESSION_SECONDS: Final = 7 * 24 * 3600
"""How long the broker keeps messages for us while we are away."""
WINDOW: Final = 1000
"""Messages the broker may send before the first of them is acknowledged."""
_CALM_SECONDS: Final = 1.0


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
    ) -> None:
        self._broker, self._version = broker, version
        self._router, self._writer, self._clock, self._status = router, writer, clock, status
        self._lock = threading.Lock()
        self._pending = Pending()
        self.connected = threading.Event()
        """Set while the connection stands and the subscriptions are asked for."""
        durable = status is not None
        options: dict[str, Any] = {"manual_ack": durable}
        if version != MQTTProtocolVersion.MQTTv5:
            options["clean_session"] = not durable
        self._client = broker.client(client_id, version, **options)
        self._client.reconnect_delay_set(min_delay=1, max_delay=30)
        if status is not None:
            self._client.will_set(status.topic, status.offline, qos=1, retain=True)
        self._client.on_connect = self._on_connect
        self._client.on_disconnect = self._on_disconnect
        self._client.on_message = self._on_message

    def start(self) -> None:
        """Connect in the background, and again whenever the connection is lost."""
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
        self._client.loop_start()

    def stop(self) -> None:
        """Say goodbye; what is not acknowledged stays with the broker."""
        if self._status is not None and self.connected.is_set():
            self._client.publish(self._status.topic, self._status.offline, qos=1, retain=True).wait_for_publish(
                _CALM_SECONDS
            )
        self._client.disconnect()
        self._client.loop_stop()

    def publish(self, topic: str, payload: bytes, *, retain: bool = False) -> None:
        """Publish something of our own, like an alert."""
        self._client.publish(topic, payload, qos=1, retain=retain)

    def _on_connect(self, client: mqtt.Client, _data: Any, flags: Any, reason: Any, _properties: Any) -> None:
        if reason.is_failure:
            _log.error("the broker does not let us in", broker=str(self._broker), reason=str(reason))
            return
        with self._lock:
            self._pending.disconnected()
        for topic in self._router.filters:
            if self._version == MQTTProtocolVersion.MQTTv5:
                client.subscribe(topic, options=SubscribeOptions(qos=1, noLocal=True))
            else:
                client.subscribe(topic, qos=1)
        if self._status is not None:
            client.publish(self._status.topic, self._status.online, qos=1, retain=True)
        metrics.CONNECTIONS.labels("mqtt").inc()
        _log.info("connected", durable=self._status is not None, resumed=flags.session_present)
        self.connected.set()

    def _on_disconnect(self, _client: mqtt.Client, _data: Any, _flags: Any, reason: Any, _properties: Any) -> None:
        self.connected.clear()
        with self._lock:
            self._pending.disconnected()
        if reason.is_failure:
            _log.warning("connection lost", broker=str(self._broker), reason=str(reason))

    def _on_message(self, client: mqtt.Client, _data: Any, received: mqtt.MQTTMessage) -> None:
        """Take a message, in paho's network thread, which an exception would silently end: none may leave here."""
        now = self._clock()
        token = None
        if self._status is not None and received.qos > 0:
            with self._lock:
                token = self._pending.received(received.mid, received.qos)
        topic = received.topic if _is_text(received) else "?"
        if not self._router.knows(topic):
            _log.warning("a topic of the past; not following it any more", topic=topic)
            client.unsubscribe(topic)
        try:
            message = Message(topic, bytes(received.payload), now, bool(received.retain), bool(received.dup))
            delivery = self._router.route(message, now)
        except Exception as error:  # noqa: BLE001 - a fault of ours must cost one message, not the connection
            _log.exception("a message could not be worked out", topic=topic)
            letter = DeadLetter(topic, bytes(received.payload), f"fault in the collector: {error!r}")
            delivery = Delivery(now, topic, dead_letters=(letter,))
        if self._status is None:
            if not delivery.empty:
                self._writer.offer(delivery)
            return
        if token is not None:
            delivery = replace(delivery, acknowledge=lambda: self._acknowledge(token))
        self._writer.put(delivery)  # waits while storing is behind: the broker keeps the rest

    def _acknowledge(self, token: Token) -> None:
        """Acknowledge a message that the writer has committed, and those behind it that were waiting for it."""
        with self._lock:
            for ack in self._pending.settled(token):
                self._client.ack(ack.message_id, ack.qos)


def _is_text(received: mqtt.MQTTMessage) -> bool:
    try:
        return bool(received.topic)
    except UnicodeDecodeError:
        return False
