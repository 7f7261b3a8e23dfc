"""The building's gateway to the broker: says what every MQTT device says, and says again what was not acknowledged.

Its outbox is a note of the last moment the broker acknowledged in full. Everything after it can be said again,
because the truth is a function of time; so a gateway that was restarted, or a broker that was away, loses nothing
within the gateway's memory.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import unquote, urlsplit

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.reasoncodes import ReasonCode

from core.errors import BadInput, Unavailable
from core.time import parse_time, rfc3339
from simulators.faults import Fault
from simulators.messages import Topic, topics

MEMORY = timedelta(hours=1)
"""How far back the gateway can repeat what it said."""

_TICK_SECONDS = 0.1
_MOST_WAITING = 100  # moments in flight before the gateway waits for the broker
_GOODBYE_SECONDS = 3.0


class Gateway:
    """Publishes the building's devices in a thread of its own.

    Parameters
    ----------
    seed
        Which building.
    url
        The broker, ``mqtt://[user:password@]host[:port]`` or ``mqtts://``.
    every
        Seconds between messages of one device; a divisor of 900, so that quarter-hour boundaries are always said.
    now
        The clock.
    faults
        From `simulators.faults.plan`.
    outbox
        File of the note; None keeps it in memory only.

    Raises
    ------
    BadInput
        If the address or the spacing is not possible.
    """

    def __init__(
        self,
        seed: int,
        url: str,
        every: int,
        now: Callable[[], datetime],
        faults: tuple[Fault, ...] = (),
        outbox: Path | None = None,
    ) -> None:
        if every < 1 or 900 % every:
            raise BadInput(f"A message every {every} s is not possible; choose a divisor of 900, for instance 5.")
        parts = urlsplit(url)
        if parts.scheme not in ("mqtt", "mqtts") or not parts.hostname:
            raise BadInput(f"The broker's address must look like mqtt://127.0.0.1:1883, not '{parts.geturl()}'.")
        self.host = parts.hostname
        self.port = parts.port or (8883 if parts.scheme == "mqtts" else 1883)
        self._every = timedelta(seconds=every)
        self._now = now
        self._faults = faults
        self._outbox = outbox
        self._topics: tuple[Topic, ...] = tuple(topics(seed))
        self._waiting: deque[tuple[datetime, list[mqtt.MQTTMessageInfo]]] = deque()
        self._connected, self._stopping = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, name="gateway", daemon=True)
        # 3.1.1, as most devices speak; both brokers we start understand it
        self._client = mqtt.Client(
            CallbackAPIVersion.VERSION2, client_id=f"building-{os.getpid()}", protocol=mqtt.MQTTv311
        )
        if parts.username:
            self._client.username_pw_set(unquote(parts.username), unquote(parts.password or ""))
        if parts.scheme == "mqtts":
            self._client.tls_set()
        self._client.reconnect_delay_set(1, 2)
        self._client.on_connect = self._on_connect
        self._client.on_disconnect = self._on_disconnect
        self._said = self._last_note()

    def start(self, patience: float = 5.0) -> None:
        """Connect and begin to speak.

        Raises
        ------
        Unavailable
            If the broker does not answer within ``patience`` seconds.
        """
        self._client.connect_async(self.host, self.port)
        self._client.loop_start()
        if not self._connected.wait(patience):
            self._client.loop_stop()
            raise Unavailable(
                f"The broker at {self.host}:{self.port} does not answer; start it, or give its address with --mqtt."
            )
        self._thread.start()

    def stop(self) -> None:
        """Stop speaking, wait a moment for what is under way, and say goodbye to the broker."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()
        self._client.disconnect()
        self._client.loop_stop()

    def _run(self) -> None:
        while not self._stopping.wait(_TICK_SECONDS):
            self._note_acknowledged()
            if self._connected.is_set():
                self._speak()
        patience = threading.Event()
        for _ in range(int(_GOODBYE_SECONDS / _TICK_SECONDS)):
            self._note_acknowledged()
            if not self._waiting:
                break
            patience.wait(_TICK_SECONDS)

    def _speak(self) -> None:
        latest = self._floor(self._now())
        self._said = max(self._said, latest - MEMORY)
        while self._said < latest and len(self._waiting) < _MOST_WAITING and self._connected.is_set():
            moment = self._said + self._every
            infos = []
            for topic in self._topics:
                if not topic.carries_time and moment != latest:
                    continue  # a bare number means now; saying it later would be a lie
                payload = topic.say(moment, self._faults)
                if payload is not None:
                    infos.append(self._client.publish(topic.name, payload, qos=1, retain=not topic.carries_time))
            self._waiting.append((moment, infos))
            self._said = moment

    def _note_acknowledged(self) -> None:
        acknowledged = None
        while self._waiting and all(info.is_published() for info in self._waiting[0][1]):
            acknowledged, _ = self._waiting.popleft()
        if acknowledged is not None and self._outbox is not None:
            draft = self._outbox.with_suffix(".new")
            draft.write_text(rfc3339(acknowledged) + "\n", encoding="ascii")
            draft.replace(self._outbox)

    def _last_note(self) -> datetime:
        silent = self._floor(self._now()) - self._every
        if self._outbox is None or not self._outbox.exists():
            return silent
        try:
            return self._floor(parse_time(self._outbox.read_text(encoding="ascii").strip()))
        except ValueError:
            raise BadInput(f"{self._outbox} is not a gateway's note of a time; remove it to start afresh.") from None

    def _floor(self, instant: datetime) -> datetime:
        return instant - (instant - datetime(2000, 1, 1, tzinfo=UTC)) % self._every

    def _on_connect(
        self, _client: mqtt.Client, _userdata: object, _flags: object, reason: ReasonCode, _properties: object
    ) -> None:
        if not reason.is_failure:
            self._connected.set()

    def _on_disconnect(
        self, _client: mqtt.Client, _userdata: object, _flags: object, _reason: object, _properties: object
    ) -> None:
        self._connected.clear()
