"""The web application: routes, pages, headers and errors put together for one community."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Final

from fastapi import Depends, FastAPI
from prometheus_client import CollectorRegistry

from api import errors
from api.access import same_origin
from api.context import House
from api.headers import SafeHeaders
from api.metrics import RequestMetrics
from api.pages import devices as devices_page
from api.pages import home, months, sign_in, statements, work
from api.routes import building, devices, final, health, me, readings, tasks
from api.routes import months as months_route
from api.store import Pool
from core.settings import Settings
from core.time import utc_now

_MODULES = (
    health,
    me,
    building,
    tasks,
    months_route,
    final,
    readings,
    devices,
    home,
    statements,
    work,
    months,
    devices_page,
    sign_in,
)
ROUTERS: Final = tuple(module.router for module in _MODULES)
"""Every address there is, but for the API's own description."""


def create_app(
    pool: Pool,
    settings: Settings,
    slug: str,
    clock: Callable[[], datetime] = utc_now,
    registry: CollectorRegistry | None = None,
) -> FastAPI:
    """Make the application of one community.

    Parameters
    ----------
    pool
        Open connections to the database; the caller closes them.
    slug
        The community; the database must know it when the first request comes.
    clock
        Asked once per request.
    registry
        Where requests are counted; a new one by default.
    """
    app = FastAPI(
        title="wijkenergie",
        version="1",
        openapi_url="/api/v1/openapi.json",
        docs_url=None,  # their pages fetch scripts of others
        redoc_url=None,
        redirect_slashes=False,
        dependencies=[Depends(same_origin)],
    )
    app.state.house = House(pool, settings, slug, clock)
    for router in ROUTERS:
        app.include_router(router)
    errors.install(app)
    app.add_middleware(SafeHeaders, https=settings.base_url.startswith("https://"))
    app.add_middleware(RequestMetrics, registry=registry or CollectorRegistry())
    return app
