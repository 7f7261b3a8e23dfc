"""Where a device is reached.

modbus-tcp://host:502/1                            a Modbus TCP server and the unit behind it
rtu-over-tcp://host:port/1                         RTU frames through a plain serial-to-network gateway
modbus-rtu:/dev/ttyUSB0?baud=9600&parity=N&stop=1#1   RTU on a serial port of this machine
http://host:port/prefix?secret=boiler              what goes before the requests of the profile
mbus-tcp://host:port/5                             M-Bus behind a gateway; a primary or a secondary address
mbus-serial:/dev/ttyUSB1?baud=2400#5               M-Bus on a serial port of this machine
mqtt:topic-or-prefix
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal
from urllib.parse import parse_qsl, urlsplit

from core.errors import BadInput

_LAST_PORT: Final = 65535
_LAST_UNIT: Final = 255
_LAST_PRIMARY: Final = 250
_MODBUS_PORT: Final = 502
_LONGEST_TOPIC: Final = 200
_RATES: Final = (300, 600, 1200, 2400, 4800, 9600, 19200, 38400, 57600, 115200)
_FORMS: Final = {
    "modbus-tcp": "modbus-tcp://host:port/unit, like modbus-tcp://192.168.1.20:502/1",
    "rtu-over-tcp": "rtu-over-tcp://host:port/unit, like rtu-over-tcp://192.168.1.21:4196/1",
    "modbus-rtu": "modbus-rtu:port?options#unit, like modbus-rtu:/dev/ttyUSB0?baud=9600&parity=N&stop=1#1",
    "http": "http://host:port/prefix, like http://192.168.1.22 or http://192.168.1.22/api?secret=name",
    "https": "https://host:port/prefix, like https://192.168.1.22 or https://192.168.1.22/api?secret=name",
    "mbus-tcp": "mbus-tcp://host:port/address, like mbus-tcp://192.168.1.23:10001/5 or .../12345678FFFFFFFF",
    "mbus-serial": "mbus-serial:port?options#address, like mbus-serial:/dev/ttyUSB1?baud=2400#5",
}

PLACEHOLDER: Final = "{secret}"
"""Stands for the secret in the address of a web server that wants it there."""

Parity = Literal["N", "E", "O"]


@dataclass(frozen=True)
class TcpPort:
    """A port of a device or gateway."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


@dataclass(frozen=True)
class SerialPort:
    """A serial port of this machine; always 8 data bits."""

    path: str
    baud: int
    parity: Parity
    stop: int

    def __str__(self) -> str:
        return self.path


Port = TcpPort | SerialPort


@dataclass(frozen=True)
class ModbusLink:
    """A unit on a Modbus line; ``rtu`` says whether frames are RTU frames, which carry no transaction number."""

    port: Port
    rtu: bool
    unit: int


@dataclass(frozen=True)
class MbusLink:
    """A meter on an M-Bus line: ``address`` is a number (primary) or 16 hexadecimal digits (secondary)."""

    port: Port
    address: int | str


@dataclass(frozen=True)
class HttpLink:
    """A web server: ``base`` goes before every request; ``secret`` names a file, see `collector.secret`."""

    port: TcpPort
    base: str
    secret: str | None


@dataclass(frozen=True)
class MqttLink:
    """A topic, or the part of it that devices of one kind differ in."""

    prefix: str

    def topic(self, suffix: str) -> str:
        """Full topic of one kind of message of this device."""
        return f"{self.prefix}/{suffix}" if suffix else self.prefix


PolledLink = ModbusLink | MbusLink | HttpLink
Link = PolledLink | MqttLink


