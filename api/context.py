"""What a request has at hand: the house's settings, a connection, the community, the time."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Annotated

from fastapi import Depends, Request

from api.store import Pool
from core.community import Community
from core.db import config
from core.db.connection import Connection
from core.settings import Settings

_COMMUNITY_SECONDS = 5.0
"""How old the parsed community may be [s]: a change by ``apply`` shows at most this much later."""
_POOL_SECONDS = 5.0
"""How long a request waits for a free connection before it is told that the database is away [s]."""


class House:
    """What all requests share. Safe to use from many threads."""

    def __init__(self, pool: Pool, settings: Settings, slug: str, clock: Callable[[], datetime]) -> None:
        self.pool = pool
        self.settings = settings
        self.slug = slug
        self.clock = clock
        self._lock = threading.Lock()
        self._community: tuple[float, Community] | None = None

    @property
    def secure(self) -> bool:
        """Whether people reach the service over https."""
        return self.settings.base_url.startswith("https://")

    def community(self, connection: Connection) -> Community:
        """Return the community as the database knows it, parsed at most every few seconds."""
        with self._lock:
            known = self._community
        if known and time.monotonic() - known[0] < _COMMUNITY_SECONDS:
            return known[1]
        fresh = config.load(connection, self.slug).community
        with self._lock:
            self._community = (time.monotonic(), fresh)
        return fresh


# Dependencies without input or output are coroutines: they need no thread, which would cost more than they do.
async def house_of(request: Request) -> House:
    """Return the house the application was made for."""
    house: House = request.app.state.house
    return house


AtHouse = Annotated[House, Depends(house_of)]


def _connection(house: AtHouse) -> Iterator[Connection]:
    with house.pool.connection(timeout=_POOL_SECONDS) as connection, connection.transaction():
        yield connection


# One request is one transaction. Scope "function": it commits before the answer leaves, so that no one is told of
# what was not kept.
Database = Annotated[Connection, Depends(_connection, scope="function")]


async def _now(house: AtHouse) -> datetime:
    return house.clock()


Now = Annotated[datetime, Depends(_now)]


def _community(house: AtHouse, connection: Database) -> Community:
    return house.community(connection)


TheCommunity = Annotated[Community, Depends(_community)]
