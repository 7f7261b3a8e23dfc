"""Errors as people and machines read them: problem+json (RFC 9457) for the API, a plain page for people."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

import structlog
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from api.pages.render import error_page
from api.store import DatabaseAway
from core.errors import WijkError

_log = structlog.get_logger()


class ProblemResponse(JSONResponse):
    """An answer of media type ``application/problem+json``."""

    media_type = "application/problem+json"


def not_found() -> HTTPException:
    """Return the one answer for what is not there and for what the caller may not know of."""
    return HTTPException(404, "There is nothing at this address.")


def problem(status: int, detail: str, headers: dict[str, str] | None = None, **members: Any) -> ProblemResponse:
    """Return an RFC 9457 problem; the type is ``about:blank``, so the title is the status in words."""
    body = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status, "detail": detail, **members}
    return ProblemResponse(body, status, headers)


def install(app: FastAPI) -> None:
    """Make the application answer every error in words."""

    @app.exception_handler(HTTPException)
    def http(request: Request, error: HTTPException) -> Response:
        answer = _answer(request, error.status_code, _detail(error))
        answer.headers.update(error.headers or {})
        return answer

    @app.exception_handler(RequestValidationError)
    def malformed(request: Request, error: RequestValidationError) -> Response:
        faults = [{"where": ".".join(map(str, item["loc"])), "what": item["msg"]} for item in error.errors()]
        return _answer(request, 422, f"{faults[0]['where']}: {faults[0]['what']}.", errors=faults)

    @app.exception_handler(WijkError)
    def ours(request: Request, error: WijkError) -> Response:
        return _answer(request, error.http_status, str(error))

    @app.exception_handler(DatabaseAway)
    def database_away(request: Request, error: DatabaseAway) -> Response:
        _log.warning("database_away", reason=str(error).strip().partition("\n")[0])
        return _answer(request, 503, "The database cannot be reached at the moment; try again in a minute.")

    @app.exception_handler(Exception)
    def bug(request: Request, _error: Exception) -> Response:
        return _answer(request, 500, "Something went wrong on our side; it has been written down.")


def _answer(request: Request, status: int, detail: str, **members: Any) -> Response:
    headers = {"WWW-Authenticate": "Bearer"} if status == HTTPStatus.UNAUTHORIZED else None
    if "text/html" in request.headers.get("accept", "") and not request.url.path.startswith("/api/"):
        return error_page(request, status)
    return problem(status, detail, headers, **members)


def _detail(error: HTTPException) -> str:
    # The framework's own refusals say no more than the status does; ours are sentences.
    if error.status_code == HTTPStatus.NOT_FOUND:
        return str(not_found().detail)
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        return "This address does not take this method."
    return str(error.detail)
