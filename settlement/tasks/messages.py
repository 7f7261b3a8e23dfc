"""Messages that leave the house: written with what caused them, sent by the worker, each once.

A message is written in the transaction of its cause, once per key and person. The worker sends it while it holds
the row, and marks it sent in the same transaction. Between the moment a mail server says yes and the commit lies a
window of milliseconds: a worker that dies in it will send the message a second time. It is never marked as sent
without having left, and never sent again after the mark.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Protocol
from urllib.parse import quote, urlsplit, urlunsplit
from zoneinfo import ZoneInfo

import apprise
import structlog

from core.community import Community
from core.db.connection import Connection
from core.time import Month
from settlement.store import newest_statement
from settlement.tasks import letters, store
from settlement.tasks.letters import Letter
from settlement.tasks.store import MessageRow

GIVE_UP_AFTER: Final = timedelta(days=3)
"""A call for help is stale by then, and a statement stands on the resident's page anyway."""
_LONGEST_WAIT: Final = timedelta(hours=6)
_QUIET_FROM, _QUIET_UNTIL = 21, 8
ALARM: Final = "alarm"
"""The kind that may disturb people at night."""
_log = structlog.get_logger()


class Notifier(Protocol):
    """What sends: the addresses of the service, as apprise writes them."""

    @property
    def notify(self) -> tuple[str, ...]:
        """Addresses; secrets."""


@dataclass(frozen=True)
class Delivered:
    """What a round of sending came to; ``waiting`` are still to be sent, those just failed included."""

    sent: int
    failed: int
    waiting: int


def enqueue(
    connection: Connection, slug: str, *, key: str, person: str | None, kind: str, letter: Letter, now: datetime
) -> bool:
    """Write a message within the caller's transaction.

    Parameters
    ----------
    key
        What it is about; a second message with the same key to the same person is not written.
    person
        Who gets it by e-mail; None for the addresses of the service.
    kind
        ``task``, ``statement``, ``note``, or ``alarm``, which alone may be sent between 21 and 8 o'clock.

    Returns
    -------
    bool
        False if it was written before.
    """
    return store.put_message(connection, slug, key, person, kind, letter.subject, letter.body, now)


def statements_ready(connection: Connection, community: Community, month: Month, base_url: str, now: datetime) -> int:
    """Tell every resident of a settled month, once, that the statement is ready.

    Returns
    -------
    int
        How many messages were written; 0 when the month is not settled or everybody knows.
    """
    slug = community.community
    text = newest_statement(connection, slug, str(month))
    if text is None:
        return 0
    parties = {entry["party"] for entry in json.loads(text)["statements"]}
    written = 0
    with connection.transaction():
        for person in store.reachable(connection, slug, "resident"):
            if person.household in parties:
                letter = letters.statement_ready(community.name, month, f"{base_url}/statements", person.language)
                written += enqueue(
                    connection,
                    slug,
                    key=f"statement {month}",
                    person=person.id,
                    kind="statement",
                    letter=letter,
                    now=now,
                )
    return written


def deliver(
    connection: Connection,
    notifier: Notifier,
    slug: str,
    zone: ZoneInfo,
    now: datetime,
    *,
    quiet_hours: bool = True,
) -> Delivered:
    """Send what is due, each message in a transaction of its own.

    Parameters
    ----------
    connection
        With no transaction open.
    notifier
        Settings. Messages to a person go through its first ``mailto(s)`` address, with the person as recipient; the
        others to every address. Without any address nothing is tried.
    zone
        Of the community: outside alarms, nobody is disturbed between 21 and 8 o'clock.

    Returns
    -------
    Delivered
        A message that could not be sent is tried again after 2, 4, 8 ... minutes, at most every six hours, and
        given up three days after it was written.
    """
    oldest = now - GIVE_UP_AFTER
    sent = failed = 0
    quiet = quiet_hours and not _QUIET_UNTIL <= now.astimezone(zone).hour < _QUIET_FROM
    kinds = [ALARM] if quiet else None
    while notifier.notify:
        with connection.transaction():
            message = store.lock_due_message(connection, slug, now, oldest, kinds)
            if message is None:
                break
            error = _send(message, notifier.notify)
            if error is None:
                store.mark_sent(connection, slug, message.id, now)
                sent += 1
            else:
                wait = min(timedelta(minutes=2 ** min(message.attempts + 1, 10)), _LONGEST_WAIT)
                store.mark_failed(connection, slug, message.id, error, now + wait)
                failed += 1
        if error is None:
            _log.info("message sent", message=message.id, kind=message.kind)
        else:
            _log.warning("message not sent", message=message.id, kind=message.kind, error=error)
    with connection.transaction():
        return Delivered(sent, failed, store.count_waiting(connection, slug, oldest))


def _send(message: MessageRow, urls: tuple[str, ...]) -> str | None:
    """Send one message; return what went wrong, None when it has left.

    A message to the addresses of the service has left when one of them took it; sending it again for the sake of the
    others would reach that one twice.
    """
    if message.person is not None:
        if message.email is None:
            return "this person has no e-mail address"
        mail = next((url for url in urls if url.startswith(("mailto://", "mailtos://"))), None)
        if mail is None:
            return "WIJKENERGIE_NOTIFY_URLS names no mail server (an address that begins with mailto:// or mailtos://)"
        urls = (addressed_to(mail, message.email),)
    complaints = [complaint for url in urls if (complaint := _notify(url, message)) is not None]
    if len(complaints) == len(urls):
        return complaints[0]
    for complaint in complaints:
        _log.warning("one of the addresses of the service did not take a message", message=message.id, error=complaint)
    return None


def _notify(url: str, message: MessageRow) -> str | None:
    service = apprise.Apprise(asset=_asset())
    if not service.add(url):
        return "WIJKENERGIE_NOTIFY_URLS has an address that cannot be read"
    with apprise.LogCapture(  # type: ignore[no-untyped-call]  # apprise has no types
        level=apprise.logging.WARNING, fmt="%(message)s"
    ) as captured:
        if service.notify(body=message.body, title=message.subject, body_format=apprise.NotifyFormat.TEXT):
            return None
        return _reason(captured.getvalue().splitlines(), message.email)


def addressed_to(url: str, email: str) -> str:
    """Return a mail server's address with one recipient instead of its own."""
    parts = urlsplit(url)
    kept = [
        item for item in parts.query.split("&") if item and item.partition("=")[0].lower() not in ("to", "cc", "bcc")
    ]
    return urlunsplit(parts._replace(path="", query="&".join([*kept, "to=" + quote(email, safe="@")])))


def _reason(lines: Iterable[str], email: str | None) -> str:
    """Tell the last complaint, without the recipient's address: it is stored and logged."""
    text = next((line.strip() for line in reversed(list(lines)) if line.strip()), "the service did not take it")
    return (text.replace(email, "the recipient") if email else text)[:300]


def _asset() -> apprise.AppriseAsset:
    return apprise.AppriseAsset(app_id="wijkenergie", app_desc="wijkenergie", app_url="", async_mode=False)
