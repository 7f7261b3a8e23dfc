"""The demo's mail server: takes every message on loopback and shows it on the console."""

from __future__ import annotations

import email
import email.policy
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from wijkenergie.demo.broker import free_port


class _Show:
    def __init__(self, show: Callable[[str], None]) -> None:
        self._show = show
        self._seen: set[str] = set()

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd's name
        message = email.message_from_bytes(_bytes(envelope.content), policy=email.policy.default)
        subject = str(message["subject"])
        text = f"mail to {', '.join(envelope.rcpt_tos)}: {subject}"
        body = message.get_body(("plain", "html"))
        if body and subject not in self._seen:  # the same letter to the next person is one line
            self._seen.add(subject)
            text += "".join(f"\n    {line}" for line in str(body.get_content()).strip().splitlines())
        self._show(text)
        return "250 OK"


def _bytes(content: bytes | str | None) -> bytes:
    return content.encode() if isinstance(content, str) else content or b""


@contextmanager
def mailbox(show: Callable[[str], None]) -> Iterator[str]:
    """Run the mail server; gives its apprise address, to which a recipient is added."""
    controller = Controller(_Show(show), hostname="127.0.0.1", port=free_port())
    controller.start()
    try:
        yield f"mailto://127.0.0.1:{controller.port}?from=wijkenergie@flat-de-ster.example&to=coordinator@flat-de-ster.example&mode=insecure"
    finally:
        controller.stop()
