"""XML answers as the same kind of tree as JSON, so that one sort of path leads into both.

An element is an object with its attributes (``@unit``), its children by name (a list where a name comes twice) and its
text (``#text``); one that has only text is that text. Namespaces are left out of names.
"""

from __future__ import annotations

from typing import Any, Final
from xml.parsers import expat

from collector.payload import LARGEST, XML_TEXT
from collector.refusal import NoValue

_DEEPEST: Final = 50
"""Elements inside one another; the answers of boilers have three."""


def tree_of(content: bytes) -> Any:
    """Read an XML document.

    Raises
    ------
    NoValue
        If it is none, is larger or deeper than any device's, or declares a document type: no device needs one, and the
        entities in it can make a small document enormous or name files of this machine.
    """
    if len(content) > LARGEST:
        raise NoValue("unreadable", f"the answer is larger than {LARGEST} bytes")
    builder = _Builder()
    parser = expat.ParserCreate(namespace_separator="}")
    parser.buffer_text = True
    parser.StartDoctypeDeclHandler = builder.doctype
    parser.StartElementHandler = builder.start
    parser.EndElementHandler = builder.end
    parser.CharacterDataHandler = builder.text
    try:
        parser.Parse(content, True)
    except (expat.ExpatError, LookupError, ValueError):  # bad XML, an unknown encoding, or one of several bytes
        raise NoValue("unreadable", "the answer is not XML") from None
    return builder.tree


class _Builder:
    """Builds the tree while the document is read; open elements wait on a stack, the document itself at its foot."""

    def __init__(self) -> None:
        self.tree: dict[str, Any] = {}
        self._open: list[tuple[str, dict[str, Any], list[str]]] = [("", self.tree, [])]

    def doctype(self, *_: object) -> None:
        raise NoValue("unreadable", "the answer declares a document type, which no device needs")

    def start(self, name: str, attributes: dict[str, str]) -> None:
        if len(self._open) > _DEEPEST:
            raise NoValue("unreadable", f"the answer has more than {_DEEPEST} elements inside one another")
        found = {f"@{_name(key)}": value for key, value in attributes.items()}
        self._open.append((_name(name), found, []))

    def text(self, content: str) -> None:
        self._open[-1][2].append(content)

    def end(self, _: str) -> None:
        name, found, pieces = self._open.pop()
        text = "".join(pieces).strip()
        inner: Any = (found | {XML_TEXT: text} if text else found) if found else text
        parent = self._open[-1][1]
        known = parent.get(name)
        if name not in parent:
            parent[name] = inner
        elif isinstance(known, list):
            known.append(inner)
        else:
            parent[name] = [known, inner]


def _name(tag: str) -> str:
    return tag.rpartition("}")[2]
