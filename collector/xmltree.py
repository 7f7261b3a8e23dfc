"""XML answers as the same kind of tree as JSON, so that one sort of path leads into both.

An element is an object with its attributes (``@unit``), its children by name (a list where a name comes twice) and its
text (``#text``); one that has only text is that text. Namespaces are left out of names.
"""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree as ET

from collector.payload import XML_TEXT
from collector.refusal import NoValue


def tree_of(content: bytes) -> Any:
    """Read an XML document.

    Raises
    ------
    NoValue
        If it is none, or declares entities, which no device needs and which can make a small document enormous.
    """
    if b"<!" in content.replace(b"<!--", b""):
        raise NoValue("unreadable", "the answer declares a document type, which no device needs")
    try:
        root = ET.fromstring(content)  # noqa: S314 - entities, the danger meant, were refused above
    except (ET.ParseError, ValueError, RecursionError):
        raise NoValue("unreadable", "the answer is not XML") from None
    return {_name(root.tag): _element(root)}


def _element(element: ET.Element) -> Any:
    found: dict[str, Any] = {f"@{_name(name)}": value for name, value in element.attrib.items()}
    for child in element:
        name, inner = _name(child.tag), _element(child)
        if name in found:
            known = found[name]
            found[name] = [*known, inner] if isinstance(known, list) else [known, inner]
        else:
            found[name] = inner
    text = (element.text or "").strip()
    if not found:
        return text
    return found | {XML_TEXT: text} if text else found


def _name(tag: str) -> str:
    return tag.rpartition("}")[2]
