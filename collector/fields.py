"""The fields of a profile: how a text is read as an address, a quantity, a unit or a pointer.

Each message is a clause that says what is wrong and, where it helps, what would be right.
"""

from __future__ import annotations

import difflib
import re
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from collector.quantities import DEVICE_UNITS
from core.wire import QUANTITY_UNITS

_LAST_ADDRESS = 65535


def _address(value: object) -> int:
    text = str(value)
    if not re.fullmatch(r"0x[0-9A-Fa-f]{1,4}|\d{1,5}", text) or int(text, 0) > _LAST_ADDRESS:
        raise ValueError(f"'{value}' is not an address; use 0 to 65535 or 0x0000 to 0xFFFF, as on the wire")
    return int(text, 0)


def _code(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError("this must be a text or a number")  # noqa: TRY004 - pydantic turns it into a fault
    return value


def _quantity(value: object) -> str:
    if value not in QUANTITY_UNITS:
        near = difflib.get_close_matches(str(value), QUANTITY_UNITS, 1)
        raise ValueError(
            f"'{value}' is not a quantity; " + (f"the nearest is '{near[0]}'" if near else "docs/devices.md lists them")
        )
    return str(value)


def _unit(value: object) -> str:
    if value not in DEVICE_UNITS:
        raise ValueError(f"'{value}' is not a unit; use one of {', '.join(sorted(DEVICE_UNITS - {''}))}")
    return str(value)


def _pointer(value: object) -> str:
    if not isinstance(value, str) or not value.startswith("/"):
        raise ValueError(f"'{value}' is not a path into a document; it starts with '/', like /ENERGY/Total")
    return value


def _function(value: object) -> Any:
    return int(value) if value in ("3", "4") else value


Address = Annotated[int, BeforeValidator(_address)]
Code = Annotated[str, BeforeValidator(_code)]
Function = BeforeValidator(_function)
"""Gives a function code its number: the text tree knows only text."""
Quantity = Annotated[str, BeforeValidator(_quantity)]
DeviceUnit = Annotated[str, BeforeValidator(_unit)]
Pointer = Annotated[str, BeforeValidator(_pointer)]
SunSpecName = Annotated[str, Field(pattern=r"^\d{1,5}:\w+$")]
Obis = Annotated[str, Field(pattern=r"^\d{1,3}-\d{1,3}:\d{1,3}\.\d{1,3}\.\d{1,3}$")]
Tag = Annotated[str, Field(pattern=r"^[0-9A-F]{4}$")]
"""Channel and type of a field in a sensor's bytes, in hexadecimal."""
