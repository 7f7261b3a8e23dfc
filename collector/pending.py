"""Which messages may be acknowledged now, and whether there is room for more.

An MQTT client must acknowledge in order of arrival, and only on the connection a message came on: after a reconnect the
broker sends again what was not acknowledged, maybe under another id. What came on an earlier connection and is not yet
settled still fills memory, so it counts for the bound although nothing will be acknowledged for it. Pure; the caller
holds a lock.
"""

from __future__ import annotations

from collections import deque


class Pending:
    """Messages in hand, oldest first.

    Parameters
    ----------
    window
        How many may be in hand, over all connections.
    """

    def __init__(self, window: int) -> None:
        self._window = window
        self._next = 0
        self._open: set[int] = set()  # places of all messages that are not settled, of any connection
        self._waiting: deque[tuple[int, int]] = deque()  # place and id of this connection's, in order

    def __len__(self) -> int:
        return len(self._open)

    @property
    def full(self) -> bool:
        """Whether another message is one too many."""
        return len(self._open) >= self._window

    def received(self, message_id: int) -> int:
        """Note a message; returns its place, to settle it with. One with id 0 (QoS 0) is never acknowledged."""
        place = self._next
        self._next += 1
        self._open.add(place)
        if message_id:
            self._waiting.append((place, message_id))
        return place

    def settled(self, place: int) -> None:
        """Note that a message is safe. Saying so twice changes nothing."""
        self._open.discard(place)

    def due(self) -> list[int]:
        """Return the ids to acknowledge now, in order, each once."""
        ready = []
        while self._waiting and self._waiting[0][0] not in self._open:
            ready.append(self._waiting.popleft()[1])
        return ready

    def disconnected(self) -> None:
        """Acknowledge nothing of this connection any more: the broker will send it again."""
        self._waiting.clear()
