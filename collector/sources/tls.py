"""Encrypted connections: whom we trust, and how we show who we are. There is no way to trust everybody."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path

from core.errors import BadInput


@dataclass(frozen=True)
class Tls:
    """Files for an encrypted connection, all PEM.

    Attributes
    ----------
    authority
        Certificate of the one authority that is trusted; None for those the system trusts.
    certificate, key
        Our own, for a broker that asks for them; the key may be in the certificate's file.
    """

    authority: Path | None = None
    certificate: Path | None = None
    key: Path | None = None

    def __bool__(self) -> bool:
        return any((self.authority, self.certificate, self.key))

    def context(self) -> ssl.SSLContext:
        """Return what checks the broker's certificate and its name.

        Raises
        ------
        BadInput
            If a file cannot be read or does not hold what it should.
        """
        if self.key is not None and self.certificate is None:
            raise BadInput("WIJKENERGIE_MQTT_KEY is of no use without WIJKENERGIE_MQTT_CERT.")
        name = "WIJKENERGIE_MQTT_CA"
        try:
            context = ssl.create_default_context(cafile=self.authority)
            if self.certificate is not None:
                name = "WIJKENERGIE_MQTT_CERT"
                # A key with a password would make the library ask on the terminal, where nobody is.
                context.load_cert_chain(self.certificate, self.key, password=_no_password)
        except ssl.SSLError:
            raise BadInput(
                f"The file of {name} holds no certificate in PEM, or one that the key does not fit."
            ) from None
        except OSError as error:
            raise BadInput(f"The file of {name} cannot be read: {error.strerror}.") from None
        return context


def _no_password() -> str:
    raise BadInput("The key of WIJKENERGIE_MQTT_CERT has a password; take it off, and let nobody else read the file.")
