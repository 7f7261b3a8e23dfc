"""What devices sent, before anybody gave it a meaning; also the file format of recorded data.

    {"registers": [{"function": 3, "start": 40000, "values": [21365, 28243, 1]}], "at": "2026-01-01T12:00:00Z"}
    {"messages": [{"topic": "flats/A01/dsmr/json", "payload": "{...}", "retained": false, "at": "..."}]}
    {"documents": [{"path": "/api/v1/data", "body": "..."}], "at": "..."}
    {"frames": ["68F7F768..."], "at": "..."}

A recording may also hold ``about`` (where it comes from), ``silo`` (the shape of the silo a level sensor looks into, as
in the community file) and ``expect`` (what it should decode to).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError

from core.community import Silo
from core.errors import BadInput
from core.time import parse_time, rfc3339

_KNOWN: Final = frozenset({"registers", "messages", "documents", "frames", "at", "about", "silo", "expect"})
_WORD: Final = 0xFFFF
_FUNCTIONS: Final = frozenset({1, 2, 3, 4})


@dataclass(frozen=True)
class Registers:
    """A run of 16-bit registers as one reply brought them; ``error`` says why a device refused the run."""

    function: int
    start: int
    values: tuple[int, ...]
    error: str | None = None
    count: int = 0
    """How many were asked for, where that is known [registers]."""


@dataclass(frozen=True)
class Message:
    """An MQTT message; ``at`` is when it arrived."""

    topic: str
    payload: bytes
    at: datetime | None
    retained: bool = False
    duplicate: bool = False


@dataclass(frozen=True)
class Document:
    """The answer to one HTTP request."""

    path: str
    body: bytes


@dataclass(frozen=True)
class Raw:
    """All that belongs together: one poll, or one message; ``at`` is when it was read.

    ``silo`` is no data of the device but what a distance means where it hangs.
    """

    at: datetime | None = None
    registers: tuple[Registers, ...] = ()
    messages: tuple[Message, ...] = ()
    documents: tuple[Document, ...] = ()
    frames: tuple[bytes, ...] = ()
    silo: Silo | None = None


def load(path: Path) -> Raw:
    """Read a recording.

    Raises
    ------
    BadInput
        If the file cannot be read or is not as described; the message names file and field.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise BadInput(f"{path}: the file cannot be read: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise BadInput(f"{path}: this is not UTF-8 text; save the file as UTF-8.") from None
    return parse(text, path.name)


def parse(text: str, source: str) -> Raw:
    """Read a recording's text; see `load`."""
    try:
        tree = json.loads(text)
    except ValueError as error:
        line = f":{error.lineno}" if isinstance(error, json.JSONDecodeError) else ""
        raise BadInput(f"{source}{line}: this is not JSON.") from None
    except RecursionError:
        raise BadInput(f"{source}: this is nested too deeply to be recorded data.") from None
    if not isinstance(tree, dict):
        raise BadInput(
            f"{source}: the file must hold one object with 'registers', 'messages', 'documents' or 'frames'."
        )
    reader = _Reader(source)
    for name in tree:
        if name not in _KNOWN:
            raise BadInput(f"{source}: {name}: unknown field; known are {', '.join(sorted(_KNOWN))}.")
    at = reader.time(tree, "at")
    raw = Raw(
        at,
        tuple(reader.registers(item, f"registers[{i}]") for i, item in enumerate(reader.items(tree, "registers"))),
        tuple(reader.message(item, f"messages[{i}]", at) for i, item in enumerate(reader.items(tree, "messages"))),
        tuple(reader.document(item, f"documents[{i}]") for i, item in enumerate(reader.items(tree, "documents"))),
        tuple(reader.frame(item, f"frames[{i}]") for i, item in enumerate(reader.items(tree, "frames"))),
        reader.silo(tree.get("silo")),
    )
    if not (raw.registers or raw.messages or raw.documents or raw.frames):
        raise BadInput(f"{source}: there is nothing to decode; add 'registers', 'messages', 'documents' or 'frames'.")
    if at is None and not raw.messages:
        raise BadInput(f"{source}: at: this field is missing; say when the data was read, like 2026-01-01T12:00:00Z.")
    return raw


def dump(raw: Raw) -> dict[str, Any]:
    """Turn raw data into the tree of a recording; the inverse of `parse`."""
    tree: dict[str, Any] = {}
    if raw.registers:
        tree["registers"] = [_registers_tree(block) for block in raw.registers]
    if raw.messages:
        tree["messages"] = [_message_tree(message) for message in raw.messages]
    if raw.documents:
        tree["documents"] = [{"path": item.path, **_text("body", item.body)} for item in raw.documents]
    if raw.frames:
        tree["frames"] = [frame.hex().upper() for frame in raw.frames]
    if raw.at is not None:
        tree["at"] = rfc3339(raw.at)
    return tree


def _registers_tree(block: Registers) -> dict[str, Any]:
    tree: dict[str, Any] = {"function": block.function, "start": block.start, "values": list(block.values)}
    return tree if block.error is None else {**tree, "error": block.error, "count": block.count}


def _message_tree(message: Message) -> dict[str, Any]:
    tree = {"topic": message.topic, **_text("payload", message.payload), "retained": message.retained}
    if message.duplicate:
        tree["duplicate"] = True
    return tree if message.at is None else {**tree, "at": rfc3339(message.at)}


def _text(name: str, content: bytes) -> dict[str, str]:
    try:
        return {name: content.decode()}
    except UnicodeDecodeError:
        return {f"{name}_hex": content.hex()}


class _Reader:
    """Reads the parts of a recording and names the place of a fault."""

    def __init__(self, source: str) -> None:
        self._source = source

    def wrong(self, place: str, what: str) -> BadInput:
        return BadInput(f"{self._source}: {place}: {what}.")

    def items(self, tree: dict[str, Any], name: str) -> list[Any]:
        items = tree.get(name, [])
        if not isinstance(items, list):
            raise self.wrong(name, "this must be a list")
        return items

    def field(self, item: Any, place: str, name: str, kind: type) -> Any:
        if not isinstance(item, dict):
            raise self.wrong(place, "this must be an object")
        value = item.get(name)
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            wanted = {int: "a whole number", str: "a text", list: "a list"}[kind]
            raise self.wrong(f"{place}.{name}", f"this must be {wanted}")
        return value

    def time(self, item: dict[str, Any], name: str, place: str = "") -> datetime | None:
        text = item.get(name)
        if text is None:
            return None
        try:
            return parse_time(str(text))
        except ValueError as error:
            raise self.wrong(f"{place}{name}", f"'{text}' is {error}") from None

    def registers(self, item: Any, place: str) -> Registers:
        function = self.field(item, place, "function", int)
        start = self.field(item, place, "start", int)
        values = self.field(item, place, "values", list)
        if function not in _FUNCTIONS:
            raise self.wrong(f"{place}.function", f"{function} does not read registers; use 3 or 4")
        for value in values:
            if type(value) is not int or not 0 <= value <= _WORD:
                raise self.wrong(f"{place}.values", f"{value!r} is not a register; use whole numbers from 0 to 65535")
        if not 0 <= start <= _WORD or start + len(values) > _WORD + 1:
            raise self.wrong(f"{place}.start", "registers are numbered from 0 to 65535, as on the wire")
        error = item.get("error")
        count = item.get("count", len(values))
        if type(count) is not int or not 0 <= count <= _WORD:
            raise self.wrong(f"{place}.count", "this must be a whole number")
        return Registers(function, start, tuple(values), None if error is None else str(error), count)

    def message(self, item: Any, place: str, at: datetime | None) -> Message:
        topic = self.field(item, place, "topic", str)
        payload = self.content(item, place, "payload")
        own = self.time(item, "at", f"{place}.")
        return Message(topic, payload, own or at, item.get("retained") is True, item.get("duplicate") is True)

    def document(self, item: Any, place: str) -> Document:
        return Document(self.field(item, place, "path", str), self.content(item, place, "body"))

    def content(self, item: Any, place: str, name: str) -> bytes:
        if isinstance(item, dict) and f"{name}_hex" in item:
            return self.frame(item[f"{name}_hex"], f"{place}.{name}_hex")
        text: str = self.field(item, place, name, str)
        return text.encode(errors="surrogatepass")

    def silo(self, item: Any) -> Silo | None:
        try:
            return None if item is None else Silo.model_validate(item)
        except ValidationError as error:
            where = ".".join(map(str, ("silo", *error.errors()[0]["loc"])))
            raise self.wrong(where, "this is not the shape of a silo as the community file has it") from None

    def frame(self, item: Any, place: str) -> bytes:
        try:
            return bytes.fromhex(str(item))
        except ValueError:
            raise self.wrong(place, "this is not hexadecimal") from None
