"""SunSpec: find the models a device has, and read points with their scale factors.

The models are data (``sunspec.yaml``, from the public model definitions). A device lists its models behind the marker
"SunS": id, length, body, next id, until the end block 0xFFFF. Function 3 everywhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Final, NamedTuple

from pydantic import BaseModel, ConfigDict

from collector.quantities import EXACT
from collector.refusal import NoValue
from collector.registers import WORDS, Memory, Number, bits_text, number
from core.fields import Whole
from core.yamltext import read

FUNCTION: Final = 3
MARKER: Final = (0x5375, 0x6E53)
END: Final = 0xFFFF
HEADER: Final = 2  # [registers] id and length
MOST_MODELS: Final = 64
_LARGEST_SCALE: Final = 10
_NOT_IMPLEMENTED: Final[dict[str, int]] = {
    "int16": 0x8000, "sunssf": 0x8000, "uint16": 0xFFFF, "enum16": 0xFFFF, "acc16": 0,
    "int32": 0x80000000, "uint32": 0xFFFFFFFF, "acc32": 0,
    "int64": 0x8000000000000000, "uint64": 0xFFFFFFFFFFFFFFFF, "acc64": 0,
}  # fmt: skip


class ModelPoint(BaseModel):
    """A point of a model: offset from the model's id register, type, and the point that holds its scale factor."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    at: Whole
    type: str
    sf: str | None = None


class Model(BaseModel):
    """A SunSpec model, as far as it is used here."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    ids: tuple[Whole, ...]
    points: dict[str, ModelPoint]


class Place(NamedTuple):
    """Where a device keeps a model: address of its id register, and its length as the device states it."""

    at: int
    length: int


@cache
def models() -> dict[int, Model]:
    """Return the known models by id."""
    file = Path(__file__).with_name("sunspec.yaml")
    tree, _ = read(file.read_text(encoding="utf-8"), file.name)
    known = [Model.model_validate(entry) for entry in tree["models"]]
    return {number: model for model in known for number in model.ids}


def split(name: str) -> tuple[int, str]:
    """Take ``103:WH`` apart."""
    model, point = name.split(":")
    return int(model), point


def find_models(memory: Memory, bases: Sequence[int]) -> dict[int, Place]:
    """Walk the model chain of a device.

    Returns
    -------
    dict
        Place of each model by id, the first where a model occurs twice. A chain that breaks off gives what was found
        up to there.

    Raises
    ------
    NoValue
        If there is no marker.
    """
    for base in bases:
        try:
            if memory.words(FUNCTION, base, 2) == MARKER:
                break
        except NoValue:
            continue
    else:
        raise NoValue("missing", f"no SunSpec marker at {', '.join(map(str, bases))}")
    places: dict[int, Place] = {}
    address = base + len(MARKER)
    for _ in range(MOST_MODELS):
        try:
            number, length = memory.words(FUNCTION, address, HEADER)
        except NoValue:
            break
        if number == END:
            break
        places.setdefault(number, Place(address, length))
        address += HEADER + length
    return places


def choose(places: dict[int, Place], names: Sequence[str]) -> tuple[int, str]:
    """Return the first alternative whose model the device has: a counter never hops between models.

    Raises
    ------
    NoValue
        If it has none of them.
    """
    for name in names:
        model, point = split(name)
        if model in places:
            return model, point
    wanted = ", ".join(str(split(name)[0]) for name in names)
    raise NoValue("missing", f"the device has none of the models {wanted}")


def read_point(memory: Memory, places: dict[int, Place], names: Sequence[str]) -> Number:
    """Read a point, scaled.

    Raises
    ------
    NoValue
        If it is absent, not implemented, or its scale factor is.
    """
    model, name = choose(places, names)
    place, point = places[model], models()[model].points[name]
    found = _raw(memory, place, model, name)
    if point.sf is None:
        return found
    scale = _raw(memory, place, model, point.sf)
    if abs(scale.value) > _LARGEST_SCALE:
        raise NoValue("unreadable", f"scale factor {point.sf} is {scale.value}; it may be -10 to 10")
    return found._replace(value=found.value.scaleb(int(scale.value), EXACT))


def _raw(memory: Memory, place: Place, model: int, name: str) -> Number:
    point = models()[model].points[name]
    words = WORDS[point.type]
    if point.at + words > HEADER + place.length:
        raise NoValue("missing", f"the device's model {model} ends before {name}")
    found = number(memory.words(FUNCTION, place.at + point.at, words), point.type)
    if found.bits == _NOT_IMPLEMENTED.get(point.type):
        what = f"scale factor {name} has the " if point.type == "sunssf" else ""
        raise NoValue("no_value", f"{what}not implemented value {bits_text(found)}")
    return found
