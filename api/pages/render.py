"""Turn a template into an answer: language, navigation, and the words every page has."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote
from zoneinfo import ZoneInfo

from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from api.pages.words import N_, Words
from api.store import Person
from core.community import Community
from core.words import LANGUAGES, translations

LANGUAGE_COOKIE: Final = "wijkenergie_language"
_HERE: Final = Path(__file__).parent
STATIC: Final = {file.name: file.read_bytes() for file in (_HERE / "static").iterdir() if file.is_file()}
"""The files of the pages, by name."""
_VERSION: Final = hashlib.sha256(b"".join(STATIC[name] for name in sorted(STATIC))).hexdigest()[:12]

_PLACES: Final = (
    ("resident", "/", N_("My home")),
    ("resident", "/statements", N_("Statements")),
    ("volunteer", "/work", N_("Boiler")),
    ("corporation", "/months", N_("Months")),
    ("operator", "/devices", N_("Devices")),
)
_ERRORS: Final = {
    401: (N_("You are not signed in"), N_("Open the link in our message once more, or ask for a new link.")),
    404: (N_("There is nothing here"), N_("This page is not there. Check the address, or go back to the first page.")),
    405: (N_("There is nothing here"), N_("This page is not there. Check the address, or go back to the first page.")),
    403: (N_("That did not work"), N_("This came from another site. Open our own page and try again.")),
    422: (N_("We do not understand this"), N_("Something in the form is not right. Go back and try again.")),
    503: (N_("Please wait a moment"), N_("We cannot reach our data just now. Try again in a minute.")),
}
_OTHER_ERROR: Final = (N_("Something went wrong"), N_("The fault is ours and we have written it down."))


@dataclass(frozen=True)
class Reader:
    """Who reads the page, of which building, in which words."""

    request: Request
    person: Person | None
    community: Community
    words: Words


def reader(request: Request, person: Person | None, community: Community) -> Reader:
    """Say who reads, in the language they chose on this device, else the one they are known by."""
    language = language_of(request, person, community.language)
    return Reader(request, person, community, Words(language, community.zone))


def language_of(request: Request, person: Person | None, default: str = "nl") -> str:
    """Choose the language: chosen on this device, the person's, the browser's, the building's."""
    browser = request.headers.get("accept-language", "")[:2].lower()
    choices = (request.cookies.get(LANGUAGE_COOKIE), person and person.language, browser, default, "nl")
    return next(choice for choice in choices if choice in LANGUAGES)


def page(to: Reader, template: str, status: int = 200, **values: Any) -> HTMLResponse:
    """Answer with a page of the building."""
    roles = to.person.roles if to.person else []
    places = [(address, to.words.gettext(name)) for role, address, name in _PLACES if role in roles]
    return HTMLResponse(
        _render(to.request, to.words, template, building=to.community.name, places=places, person=to.person, **values),
        status,
    )


def error_page(request: Request, status: int) -> HTMLResponse:
    """Answer with a page that says what went wrong; needs no database."""
    words = Words(language_of(request, None), ZoneInfo("UTC"))
    title, text = _ERRORS.get(status, _OTHER_ERROR)
    values: dict[str, Any] = {"building": "wijkenergie", "places": [], "person": None}
    values |= {"title": words.gettext(title), "text": words.gettext(text), "home": status != HTTPStatus.UNAUTHORIZED}
    return HTMLResponse(_render(request, words, "message.html", **values), status)


def _render(request: Request, words: Words, template: str, **values: Any) -> str:
    other = next(language for language in LANGUAGES if language != words.language)
    return (
        _environment(words.language)
        .get_template(template)
        .render(
            words=words,
            here=request.url.path,
            version=_VERSION,
            other_language=other,
            switch=f"/language/{other}?next={quote(request.url.path)}",
            **values,
        )
    )


@cache
def _environment(language: str) -> Environment:
    environment = Environment(
        loader=FileSystemLoader(_HERE / "templates"),
        extensions=["jinja2.ext.i18n"],
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.install_gettext_translations(translations(language, "pages"), newstyle=True)  # type: ignore[attr-defined]  # added by the extension
    return environment
