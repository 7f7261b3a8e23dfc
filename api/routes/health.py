"""Whether the service is alive, and whether it can do its work."""

from __future__ import annotations

import socket
from typing import Any
from urllib.parse import urlsplit

from fastapi import APIRouter
from fastapi.responses import JSONResponse

from api import store
from api.context import AtHouse
from core.time import rfc3339

router = APIRouter(tags=["health"])
_BROKER_SECONDS = 1.0


@router.get("/healthz")
def healthz() -> dict[str, str]:
    """Tell that the process answers."""
    return {"status": "alive"}


@router.get("/readyz")
def readyz(house: AtHouse) -> JSONResponse:
    """Tell whether database and broker answer, and the age of the newest reading of each class of meter [s]."""
    newest: dict[str, Any] = {}
    try:
        with house.pool.connection(timeout=2.0) as connection:
            now = house.clock()
            for measures, when in store.newest_reading_by_class(connection, house.slug).items():
                newest[measures] = {"time": rfc3339(when), "age_seconds": int((now - when).total_seconds())}
        database = True
    except store.DatabaseAway:
        database = False
    broker = _answers(house.settings.mqtt_url.get_secret_value())
    ready = database and broker
    body = {"ready": ready, "database": database, "broker": broker, "newest": newest}
    return JSONResponse(body, 200 if ready else 503)


def _answers(url: str) -> bool:
    parts = urlsplit(url)
    port = parts.port or (8883 if parts.scheme == "mqtts" else 1883)
    try:
        with socket.create_connection((parts.hostname or "127.0.0.1", port), timeout=_BROKER_SECONDS):
            return True
    except OSError:
        return False
