"""HTTP devices: asked in order, with their password, and never for longer or more than is good."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from collector.catalogue import load
from collector.links import HttpLink, parse_link
from collector.profile import Profile
from collector.raw import Document
from collector.refusal import NoAnswer, NoConnection
from collector.sources.http import LARGEST, HttpLine
from collector.sources.line import Manners
from core.errors import BadInput
from core.time import utc_now
from tests.support.broker import free_port

Answer = Callable[[BaseHTTPRequestHandler], None]
PROFILE = """
schema: 1
id: test.boiler
revision: 1
kind: boiler
match: {{vendor: Test, models: [Boiler]}}
maturity: document-only
provenance: [{{source: "a test"}}]
link: {{transport: http-json, timeout: 1s, requests: [{requests}], auth: {auth}}}
points: [{{id: power, quantity: thermal_power, unit: W, class: gauge, path: /power}}]
"""


@dataclass
class Web:
    """A web server on this machine."""

    port: int
    asked: list[tuple[str, str | None]] = field(default_factory=list)
    """Paths and what was said about who asks."""
    connections: set[int] = field(default_factory=set)
    """Ports the requests came from."""


@contextmanager
def web(answer: Answer) -> Iterator[Web]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            served.asked.append((self.path, self.headers.get("Authorization")))
            served.connections.add(self.client_address[1])
            try:
                answer(self)
            except (BrokenPipeError, ConnectionResetError):
                self.close_connection = True

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as the standard library names it
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    served = Web(server.server_port)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield served
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def say(body: bytes, code: int = 200, **headers: str) -> Answer:
    def answer(request: BaseHTTPRequestHandler) -> None:
        request.send_response(code)
        request.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            request.send_header(name.replace("_", "-"), value)
        request.end_headers()
        request.wfile.write(body)

    return answer


def profile(folder: Path, requests: str = '"/a"', auth: str = "none") -> Profile:
    file = folder / f"{hashlib.sha256((requests + auth).encode()).hexdigest()}.yaml"
    file.write_text(PROFILE.format(requests=requests, auth=auth), encoding="utf-8")
    return load(str(file))


def read(folder: Path, link: str, kind: Profile, times: int = 1) -> list[tuple[Document, ...]]:
    async def run() -> list[tuple[Document, ...]]:
        place = parse_link(link)
        assert isinstance(place, HttpLink)
        line = HttpLine(Manners.strictest([kind.link]), folder, utc_now)
        reader = line.reader(place, kind)
        try:
            return [(await reader.read()).raw.documents for _ in range(times)]
        finally:
            await line.close()

    return asyncio.run(run())


def test_all_requests_are_put_in_order_on_one_connection(tmp_path: Path) -> None:
    with web(lambda request: say(request.path.encode())(request)) as served:
        found = read(tmp_path, f"http://127.0.0.1:{served.port}/api/", profile(tmp_path, '"/b?x=1", "/a"'), 2)
    assert found == [(Document("/b?x=1", b"/api/b?x=1"), Document("/a", b"/api/a"))] * 2
    assert len(served.connections) == 1


def test_a_profile_without_requests_asks_for_the_link_itself(tmp_path: Path) -> None:
    with web(say(b"{}")) as served:
        found = read(tmp_path, f"http://127.0.0.1:{served.port}/data.json", profile(tmp_path, ""))
    assert found == [(Document("", b"{}"),)]
    assert [path for path, _ in served.asked] == ["/data.json"]


def test_a_password_goes_where_the_profile_says(tmp_path: Path) -> None:
    (tmp_path / "kitchen.txt").write_text("us:er:pass\n", encoding="utf-8")
    with web(say(b"{}")) as served:
        link = f"http://127.0.0.1:{served.port}?secret=kitchen"
        read(tmp_path, link, profile(tmp_path, auth="basic"))
        read(tmp_path, link, profile(tmp_path, auth="bearer"))
        read(tmp_path, link, profile(tmp_path, '"/{secret}/all"'))
        read(tmp_path, f"http://127.0.0.1:{served.port}/{{secret}}?secret=kitchen", profile(tmp_path))
    assert served.asked == [
        ("/a", "Basic dXM6ZXI6cGFzcw=="),
        ("/a", "Bearer us:er:pass"),
        ("/us%3Aer%3Apass/all", None),
        ("/us%3Aer%3Apass/a", None),
    ]


def test_digest_proves_the_password_without_sending_it(tmp_path: Path) -> None:
    (tmp_path / "kitchen.txt").write_text("user:secret-word", encoding="utf-8")

    def md5(text: str) -> str:
        return hashlib.md5(text.encode()).hexdigest()

    def answer(request: BaseHTTPRequestHandler) -> None:
        given = dict(re.findall(r'(\w+)="?([^",]+)"?', request.headers.get("Authorization") or ""))
        if not given:
            say(b"", 401, WWW_Authenticate='Digest realm="boiler", nonce="abc", qop="auth", algorithm=MD5')(request)
            return
        right = md5(
            f"{md5('user:boiler:secret-word')}:abc:{given['nc']}:{given['cnonce']}:auth:{md5('GET:' + request.path)}"
        )
        say(b"{}" if given["response"] == right else b"wrong")(request)

    with web(answer) as served:
        found = read(tmp_path, f"http://127.0.0.1:{served.port}?secret=kitchen", profile(tmp_path, auth="digest"), 2)
    assert found == [(Document("/a", b"{}"),)] * 2
    assert "secret-word" not in str(served.asked)


def test_a_missing_password_is_one_sentence_that_names_the_file(tmp_path: Path) -> None:
    link = f"http://127.0.0.1:{free_port()}?secret=kitchen"
    with pytest.raises(BadInput, match=r"kitchen\.txt: the secret cannot be read: No such file"):
        read(tmp_path, link, profile(tmp_path, auth="basic"))
    (tmp_path / "kitchen.txt").write_text("no-colon", encoding="utf-8")
    with pytest.raises(BadInput, match=r"^The secret 'kitchen' must hold user:password\.$"):
        read(tmp_path, link, profile(tmp_path, auth="basic"))


def drip(request: BaseHTTPRequestHandler) -> None:
    """Send a byte now and then, so that no single wait is long."""
    request.send_response(200)
    request.send_header("Content-Length", "1000")
    request.end_headers()
    for _ in range(80):
        request.wfile.write(b" ")
        time.sleep(0.05)
    request.close_connection = True


def stop_halfway(request: BaseHTTPRequestHandler) -> None:
    request.send_response(200)
    request.send_header("Content-Length", "1000")
    request.end_headers()
    request.wfile.write(b'{"power": 1')
    request.close_connection = True


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (say(b"", 401), r"wants another user, password or token \(HTTP 401\)"),
        (say(b"", 404), r"answers HTTP 404$"),
        (say(b"", 302, Location="http://192.0.2.1/"), "redirects elsewhere, which is not followed"),
        (say(b" " * (LARGEST + 1)), "sends more than 1000000 bytes"),
        (say(gzip.compress(b" " * 10_000_000), Content_Encoding="gzip"), "sends a compressed answer"),
        (drip, r"^no answer from http://127\.0\.0\.1:\d+/\{secret\}/a \(TimeoutError\)$"),
        (stop_halfway, r"^no answer from .* \(RemoteProtocolError\)$"),
        (lambda _: time.sleep(1.5), r"^no answer from .* \(ReadTimeout\)$"),
    ],
)
def test_what_is_no_good_answer_is_one_clause_without_the_password(
    tmp_path: Path, answer: Answer, sentence: str
) -> None:
    (tmp_path / "kitchen.txt").write_text("hush", encoding="utf-8")
    with web(answer) as served, pytest.raises(NoAnswer, match=sentence) as caught:
        read(tmp_path, f"http://127.0.0.1:{served.port}/{{secret}}?secret=kitchen", profile(tmp_path))
    assert "hush" not in str(caught.value)
    assert len(served.asked) == 1


def test_nobody_listening_is_no_connection(tmp_path: Path) -> None:
    with pytest.raises(NoConnection, match=r"^no connection to 127\.0\.0\.1:\d+$"):
        read(tmp_path, f"http://127.0.0.1:{free_port()}", profile(tmp_path))


def test_a_server_that_hung_up_in_between_is_called_again(tmp_path: Path) -> None:
    def once(request: BaseHTTPRequestHandler) -> None:
        say(b"{}")(request)
        request.close_connection = True  # without a word to the client

    with web(once) as served:
        found = read(tmp_path, f"http://127.0.0.1:{served.port}", profile(tmp_path), 3)
    assert found == [(Document("/a", b"{}"),)] * 3


def test_a_server_that_hangs_up_just_as_it_is_asked_is_called_once_more(tmp_path: Path) -> None:
    def every_other(request: BaseHTTPRequestHandler) -> None:
        if len(served.asked) % 2:
            say(b"{}")(request)
        else:
            request.close_connection = True

    with web(every_other) as served:
        found = read(tmp_path, f"http://127.0.0.1:{served.port}", profile(tmp_path), 3)
    assert found == [(Document("/a", b"{}"),)] * 3
    assert len(served.asked) == 5  # the second and the third were not answered at first


def test_a_server_that_never_answers_is_asked_once(tmp_path: Path) -> None:
    def never(request: BaseHTTPRequestHandler) -> None:
        request.close_connection = True

    with web(never) as served, pytest.raises(NoAnswer, match="RemoteProtocolError"):
        read(tmp_path, f"http://127.0.0.1:{served.port}", profile(tmp_path))
    assert len(served.asked) == 1
