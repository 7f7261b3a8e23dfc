"""Whole MQTT packets out of a byte stream, with one read from the kernel for many of them.

paho asks its socket for one byte, then for another, then for the rest: three system calls for each packet. Here a
socket is read by the block and cut into packets, and paho is lent, one at a time, those that it shall work on.
"""

from __future__ import annotations

import socket
import ssl
from typing import Final, NamedTuple

_BLOCK: Final = 1 << 16  # [B] read at once
_LENGTH_BYTES: Final = 4  # that the length of a packet may take, by the standard
_MORE: Final = 0x80  # set in each byte of a length but the last


class StreamError(ValueError):
    """What came is not as the standard says; the connection is of no use any more."""


class Packet(NamedTuple):
    """A whole MQTT control packet as it came; ``start`` is where what follows its length begins."""

    content: bytes
    start: int


class Cutter:
    """Cuts a stream into packets, however the network has divided it."""

    def __init__(self) -> None:
        self._data = b""
        self._at = 0

    def feed(self, data: bytes) -> None:
        """Add what came."""
        self._data = self._data[self._at :] + data
        self._at = 0

    def next(self) -> Packet | None:
        """Return the next whole packet, or None until more has come.

        Raises
        ------
        StreamError
            If the stream is none.
        """
        data, first = self._data, self._at
        found = variable_length(data, first + 1)
        if found is None or sum(found) > len(data):
            return None
        length, start = found
        self._at = start + length
        return Packet(data[first : self._at], start - first)


def variable_length(data: bytes, at: int) -> tuple[int, int] | None:
    """Read a length as MQTT writes it, 7 bits a byte, and say where it ends; None where the data ends before.

    Raises
    ------
    StreamError
        If it takes more than four bytes.
    """
    length, shift = 0, 0
    for digit in data[at : at + _LENGTH_BYTES]:
        length |= (digit & ~_MORE) << shift
        shift += 7
        if digit < _MORE:
            return length, at + shift // 7
    if shift == 7 * _LENGTH_BYTES:
        raise StreamError("a length takes more than four bytes")
    return None


class BufferedSocket:
    """A connected socket as paho wants it, plain or encrypted, that reads by the block.

    Its owner calls `fill` and takes every `packet`. paho's `recv` gets only what was lent to it; when the connection is
    over it gets that from the network itself, and so finds out how it ended.
    """

    def __init__(self, line: socket.socket) -> None:
        self._line = line
        self._cutter = Cutter()
        self._lent = b""
        self._over = False

    def fill(self) -> None:
        """Read what has come."""
        try:
            block = self._line.recv(_BLOCK)
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return
        except OSError:
            block = b""
        self._over = not block
        self._cutter.feed(block)

    def packet(self) -> Packet | None:
        """Return the next whole packet, or None until more was read; raises as of `Cutter.next`."""
        return self._cutter.next()

    def lend(self, packet: Packet) -> None:
        """Let paho read this packet."""
        self._lent += packet.content

    def recv(self, buffer_size: int) -> bytes:
        """Read what was lent.

        Raises
        ------
        BlockingIOError
            If nothing is lent at the moment.
        """
        if self._lent:
            head, self._lent = self._lent[:buffer_size], self._lent[buffer_size:]
            return head
        if self._over:
            return self._line.recv(buffer_size)
        raise BlockingIOError

    def hidden(self) -> bool:
        """Whether there is something to read that select() does not see, because it is decrypted already."""
        return isinstance(self._line, ssl.SSLSocket) and self._line.pending() > 0

    def send(self, buffer: bytes | bytearray) -> int:
        """Write what the network takes now."""
        return self._line.send(buffer)

    def close(self) -> None:
        """Close the connection."""
        self._line.close()

    def fileno(self) -> int:
        """File descriptor, for select()."""
        return self._line.fileno()

    def setblocking(self, flag: bool) -> None:  # noqa: FBT001 - the shape of a socket
        """Wait, or not."""
        self._line.setblocking(flag)
