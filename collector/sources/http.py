"""HTTP: the profile's requests, one after another; a line is one web server.

Nothing of the surroundings is used (no proxy, no cookies of others, no redirects), and every wait has an end: a device
that sends a byte now and then is given up as one that sends none.
"""

from __future__ import annotations

import asyncio
import math
import ssl
from collections.abc import Callable, Generator
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Final
from urllib.parse import quote

import httpx

from collector.links import PLACEHOLDER, HttpLink
from collector.profile import Profile
from collector.raw import Document, Raw
from collector.refusal import NoAnswer, NoConnection
from collector.secret import read_secret
from collector.sources.line import Answer, Manners
from core.errors import BadInput

LARGEST: Final = 1_000_000
"""No device says more than this in one answer [bytes]."""
_DENIED: Final = frozenset({401, 403})
_HUNG_UP: Final = (httpx.RemoteProtocolError, httpx.ReadError, httpx.WriteError)


@cache
def _trusted() -> ssl.SSLContext:
    return ssl.create_default_context()


class HttpLine:
    """One web server.

    Parameters
    ----------
    manners
        What its devices need.
    secrets
        Folder with the devices' passwords.
    clock
        Tells the time.
    """

    def __init__(self, manners: Manners, secrets: Path, clock: Callable[[], datetime]) -> None:
        self.manners, self.secrets, self.clock = manners, secrets, clock
        self._trust = _trusted()  # takes a moment, which must not come out of a device's timeout
        self._client: httpx.AsyncClient | None = None

    @property
    def client(self) -> httpx.AsyncClient:
        """One connection at most, made when needed."""
        if self._client is None:
            idle = None if math.isinf(self.manners.idle_close) else self.manners.idle_close
            self._client = httpx.AsyncClient(
                timeout=self.manners.timeout,
                limits=httpx.Limits(
                    max_connections=1, max_keepalive_connections=int(self.manners.keep_open), keepalive_expiry=idle
                ),
                verify=self._trust,
                trust_env=False,
                follow_redirects=False,
                headers={"Accept-Encoding": "identity", "User-Agent": "wijkenergie"},
            )
        return self._client

    @property
    def connected(self) -> bool:
        """Whether a connection may still be open from an earlier request."""
        return self._client is not None and self.manners.keep_open

    def reader(self, link: HttpLink, profile: Profile) -> HttpReader:
        """Return a reader of one device."""
        return HttpReader(self, link, profile)

    async def close(self) -> None:
        """Hang up."""
        if self._client is not None:
            await self._client.aclose()
            self._client = None


class HttpReader:
    """One device; its secret goes where the profile says, or where the link says ``{secret}``, and nowhere else."""

    def __init__(self, line: HttpLine, link: HttpLink, profile: Profile) -> None:
        self._line, self._link, self._profile = line, link, profile
        self._known: str | None = None
        self._auth: httpx.Auth | None = None

    async def read(self) -> Answer:
        """Put all requests.

        Raises
        ------
        NoAnswer
            If one of them brings no usable answer.
        BadInput
            If the secret is missing.
        """
        secret = "" if self._link.secret is None else read_secret(self._line.secrets, self._link.secret)
        if self._auth is None or secret != self._known:
            self._known, self._auth = secret, self._authority(secret)
        documents: list[Document] = []
        for path in self._profile.link.requests or ("",):
            if documents:
                await asyncio.sleep(self._line.manners.request_gap)
            documents.append(Document(path, await self._get(path, secret)))
        return Answer(Raw(self._line.clock(), documents=tuple(documents)))

    def forget(self) -> None:
        """Let the device ask for the password again."""
        self._auth = None

    async def _get(self, path: str, secret: str) -> bytes:
        """Ask for one document; no message names the secret."""
        shown = f"{self._link.base}{path}"
        address = shown.replace(PLACEHOLDER, quote(secret, safe=""))
        kept = self._line.connected
        try:
            async with asyncio.timeout(2 * self._line.manners.timeout):
                try:
                    return await self._fetch(address, shown)
                except _HUNG_UP:
                    if not kept:
                        raise
                    # The server may have hung up just as we asked: a connection of our own choosing tells.
                    await self._line.close()
                    return await self._fetch(address, shown)
        except (httpx.ConnectError, httpx.ConnectTimeout):
            raise NoConnection(f"no connection to {self._link.port}") from None
        except (httpx.HTTPError, httpx.InvalidURL, TimeoutError) as error:
            await self._line.close()
            kind = type(error).__name__
            raise NoAnswer(f"no answer from {shown} ({kind})") from None

    async def _fetch(self, address: str, shown: str) -> bytes:
        async with self._line.client.stream("GET", address, auth=self._auth) as response:
            self._refuse(response, shown)
            return await self._body(response, shown)

    @staticmethod
    def _refuse(response: httpx.Response, shown: str) -> None:
        code = response.status_code
        if code in _DENIED:
            raise NoAnswer(f"{shown} wants another user, password or token (HTTP {code})")
        if response.is_redirect:
            raise NoAnswer(f"{shown} redirects elsewhere, which is not followed; give the link where it leads")
        if code != httpx.codes.OK:
            raise NoAnswer(f"{shown} answers HTTP {code}")
        if response.headers.get("Content-Encoding", "identity") != "identity":
            raise NoAnswer(f"{shown} sends a compressed answer, which was not asked for")

    @staticmethod
    async def _body(response: httpx.Response, shown: str) -> bytes:
        body = bytearray()
        async for chunk in response.aiter_raw():
            body += chunk
            if len(body) > LARGEST:
                raise NoAnswer(f"{shown} sends more than {LARGEST} bytes")
        return bytes(body)

    def _authority(self, secret: str) -> httpx.Auth:
        kind = self._profile.link.auth
        if kind == "none":
            return httpx.Auth()
        if not secret:
            raise BadInput(f"'{self._profile.id}' wants a password; name its file in the link with ?secret=name.")
        if kind == "bearer":
            return _Bearer(secret)
        user, colon, password = secret.partition(":")
        if not colon:
            raise BadInput(f"The secret '{self._link.secret}' must hold user:password.")
        return httpx.BasicAuth(user, password) if kind == "basic" else httpx.DigestAuth(user, password)


class _Bearer(httpx.Auth):
    """A token."""

    def __init__(self, token: str) -> None:
        self._header = f"Bearer {token}"

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Add the token to a request."""
        request.headers["Authorization"] = self._header
        yield request
