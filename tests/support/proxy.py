"""A network that can be broken: a TCP proxy in front of a database or a broker, in a thread of the test.

    with Proxy(("127.0.0.1", 1883)) as network:
        client.connect(network.host, network.port)
        network.cut()

==================  ================================================================================================
`Proxy.stop`        connections are refused and the existing ones reset: a server that is gone
`Proxy.start`       there again, on the same port
`Proxy.cut`         existing connections are reset, new ones work: a router that forgot us
`Proxy.deaf`        new connections stand and nothing is read or answered: a cable that was pulled
`Proxy.mute`        what is said arrives, and no answer comes back: the commit that nobody hears of
`Proxy.gag`         the other way round: what is said is held back, as an acknowledgement that never arrives
`Proxy.hear`        everything held back goes on, and what was to happen after some bytes does not
`Proxy.after`       the same, or anything else, when so many more bytes have gone to the server
`Proxy.cut_after`   in the middle of a COPY, for instance
==================  ================================================================================================
"""

from __future__ import annotations

import contextlib
import queue
import select
import socket
import struct
import threading
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from tests.support.broker import HOST, free_port

_CHUNK = 65536
_RESET = struct.pack("ii", 1, 0)  # linger for no time: close with RST

Action = Callable[[], None]


@dataclass(eq=False)
class _Pipe:
    """One direction of a connection; reads no more while something waits to be passed on."""

    source: socket.socket
    sink: socket.socket
    upward: bool
    waiting: bytes = b""
    ended: bool = False


