"""An MQTT client for many messages: paho's, with another way to read, to acknowledge and to wait.

paho does what it does well: connecting, logging in, TLS, subscribing, publishing, keeping alive. What comes for us is
taken past it, a block of packets at a time, and acknowledged by the block. Whoever takes a message may say that there
is no room for it; then nothing is read until there is, so that the network and the broker hold what comes, not we.
"""

from __future__ import annotations

import select
import socket
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from time import monotonic
from typing import Final, NamedTuple

import paho.mqtt.client as mqtt
import structlog
from paho.mqtt.enums import CallbackAPIVersion, MessageType, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.properties import Properties

from collector.sources.buffered import BufferedSocket, Packet, StreamError, variable_length
from core.errors import BadInput

_log = structlog.get_logger("collector.mqtt")

_PUBLISH: Final = 0x30
_KIND: Final = 0xF0  # bits of a packet's first byte: what it is,
_DUPLICATE, _QOS, _RETAINED = 0x08, 0x06, 0x01  # and how it is published
_PUBACK: Final = b"\x40\x02"  # and the message's id; without a reason it says success in every version
_QOS_1: Final = 0x02
_EAR_BYTES: Final = 4096
_TURN_SECONDS: Final = 1.0
_GOODBYE_SECONDS: Final = 1.0
_PAUSES: Final = (1.0, 2.0, 4.0, 8.0, 16.0, 30.0)  # [s] between attempts to connect


class Publish(NamedTuple):
    """A message as it came; ``message_id`` is 0 for QoS 0, which nobody acknowledges."""

    topic: bytes
    payload: bytes
    message_id: int
    retained: bool
    duplicate: bool


