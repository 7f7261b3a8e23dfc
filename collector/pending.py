"""Which messages may be acknowledged now: in the order they came, and only on the connection they came on.

An MQTT client must acknowledge in order of arrival, and an acknowledgement prepared before a reconnect must be thrown
away: the broker sends the message again, maybe under another id. Pure; the caller holds a lock.
"""

from __future__ import annotations

from collections import deque
from typing import NamedTuple


class Token(NamedTuple):
    """Names one received message: the connection it came on and its place there."""

    generation: int
    place: int


class Ack(NamedTuple):
    """An acknowledgement to send now."""

    message_id: int
    qos: int


class Pending:
    """Messages received and not yet acknowledged, oldest first."""

    def __init__(self) -> None:
        self._generation = 0
        self._first = 0
        self._waiting: deque[Ack] = deque()
        self._settled: set[int] = set()

    def __len__(self) -> int:
        return len(self._waiting)

    def received(self, message_id: int, qos: int) -> Token:
        """Note a message; returns the token to settle it with."""
        token = Token(self._generation, self._first + len(self._waiting))
        self._waiting.append(Ack(message_id, qos))
        return token

    def settled(self, token: Token) -> list[Ack]:
        """Note that a message is safe; returns what may be acknowledged now, in order.

        A token of an earlier connection, or one settled before, changes nothing.
        """
        if token.generation != self._generation or token.place < self._first:
            return []
        self._settled.add(token.place)
        ready = []
        while self._first in self._settled:
            self._settled.remove(self._first)
            ready.append(self._waiting.popleft())
            self._first += 1
        return ready

    def disconnected(self) -> None:
        """Forget everything: the broker will send again what was not acknowledged."""
        self._generation += 1
        self._first = 0
        self._waiting.clear()
        self._settled.clear()
