"""A cheap publisher of native readings, as a process of its own: ``python -m tests.support.mqttload``.

It competes with what it loads for the same processor, so it speaks MQTT 3.1.1 over a plain socket: packets are made by
the chunk, many PUBLISHes go out in one write, and the broker's PUBACKs are counted. Message ``i`` belongs to meter
``i % meters`` and carries ``each`` readings that no other message carries, so that what arrived can be told from rows
alone. One JSON object at the end says what the broker took; with ``--probe``, one line before for every probed message.
"""

from __future__ import annotations

import argparse
import json
import select
import socket
import struct
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

START = datetime(2020, 1, 1, tzinfo=UTC)
_CONNECT, _PUBLISH, _PUBACK, _DISCONNECT = 0x10, 0x32, 0x40, 0xE0
_LAST_ID = 0xFFFF
_ACK_BYTES = 4
_PATIENCE_SECONDS = 60.0


@dataclass(frozen=True)
class Load:
    """What is published.

    Attributes
    ----------
    messages, meters, each
        How many messages, over how many meters, with how many readings in each message.
    rate
        Messages per second [1/s]; None for as fast as the broker acknowledges.
    window
        Messages that may be unacknowledged by the broker.
    community
        Leads the topic.
    """

    messages: int
    meters: int = 50
    each: int = 1
    rate: float | None = None
    window: int = 2000
    community: str = "bench"

    def payload(self, index: int) -> bytes:
        """JSON of one message."""
        step = index // self.meters * self.each
        entries = [f'{{"time": "{time_text(at)}", "value": "{1000 + at}.125"}}' for at in range(step, step + self.each)]
        return (entries[0] if self.each == 1 else f"[{', '.join(entries)}]").encode()

    def topic(self, index: int) -> str:
        """Topic of one message."""
        return f"wijkenergie/{self.community}/m-{index % self.meters:02d}"

    def packet(self, index: int) -> bytes:
        """PUBLISH with QoS 1."""
        topic = self.topic(index).encode()
        body = b"".join(
            (struct.pack("!H", len(topic)), topic, struct.pack("!H", index % _LAST_ID + 1), self.payload(index))
        )
        return bytes([_PUBLISH]) + encoded_length(len(body)) + body


def time_text(second: int) -> str:
    """RFC 3339 of so many seconds after `START`."""
    return (START + timedelta(seconds=second)).strftime("%Y-%m-%dT%H:%M:%SZ")


def encoded_length(count: int) -> bytes:
    """Write the length of a packet: 7 bits a byte, lowest first."""
    encoded = bytearray()
    while True:
        count, digit = divmod(count, 128)
        encoded.append(digit | (0x80 if count else 0))
        if not count:
            return bytes(encoded)


def connected(host: str, port: int, name: str) -> socket.socket:
    """Return a line on which the broker has let us in, with a clean session."""
    line = socket.create_connection((host, port), timeout=_PATIENCE_SECONDS)
    line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    body = b"\x00\x04MQTT\x04\x02\x00\x00" + struct.pack("!H", len(name)) + name.encode()
    line.sendall(bytes([_CONNECT]) + encoded_length(len(body)) + body)
    answer = line.recv(4)
    if answer[:1] != b"\x20" or answer[3:] != b"\x00":
        raise ConnectionError(f"the broker does not let us in: {answer!r}")
    return line


def _chunks(load: Load) -> Iterator[tuple[int, bytes]]:
    """Packets joined by the chunk, with the number of messages in each."""
    size = max(1, min(200, load.window // 4, round((load.rate or 1e9) / 200)))
    for first in range(0, load.messages, size):
        last = min(first + size, load.messages)
        yield last - first, b"".join(load.packet(index) for index in range(first, last))


class Progress:
    """How far a reader of our messages is, as it says on standard input: one number of messages a line.

    Parameters
    ----------
    ahead
        How far the publisher may be ahead of it [messages].
    """

    def __init__(self, ahead: int) -> None:
        self._ahead = ahead
        self._reached = 0

    def wait(self, sent: int) -> None:
        """Return when ``sent`` messages are not too many."""
        while sent > self._reached + self._ahead:
            line = sys.stdin.readline()
            if not line:
                raise EOFError("nobody says any more how far the reader is")
            self._reached = int(line)


def publish(load: Load, host: str, port: int, probe: int = 0, progress: Progress | None = None) -> dict[str, float]:
    """Publish everything and wait for the broker's last acknowledgement.

    Parameters
    ----------
    load, host, port
        What, and where to.
    probe
        Say when every so many messages were sent; 0 for never.
    progress
        Of a reader not to get too far ahead of; None to follow nobody.

    Returns
    -------
    dict
        ``sent`` and ``acknowledged`` [messages], ``begun`` and ``ended`` [s] on the monotonic clock.
    """
    sent = acknowledged = 0
    rest = b""
    with connected(host, port, "mqttload") as line:
        begun = time.monotonic()
        for count, chunk in _chunks(load):
            if load.rate:
                time.sleep(max(0.0, begun + sent / load.rate - time.monotonic()))
            if progress is not None:
                progress.wait(sent)
            at = time.monotonic()
            line.sendall(chunk)
            for index in range(sent, sent + count):
                if probe and index % probe == 0:
                    print(json.dumps({"index": index, "at": at}))
            sent += count
            while sent - acknowledged > load.window or select.select([line], [], [], 0)[0]:
                acknowledged, rest = _count(line, acknowledged, rest)
        while acknowledged < sent:
            acknowledged, rest = _count(line, acknowledged, rest)
        ended = time.monotonic()
        line.sendall(bytes([_DISCONNECT, 0]))
    return {"sent": sent, "acknowledged": acknowledged, "begun": begun, "ended": ended}


def _count(line: socket.socket, acknowledged: int, rest: bytes) -> tuple[int, bytes]:
    """Read acknowledgements and check that each is the next one due."""
    came = line.recv(65536)
    if not came:
        raise ConnectionError(f"the broker hung up after {acknowledged} acknowledgements")
    rest += came
    whole = len(rest) - len(rest) % _ACK_BYTES
    for at in range(0, whole, _ACK_BYTES):
        if rest[at : at + _ACK_BYTES] != struct.pack("!BBH", _PUBACK, 2, acknowledged % _LAST_ID + 1):
            raise ConnectionError(f"not the acknowledgement that was due: {rest[at : at + _ACK_BYTES]!r}")
        acknowledged += 1
    return acknowledged, rest[whole:]


def main() -> None:
    """Publish as the command line says."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("host")
    parser.add_argument("port", type=int)
    parser.add_argument("--messages", type=int, required=True)
    parser.add_argument("--meters", type=int, default=Load.meters)
    parser.add_argument("--each", type=int, default=Load.each)
    parser.add_argument("--rate", type=float)
    parser.add_argument("--window", type=int, default=Load.window)
    parser.add_argument("--community", default=Load.community)
    parser.add_argument("--probe", type=int, default=0, metavar="N", help="say when every N-th message was sent")
    parser.add_argument("--ahead", type=int, metavar="N", help="of what standard input says has been read")
    chosen = parser.parse_args()
    load = Load(chosen.messages, chosen.meters, chosen.each, chosen.rate, chosen.window, chosen.community)
    progress = None if chosen.ahead is None else Progress(chosen.ahead)
    print(json.dumps(publish(load, chosen.host, chosen.port, chosen.probe, progress)))


if __name__ == "__main__":
    main()