class Client(mqtt.Client):
    """One connection to a broker, made again whenever it is lost.

    Parameters
    ----------
    version, client_id, clean_session
        As paho takes them.
    dial
        Makes a connection.
    take
        Called with every message, in the network's thread; False while there is no room for it.
    acknowledgements
        Called before every wait; the ids of the messages that may be acknowledged now, in order.
    """

    def __init__(
        self,
        version: MQTTProtocolVersion,
        client_id: str,
        *,
        clean_session: bool | None,
        dial: Callable[[], socket.socket],
        take: Callable[[Publish], bool],
        acknowledgements: Callable[[], Sequence[int]],
    ) -> None:
        super().__init__(
            CallbackAPIVersion.VERSION2, client_id=client_id, protocol=version, clean_session=clean_session
        )
        self._dial = dial
        self._take_message, self._acknowledgements = take, acknowledgements
        self._held: Packet | None = None  # a message there is no room for
        self._ear, self._mouth = socket.socketpair()
        for end in (self._ear, self._mouth):
            end.setblocking(False)
        self.on_socket_register_write = lambda *_: self.wake()  # so that paho leaves all writing to our thread
        self._leaving = threading.Event()
        self._farewell: Properties | None = None
        self._runner = threading.Thread(target=self._run, name=f"mqtt-{client_id}", daemon=True)

    def start(self) -> None:
        """Connect in the background to what `connect_async` named."""
        self._runner.start()

    def stop(self, farewell: Properties | None = None) -> None:
        """Send what may be acknowledged, say goodbye, and wait for the end; `start` is not possible again."""
        self._farewell = farewell
        self._leaving.set()
        self.wake()
        self._runner.join()
        self._ear.close()
        self._mouth.close()

    def wake(self) -> None:
        """Let the network's thread look at once: there is something to acknowledge or to write, or room again."""
        with suppress(OSError):  # it was woken more often than it could look, or has ended
            self._mouth.send(b"\0")

    def loop_read(self, max_packets: int = 1) -> MQTTErrorCode:  # noqa: ARG002 - paho's signature
        """Work off a block of what has come."""
        line = self._sock
        if not isinstance(line, BufferedSocket):
            return MQTTErrorCode.MQTT_ERR_NO_CONN
        if self._held is None:
            line.fill()
        try:
            return self._work_off(line)
        except StreamError as error:
            _log.error("the broker does not speak MQTT as it should", reason=str(error))
            return self._loop_rc_handle(MQTTErrorCode.MQTT_ERR_PROTOCOL)

    def _work_off(self, line: BufferedSocket) -> MQTTErrorCode:
        while (packet := self._held or line.packet()) is not None:
            if packet.content[0] & _KIND == _PUBLISH:
                taken = self._take_message(_published(packet, with_properties=self._protocol == mqtt.MQTTv5))
                self._held = None if taken else packet
                if not taken:
                    return MQTTErrorCode.MQTT_ERR_SUCCESS
            else:
                line.lend(packet)
                code = super().loop_read()
                if code or self._sock is not line:
                    return code
        return super().loop_read()  # finds out whether the connection is over

    def _create_socket(self) -> BufferedSocket:
        self._held = None
        return BufferedSocket(self._dial())

    def _run(self) -> None:
        failures = 0
        while not self._leaving.is_set():
            try:
                self.reconnect()
            except (OSError, BadInput) as error:  # a file for encryption may be gone, and come back
                _log.warning("no connection to the broker", broker=f"{self.host}:{self.port}", reason=str(error))
                welcome = False
            else:
                welcome = self._serve()
            failures = 0 if welcome else failures + 1
            self._leaving.wait(_PAUSES[min(failures, len(_PAUSES) - 1)])

    def _serve(self) -> bool:
        """Keep one connection until it is lost or we leave; whether the broker let us in."""
        welcome, patience = False, None
        while isinstance(line := self._sock, BufferedSocket):
            if acknowledged := self._acknowledgements():
                packets = b"".join([_PUBACK + one.to_bytes(2, "big") for one in acknowledged])
                self._packet_queue(MessageType.PUBACK, packets, 0, 0)
            if self._leaving.is_set():
                if patience is None:
                    patience = monotonic() + _GOODBYE_SECONDS
                    self.disconnect(properties=self._farewell)
                elif monotonic() > patience:
                    self._sock_close()
                    break
            self._turn(line)
            welcome = welcome or self.is_connected()
        return welcome

    def _turn(self, line: BufferedSocket) -> None:
        """Wait until there is something to do, and do it."""
        if self._held is not None:
            # The silence is ours, not the broker's: paho must not take it for a dead connection.
            self._last_bytes_received = monotonic()
        listening = [self._ear] if self._held is not None else [self._ear, line]
        writing = [line] if self.want_write() else []
        pause = 0.0 if self._held is None and line.hidden() else _TURN_SECONDS
        readable, writable, _ = select.select(listening, writing, [], pause)  # type: ignore[type-var]  # any with fileno
        if self._ear in readable:
            self._ear.recv(_EAR_BYTES)
        if writable and self.loop_write():
            return
        if (self._held is not None or line in readable or line.hidden()) and self.loop_read():
            return
        self.loop_misc()


def _published(packet: Packet, *, with_properties: bool) -> Publish:
    """Read a PUBLISH.

    Raises
    ------
    StreamError
        If it ends too early, or has a QoS nobody asked for.
    """
    content, at = packet
    first = content[0]
    end = at + 2 + int.from_bytes(content[at : at + 2], "big")
    topic, at, message_id = content[at + 2 : end], end, 0
    if first & _QOS:
        message_id = int.from_bytes(content[at : at + 2], "big")
        at += 2
    if with_properties:
        length, at = variable_length(content, at) or (0, len(content) + 1)
        at += length
    if at > len(content) or first & _QOS > _QOS_1 or bool(first & _QOS) != bool(message_id):
        raise StreamError("a message is cut off, or has a quality of service that was not asked for")
    return Publish(topic, content[at:], message_id, bool(first & _RETAINED), bool(first & _DUPLICATE))