def parse_link(text: str) -> Link:
    """Read a link.

    Raises
    ------
    BadInput
        If it is none; the message is a whole sentence.
    """
    if text.startswith("mqtt:"):
        prefix = text.removeprefix("mqtt:").strip("/")
        if not prefix or len(prefix) > _LONGEST_TOPIC or any(sign in prefix for sign in "+#\0"):
            raise BadInput(f"'{text}' is not a link: after 'mqtt:' comes a topic without + and #.")
        return MqttLink(prefix)
    scheme = text.partition(":")[0]
    if scheme not in _READERS:
        known = ", ".join(f"{name}:" for name in (*_READERS, "mqtt"))
        raise BadInput(f"'{text}' is not a link; it must start with one of {known}.")
    if scheme in ("http", "https") and "@" in text:
        raise BadInput("A link holds no user and password; put them in a file and name it with ?secret=name.")
    try:
        return _READERS[scheme](text)
    except ValueError:
        raise BadInput(f"'{text}' is not a link; write {_FORMS[scheme]}.") from None


def _modbus_tcp(text: str) -> ModbusLink:
    port, unit = _tcp(text, _MODBUS_PORT)
    return ModbusLink(port, rtu=False, unit=_number(unit, _LAST_UNIT))


def _rtu_over_tcp(text: str) -> ModbusLink:
    port, unit = _tcp(text, None)
    return ModbusLink(port, rtu=True, unit=_number(unit, _LAST_UNIT, 1))  # 0 is for all, and none answers


def _modbus_rtu(text: str) -> ModbusLink:
    port, unit = _serial(text, 9600, "N")
    return ModbusLink(port, rtu=True, unit=_number(unit, _LAST_UNIT, 1))  # 0 is for all, and none answers


def _mbus_tcp(text: str) -> MbusLink:
    port, address = _tcp(text, None)
    return MbusLink(port, _meter(address))


def _mbus_serial(text: str) -> MbusLink:
    port, address = _serial(text, 2400, "E")
    return MbusLink(port, _meter(address))


def _http(text: str) -> HttpLink:
    parts = urlsplit(text)
    given = dict(parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query)))
    secret = given.pop("secret", None)
    if not parts.hostname or parts.fragment or given:
        raise ValueError
    if secret is not None and not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", secret):
        raise ValueError
    port = TcpPort(parts.hostname, parts.port or {"http": 80, "https": 443}[parts.scheme])
    return HttpLink(port, f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/')}", secret)


def _tcp(text: str, default: int | None) -> tuple[TcpPort, str]:
    """Split ``scheme://host:port/address``."""
    parts = urlsplit(text)
    port = parts.port if parts.port is not None else default
    if not parts.hostname or parts.username is not None or parts.query or parts.fragment:
        raise ValueError
    if port is None or not 1 <= port <= _LAST_PORT:
        raise ValueError
    return TcpPort(parts.hostname, port), parts.path.strip("/")


def _serial(text: str, baud: int, parity: Parity) -> tuple[SerialPort, str]:
    """Split ``scheme:/dev/name?baud=9600&parity=N&stop=1#address``."""
    parts = urlsplit(text)
    given = dict(parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query)))
    rate = int(given.pop("baud", baud))
    bits = int(given.pop("stop", 1))
    wanted = given.pop("parity", parity)
    letter: Parity | None = next((known for known in _PARITIES if known == wanted), None)
    if parts.netloc or not parts.path.startswith("/") or given or rate not in _RATES or bits not in (1, 2):
        raise ValueError
    if letter is None:
        raise ValueError
    return SerialPort(parts.path, rate, letter, bits), parts.fragment


def _meter(text: str) -> int | str:
    if re.fullmatch(r"[0-9A-Fa-f]{16}", text):
        return text.upper()
    return _number(text, _LAST_PRIMARY)


def _number(text: str, last: int, first: int = 0) -> int:
    if not re.fullmatch(r"[0-9]{1,3}", text) or not first <= int(text) <= last:
        raise ValueError
    return int(text)


_PARITIES: Final[tuple[Parity, ...]] = ("N", "E", "O")
_READERS: Final[dict[str, Callable[[str], PolledLink]]] = {
    "modbus-tcp": _modbus_tcp,
    "rtu-over-tcp": _rtu_over_tcp,
    "modbus-rtu": _modbus_rtu,
    "http": _http,
    "https": _http,
    "mbus-tcp": _mbus_tcp,
    "mbus-serial": _mbus_serial,
}
