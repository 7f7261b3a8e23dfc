"""The blocks a document is made of: already in words and figures, only to be laid out (statement.typ)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

Block = dict[str, Any]


@dataclass(frozen=True)
class Paper:
    """A whole document.

    ``page`` holds the words around the page numbers, with ``{page}`` and ``{pages}`` in their places.
    """

    lang: str
    region: str
    title: str
    author: str
    subtitle: str
    status: str
    footer: str
    page: str
    blocks: tuple[Block, ...]
    landscape: bool = False


@dataclass(frozen=True)
class Column:
    """A column of a table; ``wide`` columns take the room that is left."""

    title: str
    align: Literal["left", "right"] = "left"
    wide: bool = field(default=False, kw_only=True)


def heading(text: str) -> Block:
    """Return a heading of the second level."""
    return {"kind": "heading", "text": text}


def paragraph(*sentences: str) -> Block:
    """Return a paragraph."""
    return {"kind": "text", "text": " ".join(sentences)}


def lead(text: str, *notes: str) -> Block:
    """Return what the reader should see first."""
    return {"kind": "lead", "text": text, "notes": notes}


def table(columns: Sequence[Column], rows: Sequence[Sequence[str]], totals: Sequence[Sequence[str]] = ()) -> Block:
    """Return a table; rows of totals stand out."""
    return {"kind": "table", "columns": [asdict(column) for column in columns], "rows": rows, "totals": totals}


def bar(part: int, alt: str, left: str, right: str) -> Block:
    """Return a bar of which ``part`` percent is filled, told in words by ``alt``, with a label at each end."""
    return {"kind": "bar", "part": part, "alt": alt, "left": left, "right": right}


def bullets(*items: str) -> Block:
    """Return a list of sentences."""
    return {"kind": "list", "items": items}


def code(label: str, text: str) -> Block:
    """Return a long mark, such as a hash, under its name."""
    return {"kind": "code", "label": label, "text": text}
