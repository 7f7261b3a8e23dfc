"""Alerts to the broker: one short connection for each, since they are rare."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Final

import structlog
from paho.mqtt.enums import MQTTProtocolVersion

from collector.sources.broker import Broker

_PATIENCE_SECONDS: Final = 5.0
_log = structlog.get_logger()


def publisher(broker: Broker) -> Callable[[str, str], None]:
    """Return a function that publishes a text to a topic.

    An alert is a copy of a task or message that the database holds, so a broker that is away costs nothing but this
    copy; it is logged and not repeated.
    """

    def publish(topic: str, text: str) -> None:
        client = broker.client(f"wijkenergie-alert-{uuid.uuid4().hex[:12]}", MQTTProtocolVersion.MQTTv311)
        try:
            client.connect(broker.host, broker.port)
            client.loop_start()
            sent = client.publish(topic, text, qos=1)
            sent.wait_for_publish(_PATIENCE_SECONDS)
            if not sent.is_published():
                _log.warning("alert not published", topic=topic, reason="the broker did not take it")
        except (OSError, RuntimeError, ValueError) as error:
            _log.warning("alert not published", topic=topic, reason=str(error))
        finally:
            client.disconnect()
            client.loop_stop()

    return publish
