"""The MQTT broker: its address, how to log in, whom to trust, and which version of MQTT it speaks."""

from __future__ import annotations

import socket
import ssl
import threading
import uuid
from dataclasses import dataclass, field
from typing import Any, Final, Self
from urllib.parse import unquote, urlsplit

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from collector.sources.tls import Tls
from core.errors import BadInput, Unavailable
from core.settings import Settings

_PORTS: Final = {"mqtt": 1883, "mqtts": 8883}
_PATIENCE_SECONDS: Final = 5.0
KEEP_ALIVE_SECONDS: Final = 30


@dataclass(frozen=True)
class Broker:
    """Address and credentials of a broker."""

    host: str
    port: int
    tls: bool
    user: str | None
    password: str | None = field(repr=False)
    files: Tls = field(default_factory=Tls)

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Return the broker of the settings; raises as of `parse`."""
        files = Tls(settings.mqtt_ca, settings.mqtt_cert, settings.mqtt_key)
        return cls.parse(settings.mqtt_url.get_secret_value(), files)

    @classmethod
    def parse(cls, url: str, files: Tls | None = None) -> Self:
        """Read ``mqtt://user:password@host:port`` or ``mqtts://...``.

        Raises
        ------
        BadInput
            If it is none, or ``files`` for an encrypted connection come with an address of a plain one.
        """
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError:
            raise BadInput("The broker's address has no valid port; write mqtt://host:1883.") from None
        if parts.scheme not in _PORTS or not parts.hostname:
            raise BadInput("The broker's address must start with mqtt:// or mqtts:// and name a host.")
        user = None if parts.username is None else unquote(parts.username)
        password = None if parts.password is None else unquote(parts.password)
        encrypted = parts.scheme == "mqtts"
        if files and not encrypted:
            raise BadInput("WIJKENERGIE_MQTT_CA, _CERT and _KEY are for an address that starts with mqtts://.")
        return cls(parts.hostname, port or _PORTS[parts.scheme], encrypted, user, password, files or Tls())

    def client(self, client_id: str, version: MQTTProtocolVersion, **options: Any) -> mqtt.Client:
        """Return a client that is not yet connected."""
        client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id=client_id, protocol=version, **options)
        self.introduce(client)
        return client

    def introduce(self, client: mqtt.Client) -> None:
        """Tell a client how to log in here.

        Raises
        ------
        BadInput
            If the files for an encrypted connection are wrong.
        """
        if self.user is not None:
            client.username_pw_set(self.user, self.password)
        if self.tls:
            client.tls_set_context(self.files.context())

    def dial(self) -> socket.socket:
        """Return a connection, encrypted where the address says so, and then with a broker that proved its name.

        Raises
        ------
        OSError
            If there is none to be had.
        BadInput
            As of `introduce`.
        """
        line = socket.create_connection((self.host, self.port), _PATIENCE_SECONDS)
        line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # what is sent is put together by us
        if not self.tls:
            return line
        try:
            return self.files.context().wrap_socket(line, server_hostname=self.host)
        except ConnectionError as error:
            raise ssl.SSLError(str(error)) from error
        finally:
            line.close()  # only where it was not taken over

    def version(self) -> MQTTProtocolVersion:
        """Ask the broker whether it speaks MQTT 5.

        Returns
        -------
        MQTTProtocolVersion
            MQTTv5, or MQTTv311 where it turns MQTT 5 down.

        Raises
        ------
        Unavailable
            If nobody answers, or the broker does not let us in.
        """
        if self.tls:
            try:
                self.dial().close()  # first, as paho leaves a connection open whose certificate it does not trust
            except OSError as error:
                raise Unavailable(self._no_connection(error)) from None
        turned_down = False
        for version in (MQTTProtocolVersion.MQTTv5, MQTTProtocolVersion.MQTTv311):
            reason = self._knock(version)
            if reason == "":
                return version
            turned_down = turned_down or (reason is not None and "version" in reason.lower())
            if reason is not None and "version" not in reason.lower():
                raise Unavailable(f"The broker at {self} does not let us in: {reason}. Check WIJKENERGIE_MQTT_URL.")
        if turned_down:
            raise Unavailable(f"The broker at {self} speaks neither MQTT 5 nor MQTT 3.1.1; another one is needed.")
        raise Unavailable(f"The broker at {self} closes the connection without a word; check its log.")

    def _knock(self, version: MQTTProtocolVersion) -> str | None:
        """Connect once: empty when welcome, the broker's reason when not, None when it hung up without a word."""
        answers: list[str] = []
        done = threading.Event()

        def on_connect(_client: Any, _data: Any, _flags: Any, reason: Any, _properties: Any) -> None:
            answers.append(str(reason) if reason.is_failure else "")
            done.set()

        def on_disconnect(*_: Any) -> None:
            done.set()

        client = self.client(f"wijkenergie-{uuid.uuid4().hex[:12]}", version, reconnect_on_failure=False)
        client.on_connect, client.on_disconnect = on_connect, on_disconnect
        try:
            client.connect(self.host, self.port, KEEP_ALIVE_SECONDS)
        except OSError as error:
            raise Unavailable(self._no_connection(error)) from None
        client.loop_start()
        try:
            if not done.wait(_PATIENCE_SECONDS):
                raise Unavailable(f"The broker at {self} does not answer. Start it, or correct WIJKENERGIE_MQTT_URL.")
        finally:
            client.disconnect()
            client.loop_stop()
        return answers[0] if answers else None

    def _no_connection(self, error: OSError) -> str:
        """Say why no connection was made, and what to do."""
        if isinstance(error, ssl.SSLCertVerificationError):
            return (
                f"The broker at {self} shows a certificate that is not trusted ({error.verify_message.rstrip('.')})."
                " Point WIJKENERGIE_MQTT_CA at its authority's certificate, and use the name the certificate is for."
            )
        if isinstance(error, ssl.SSLError):
            return (
                f"The broker at {self} does not come to terms about TLS."
                " Name its encrypted port in WIJKENERGIE_MQTT_URL, or look at its log."
            )
        reason = error.strerror or str(error) or "no answer"
        return f"The broker at {self} cannot be reached ({reason}). Start it, or correct WIJKENERGIE_MQTT_URL."

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"
