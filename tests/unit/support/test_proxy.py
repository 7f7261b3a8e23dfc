"""The proxy does to a connection what its words say, and nothing else."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator

import pytest

from tests.support.broker import HOST
from tests.support.proxy import Proxy


class Echo:
    """Answers with what it was told, in capitals; notes all of it.

    Something is noted before it is answered. Where no answer comes, its thread may not have read yet: wait for that
    with `hears`.
    """

    def __init__(self) -> None:
        self.heard = b""
        self._news = threading.Condition()
        self.listener = socket.create_server((HOST, 0))
        self.address = self.listener.getsockname()
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self.listener.accept()
                threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            while data := connection.recv(65536):
                with self._news:
                    self.heard += data
                    self._news.notify_all()
                connection.sendall(data.upper())

    def hears(self, text: bytes) -> bool:
        """Whether this, and nothing else, has been heard after ten seconds at most."""
        with self._news:
            return self._news.wait_for(lambda: self.heard == text, timeout=10)


@pytest.fixture
def echo() -> Iterator[Echo]:
    server = Echo()
    yield server
    server.listener.close()


@pytest.fixture
def network(echo: Echo) -> Iterator[Proxy]:
    with Proxy(echo.address) as proxy:
        yield proxy


def dial(network: Proxy) -> socket.socket:
    connection = socket.create_connection((network.host, network.port), timeout=10)
    connection.settimeout(10)
    return connection


def read(connection: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size and (more := connection.recv(size - len(data))):
        data += more
    return data


def test_bytes_go_both_ways_however_many(network):
    text = b"abcdefgh" * 500_000
    with dial(network) as connection:
        sender = threading.Thread(target=connection.sendall, args=(text,))
        sender.start()
        assert read(connection, len(text)) == text.upper()
        sender.join()
    assert network.sent == len(text)


def test_the_end_of_one_side_is_passed_on(network):
    with dial(network) as connection:
        connection.sendall(b"last words")
        connection.shutdown(socket.SHUT_WR)
        assert read(connection, 100) == b"LAST WORDS"


def test_a_stopped_one_resets_and_refuses_until_it_is_started(network):
    with dial(network) as connection:
        connection.sendall(b"a")
        assert read(connection, 1) == b"A"
        network.stop()
        with pytest.raises(ConnectionResetError):
            read(connection, 1)
    with pytest.raises(ConnectionRefusedError):
        dial(network)
    network.start()
    with dial(network) as connection:
        connection.sendall(b"b")
        assert read(connection, 1) == b"B"


def test_a_cut_resets_what_stands_and_lets_new_ones_in(network):
    with dial(network) as old, dial(network) as other:
        for connection in (old, other):
            connection.sendall(b"a")
            assert read(connection, 1) == b"A"
        network.cut()
        for connection in (old, other):
            with pytest.raises(ConnectionResetError):
                read(connection, 1)
    with dial(network) as new:
        new.sendall(b"b")
        assert read(new, 1) == b"B"


def test_a_deaf_one_accepts_and_hears_nothing_until_it_hears_again(network, echo):
    with dial(network) as old:
        old.sendall(b"a")
        assert read(old, 1) == b"A"
        network.deaf()
        with dial(network) as new:
            for connection in (old, new):
                connection.sendall(b"held")
                connection.settimeout(0.05)
                with pytest.raises(TimeoutError):
                    connection.recv(1)
                connection.settimeout(10)
            assert echo.heard == b"a"
            network.hear()
            assert read(old, 4) == read(new, 4) == b"HELD"


def test_a_mute_one_passes_on_what_is_said_and_keeps_the_answers(network, echo):
    with dial(network) as connection:
        network.mute()
        connection.sendall(b"commit")
        connection.settimeout(0.2)
        with pytest.raises(TimeoutError):
            connection.recv(1)
        assert echo.hears(b"commit")
        network.hear()
        connection.settimeout(10)
        assert read(connection, 6) == b"COMMIT"


def test_a_gagged_one_holds_back_what_is_said_and_a_cut_throws_it_away(network, echo):
    with dial(network) as connection:
        connection.sendall(b"a")
        assert read(connection, 1) == b"A"
        network.gag()
        connection.sendall(b"never arrives")
        connection.settimeout(0.2)
        with pytest.raises(TimeoutError):
            connection.recv(1)
        network.cut()
        network.hear()
    with dial(network) as connection:
        connection.sendall(b"b")
        assert read(connection, 1) == b"B"
    assert echo.heard == b"ab"


def test_a_cut_after_some_bytes_happens_at_the_very_byte_and_once(network, echo):
    network.cut_after(7)
    assert network.armed
    with dial(network) as connection:
        connection.sendall(b"0123456789")
        with pytest.raises(ConnectionResetError):
            read(connection, 100)
    assert network.sent == 7
    assert not network.armed
    # The second connection is read by another thread, which may be the first to run.
    assert echo.hears(b"0123456")
    with dial(network) as connection:
        connection.sendall(b"more than seven")
        assert read(connection, 15) == b"MORE THAN SEVEN"
    assert echo.heard == b"0123456more than seven"


def test_anything_can_happen_after_some_bytes(network, echo):
    seen: list[bytes] = []
    network.after(3, lambda: seen.append(b"now"))
    with dial(network) as connection:
        connection.sendall(b"abcdef")
        assert read(connection, 6) == b"ABCDEF"
    assert seen == [b"now"]


def test_what_was_to_happen_is_forgotten_when_all_is_to_be_heard(network):
    network.cut_after(3)
    network.hear()
    assert not network.armed
    with dial(network) as connection:
        connection.sendall(b"abcdef")
        assert read(connection, 6) == b"ABCDEF"


def test_a_target_that_is_away_resets_the_caller(tmp_path):
    # Where both run at once, the reset may come before the call is through.
    with Proxy(str(tmp_path / "nobody")) as network, pytest.raises(ConnectionResetError), dial(network) as connection:
        connection.recv(1)
