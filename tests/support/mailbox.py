"""A real SMTP server on a free loopback port, and what it received."""

from __future__ import annotations

import email
import email.policy
import threading
from email.message import EmailMessage
from typing import Any

from aiosmtpd.controller import Controller

from tests.support.broker import free_port


def text_of(message: EmailMessage) -> str:
    """Return a mail's text with the line ends of files, not of the wire."""
    content = message.get_content()
    assert isinstance(content, str)
    return content.replace("\r\n", "\n")


class Mailbox:
    """Takes every mail, or refuses all while ``refusing`` is set.

    ``received`` holds (sender, recipients, message) of each mail that was taken.
    """

    def __init__(self) -> None:
        self.received: list[tuple[str, list[str], EmailMessage]] = []
        self.refusing = False
        self.arrived = threading.Event()
        self._port = free_port()
        self._controller: Controller | None = None

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802 - the server's name for it
        if self.refusing:
            return "451 the mailbox is full, try later"
        message = email.message_from_bytes(envelope.content, policy=email.policy.default)
        assert isinstance(message, EmailMessage)
        self.received.append((envelope.mail_from, envelope.rcpt_tos, message))
        self.arrived.set()
        return "250 taken"

    @property
    def url(self) -> str:
        """Address as WIJKENERGIE_NOTIFY_URLS takes it."""
        return f"mailto://127.0.0.1:{self._port}?from=wijk@example.org&to=beheer@example.org&mode=insecure"

    @property
    def recipients(self) -> list[str]:
        """Everybody who got a mail, in order."""
        return [name for _, names, _ in self.received for name in names]

    def start(self) -> None:
        """Begin to listen."""
        self._controller = Controller(self, hostname="127.0.0.1", port=self._port)
        self._controller.start()

    def stop(self) -> None:
        """Close the door."""
        if self._controller is not None:
            self._controller.stop()
