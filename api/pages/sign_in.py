"""Coming in by a one-time link, going out, and choosing a language."""

from __future__ import annotations

import re

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from api.access import MaybeAnyone, link_is_open, set_cookie, sign_out, use_link
from api.context import AtHouse, Database, Now, TheCommunity
from api.errors import not_found
from api.pages.render import LANGUAGE_COOKIE, STATIC, page, reader
from core.words import LANGUAGES

router = APIRouter(include_in_schema=False)

_YEAR = 365 * 24 * 3600
_MEDIA_TYPES = {"css": "text/css; charset=utf-8", "js": "text/javascript; charset=utf-8", "svg": "image/svg+xml"}


@router.get("/signin/{token}", response_class=HTMLResponse)
def sign_in_page(
    token: str, request: Request, community: TheCommunity, connection: Database, now: Now, house: AtHouse
) -> HTMLResponse:
    """Show a button; the link is used up only when it is pressed, for mail scanners open links too."""
    works = link_is_open(connection, house.slug, token, now)
    return page(reader(request, None, community), "sign_in.html", 200 if works else 404, works=works)


@router.post("/signin/{token}", response_class=HTMLResponse)
def sign_in(
    token: str, request: Request, community: TheCommunity, connection: Database, now: Now, house: AtHouse
) -> Response:
    """Use the link and start a session."""
    session = use_link(connection, house.slug, token, now)
    if session is None:
        return page(reader(request, None, community), "sign_in.html", 404, works=False)
    answer = RedirectResponse("/", 303)
    set_cookie(answer, house, session)
    return answer


@router.get("/signout", response_class=HTMLResponse)
def sign_out_page(request: Request, person: MaybeAnyone, community: TheCommunity) -> HTMLResponse:
    """Ask whether to end the session, or say that it has ended."""
    return page(reader(request, person, community), "sign_out.html", signed_in=person is not None)


@router.post("/signout")
def sign_out_now(request: Request, connection: Database, house: AtHouse) -> Response:
    """End the session."""
    answer = RedirectResponse("/signout", 303)
    sign_out(request, answer, connection, house)
    return answer


@router.get("/language/{language}")
def choose_language(language: str, house: AtHouse, next: str = "/") -> Response:  # noqa: A002 - the address says so
    """Keep the language chosen on this device and go back."""
    if language not in LANGUAGES:
        raise not_found()
    # Only ever back to a page of ours: one slash, then no second slash or backslash.
    answer = RedirectResponse(next if re.fullmatch(r"/([^/\\].*)?", next) else "/", 303)
    answer.set_cookie(LANGUAGE_COOKIE, language, max_age=_YEAR, httponly=True, samesite="lax", secure=house.secure)
    return answer


@router.get("/static/{name}")
def static(name: str) -> Response:
    """Serve the style sheet, the script and the icon; their address carries a version, so they may be kept."""
    if name not in STATIC:
        raise not_found()
    headers = {"Cache-Control": "public, max-age=31536000, immutable"}
    return Response(STATIC[name], media_type=_MEDIA_TYPES[name.rpartition(".")[2]], headers=headers)
