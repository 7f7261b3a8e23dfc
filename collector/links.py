"""Where a device is reached: ``modbus-tcp://host:port/unit`` or ``mqtt:topic-or-prefix``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from core.errors import BadInput

_LAST_PORT: Final = 65535
_LAST_UNIT: Final = 255
_MODBUS_PORT: Final = 502
_LONGEST_TOPIC: Final = 200


@dataclass(frozen=True)
class ModbusLink:
    """A Modbus TCP server and the unit behind it."""

    host: str
    port: int
    unit: int


@dataclass(frozen=True)
class MqttLink:
    """A topic, or the part of it that devices of one kind differ in."""

    prefix: str

    def topic(self, suffix: str) -> str:
        """Full topic of one kind of message of this device."""
        return f"{self.prefix}/{suffix}" if suffix else self.prefix


Link = ModbusLink | MqttLink


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
    if text.startswith("modbus-tcp://"):
        return _modbus(text)
    raise BadInput(f"'{text}' is not a link; write modbus-tcp://192.168.1.20:502/1 or mqtt:flats/A01.")


def _modbus(text: str) -> ModbusLink:
    wrong = BadInput(
        f"'{text}' is not a link; write modbus-tcp://host:port/unit, like modbus-tcp://192.168.1.20:502/1."
    )
    try:
        parts = urlsplit(text)
        port = parts.port if parts.port is not None else _MODBUS_PORT
    except ValueError:
        raise wrong from None
    unit = parts.path.strip("/")
    if not parts.hostname or not unit.isascii() or not unit.isdigit() or parts.query or parts.fragment:
        raise wrong
    if not 1 <= port <= _LAST_PORT or int(unit) > _LAST_UNIT:
        raise wrong
    return ModbusLink(parts.hostname, port, int(unit))
