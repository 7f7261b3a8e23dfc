"""Who may see what.

People come in by a one-time link: opening it shows a button (mail scanners open links in advance), pressing the button
uses it up and starts a session, kept in a cookie no script can read. Machines send a session's token as Bearer.
Tokens are random and stored as SHA-256 only.

Whoever lacks the role for an address is told that there is nothing there: nobody can learn what exists for others.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Annotated, Final, Literal
from urllib.parse import urlsplit

from fastapi import Depends, HTTPException, Request, Response

from api import store
from api.context import AtHouse, Database, House, Now, TheCommunity
from api.errors import not_found
from api.store import Person
from core.community import Community
from core.db.connection import Connection
from core.errors import BadInput
from core.time import midnight

Role = Literal["resident", "volunteer", "corporation", "operator"]

COOKIE: Final = "wijkenergie_session"
SESSION: Final = timedelta(days=90)
LINK: Final = timedelta(days=2)
_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


def new_sign_in_link(
    connection: Connection, base_url: str, community: str, person: str, now: datetime, valid: timedelta = LINK
) -> str:
    """Make a link that signs a person in once.

    Parameters
    ----------
    connection
        The caller commits.
    base_url
        Where people reach the service, without a slash at the end.
    valid
        How long the link can be used.

    Raises
    ------
    BadInput
        If the community does not know the person.
    """
    if not store.person_exists(connection, community, person):
        raise BadInput(f"There is no person '{person}' in community '{community}'; add the person first.")
    token = secrets.token_urlsafe(32)
    store.add_sign_in(connection, community, person, _sha256(token), now + valid)
    return f"{base_url}/signin/{token}"


def new_session(connection: Connection, community: str, person: str, now: datetime, valid: timedelta = SESSION) -> str:
    """Open a session and return its token, for the cookie of a browser or the Bearer header of a machine.

    Raises
    ------
    BadInput
        If the community does not know the person.
    """
    if not store.person_exists(connection, community, person):
        raise BadInput(f"There is no person '{person}' in community '{community}'; add the person first.")
    token = secrets.token_urlsafe(32)
    store.add_session(connection, community, person, _sha256(token), now, now + valid)
    return token


def link_is_open(connection: Connection, community: str, token: str, now: datetime) -> bool:
    """Tell whether a one-time link still works, without using it."""
    return store.sign_in_is_open(connection, community, _sha256(token), now)


def use_link(connection: Connection, community: str, token: str, now: datetime) -> str | None:
    """Use a one-time link up and return the token of a new session; None if it does not work (any more)."""
    person = store.use_sign_in(connection, community, _sha256(token), now)
    return None if person is None else new_session(connection, community, person, now)


def set_cookie(response: Response, house: House, token: str) -> None:
    """Give the session to the browser: out of reach of scripts and of other sites."""
    response.set_cookie(
        COOKIE, token, max_age=int(SESSION.total_seconds()), httponly=True, samesite="lax", secure=house.secure
    )


def sign_out(request: Request, response: Response, connection: Connection, house: House) -> None:
    """End the browser's session, here and there."""
    token = request.cookies.get(COOKIE)
    if token:
        store.end_session(connection, _sha256(token))
    response.delete_cookie(COOKIE, httponly=True, samesite="lax", secure=house.secure)


async def same_origin(request: Request, house: AtHouse) -> None:
    """Refuse a form that another site made the browser send (a machine's Bearer token proves enough by itself)."""
    if request.method in _SAFE_METHODS or "authorization" in request.headers:
        return
    origin = request.headers.get("origin")
    site = request.headers.get("sec-fetch-site", "same-origin")
    hosts = {request.headers.get("host"), urlsplit(house.settings.base_url).netloc}
    if site not in ("same-origin", "none") or (origin is not None and urlsplit(origin).netloc not in hosts):
        raise HTTPException(403, "This came from another site; open our own page and try again.")


def caller_or_none(request: Request, connection: Database, house: AtHouse, now: Now) -> Person | None:
    """Return who is asking, or None for someone who is not signed in."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer":
        token = request.cookies.get(COOKIE, "")
    return store.person_of_session(connection, house.slug, _sha256(token.strip()), now) if token else None


async def caller(person: Annotated[Person | None, Depends(caller_or_none)]) -> Person:
    """Return who is asking.

    Raises
    ------
    HTTPException
        401 for someone who is not signed in.
    """
    if person is None:
        raise HTTPException(401, "You are not signed in, or no longer; open your sign-in link.")
    return person


def allowed(*roles: Role) -> Callable[[Person], Awaitable[Person]]:
    """Make a dependency that lets in whoever has one of the roles; for all others nothing is there."""

    async def check(person: Annotated[Person, Depends(caller)]) -> Person:
        if not set(roles) & set(person.roles):
            raise not_found()
        return person

    return check


MaybeAnyone = Annotated[Person | None, Depends(caller_or_none)]
Anyone = Annotated[Person, Depends(caller)]
Volunteer = Annotated[Person, Depends(allowed("volunteer"))]
Corporation = Annotated[Person, Depends(allowed("corporation"))]
Operator = Annotated[Person, Depends(allowed("operator"))]
Keeper = Annotated[Person, Depends(allowed("corporation", "operator"))]


@dataclass(frozen=True)
class Home:
    """A resident's own household: the flat, and the days it lived there; nothing outside them may be shown."""

    person: Person
    household: str
    flat: str
    since: date
    until: date | None

    def within(self, span: tuple[datetime, datetime], community: Community) -> tuple[datetime, datetime]:
        """Cut a span of time to the days of the household; the result is empty where they do not meet."""
        start = max(span[0], midnight(self.since, community.zone))
        end = span[1] if self.until is None else min(span[1], midnight(self.until, community.zone))
        return start, max(start, end)


def home_of(person: Person, community: Community) -> Home | None:
    """Return a person's own household, or None for who has none."""
    if "resident" not in person.roles or person.household is None:
        return None
    for household in community.households:
        if household.id == person.household:
            return Home(person, household.id, household.flat, household.start, household.until)
    return None


def _resident(person: Annotated[Person, Depends(allowed("resident"))], community: TheCommunity) -> Home:
    home = home_of(person, community)
    if home is None:
        raise not_found()
    return home


Resident = Annotated[Home, Depends(_resident)]


def _sha256(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