class Proxy:
    """Passes on bytes to a target until told otherwise; started at once.

    Parameters
    ----------
    target
        Host and port, or the path of a Unix socket.
    """

    def __init__(self, target: tuple[str, int] | str) -> None:
        self.host, self.port = HOST, free_port()
        self.sent = 0
        """Bytes passed on to the target so far."""
        self._target = target
        self._deaf = self._mute = self._gag = False
        self._listener: socket.socket | None = None
        self._pipes: list[_Pipe] = []
        self._trigger: tuple[int, Action] | None = None
        self._orders: queue.SimpleQueue[tuple[Action, threading.Event]] = queue.SimpleQueue()
        self._bell, self._ear = socket.socketpair()
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="proxy", daemon=True)
        self._thread.start()
        self.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stop for good."""
        self._order(self._stop)
        self._order(self._end)
        self._thread.join()
        self._bell.close()
        self._ear.close()

    def start(self) -> None:
        """Accept connections."""
        self._order(self._start)

    def stop(self) -> None:
        """Refuse connections and reset those that stand."""
        self._order(self._stop)

    def cut(self) -> None:
        """Reset the connections that stand."""
        self._order(self._cut)

    def deaf(self) -> None:
        """Let connections stand, read nothing and answer nothing."""
        self._order(self._set_deaf)

    def mute(self) -> None:
        """Pass on what is said and hold back every answer."""
        self._order(self._set_mute)

    def gag(self) -> None:
        """Pass on every answer and hold back what is said to the target."""
        self._order(self._set_gag)

    def hear(self) -> None:
        """Pass on everything again, also what was held back, and forget what was asked for with `after`."""
        self._order(self._set_hearing)

    def after(self, bytes_sent: int, action: Action) -> None:
        """Do something once, in the proxy's thread, when exactly so many more bytes have gone to the target."""
        self._order(lambda: self._arm(bytes_sent, action))

    def cut_after(self, bytes_sent: int) -> None:
        """`cut` once, when exactly so many more bytes have gone to the target."""
        self.after(bytes_sent, self.cut)

    @property
    def armed(self) -> bool:
        """Whether what was asked for with `after` has still to happen."""
        return self._trigger is not None

    def _order(self, action: Action) -> None:
        """Let the proxy's thread do something, and wait until it is done."""
        if threading.current_thread() is self._thread:
            action()
            return
        done = threading.Event()
        self._orders.put((action, done))
        self._bell.send(b"!")
        done.wait()

    def _start(self) -> None:
        if self._listener is None:
            self._listener = socket.create_server((self.host, self.port), backlog=100)

    def _stop(self) -> None:
        if self._listener is not None:
            self._listener.close()
            self._listener = None
        self._cut()

    def _end(self) -> None:
        self._closing = True

    def _cut(self) -> None:
        for pipe in self._pipes:
            _reset(pipe.source)
        self._pipes.clear()

    def _set_deaf(self) -> None:
        self._deaf = True

    def _set_mute(self) -> None:
        self._mute = True

    def _set_gag(self) -> None:
        self._gag = True

    def _set_hearing(self) -> None:
        self._deaf = self._mute = self._gag = False
        self._trigger = None

    def _arm(self, bytes_sent: int, action: Action) -> None:
        self._trigger = (self.sent + bytes_sent, action)

    def _run(self) -> None:
        while not self._closing:
            flowing = [pipe for pipe in self._pipes if not self._held(pipe)]
            readers = [pipe.source for pipe in flowing if not pipe.waiting and not pipe.ended]
            writers = [pipe.sink for pipe in flowing if pipe.waiting]
            if self._listener is not None and not self._deaf:
                readers.append(self._listener)
            readable, writable, _ = select.select([self._ear, *readers], writers, [])
            if self._ear in readable:
                self._ear.recv(1)
                action, done = self._orders.get()
                action()
                done.set()
                continue  # what is readable may be closed by now
            if self._listener in readable:
                self._accept()
                continue
            for pipe in flowing:
                if pipe in self._pipes and not self._held(pipe):
                    self._move(pipe, read=pipe.source in readable, write=pipe.sink in writable)

    def _held(self, pipe: _Pipe) -> bool:
        return self._deaf or (self._gag if pipe.upward else self._mute)

    def _accept(self) -> None:
        assert self._listener is not None
        client, _ = self._listener.accept()
        server = socket.socket(socket.AF_UNIX if isinstance(self._target, str) else socket.AF_INET)
        try:
            server.connect(self._target)
        except OSError:
            server.close()
            _reset(client)
            return
        for one in (client, server):
            one.setblocking(False)
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if server.family == socket.AF_INET:
            server.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._pipes += [_Pipe(client, server, upward=True), _Pipe(server, client, upward=False)]

    def _move(self, pipe: _Pipe, *, read: bool, write: bool) -> None:
        try:
            if read and not pipe.waiting:
                pipe.waiting = pipe.source.recv(self._allowed(pipe))
                if not pipe.waiting:
                    self._finish(pipe)
            elif write and pipe.waiting:
                count = pipe.sink.send(pipe.waiting)
                pipe.waiting = pipe.waiting[count:]
                self._count(pipe, count)
        except OSError:
            self._drop(pipe)

    def _allowed(self, pipe: _Pipe) -> int:
        """How much may be read so that what was asked for with `after` happens at the very byte."""
        if not pipe.upward or self._trigger is None:
            return _CHUNK
        return min(_CHUNK, max(1, self._trigger[0] - self.sent))

    def _count(self, pipe: _Pipe, count: int) -> None:
        if not pipe.upward:
            return
        self.sent += count
        if self._trigger is not None and self.sent >= self._trigger[0]:
            action = self._trigger[1]
            self._trigger = None
            action()

    def _finish(self, pipe: _Pipe) -> None:
        """One side has said all: say so to the other, and close when both have."""
        pipe.ended = True
        both = [one for one in self._pipes if one.source in (pipe.source, pipe.sink)]
        if all(one.ended for one in both):
            self._pipes = [one for one in self._pipes if one not in both]
            pipe.source.close()
            pipe.sink.close()
        else:
            with contextlib.suppress(OSError):  # the other side may be gone already
                pipe.sink.shutdown(socket.SHUT_WR)

    def _drop(self, pipe: _Pipe) -> None:
        """Reset both sides of a connection that failed."""
        for one in (pipe.source, pipe.sink):
            _reset(one)
        self._pipes = [one for one in self._pipes if one.source not in (pipe.source, pipe.sink)]


def _reset(one: socket.socket) -> None:
    with contextlib.suppress(OSError):  # a Unix socket has no such option, and a closed one no options
        one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    one.close()
