"""What a PDF really says: the glyphs on its pages, turned back into letters by the tables its fonts carry."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator

import pikepdf

_RANGES = re.compile(r"beginbf(char|range)(.*?)endbf", re.DOTALL)
_CODES = re.compile(r"<([0-9A-Fa-f]+)>")


def text_of(pdf: bytes) -> str:
    """Letters of all pages in the order they are drawn, without any white space."""
    with pikepdf.open(io.BytesIO(pdf)) as opened:
        return re.sub(r"\s", "", "".join(letters for page in opened.pages for letters in _drawn(page)))


def _drawn(page: pikepdf.Page) -> Iterator[str]:
    fonts = {name: _letters(font.ToUnicode.read_bytes().decode()) for name, font in page.Resources.Font.items()}
    letters: dict[int, str] = {}
    for operands, operator in pikepdf.parse_content_stream(page):
        if str(operator) == "Tf":
            letters = fonts[str(operands[0])]
        elif str(operator) in ("Tj", "TJ"):
            parts = operands[0] if str(operator) == "TJ" else operands
            for part in parts:
                if isinstance(part, pikepdf.String):
                    drawn = bytes(part)
                    yield "".join(letters[drawn[at] << 8 | drawn[at + 1]] for at in range(0, len(drawn), 2))


def _letters(cmap: str) -> dict[int, str]:
    found: dict[int, str] = {}
    for kind, body in _RANGES.findall(cmap):
        for line in body.strip().splitlines():
            codes = _CODES.findall(line)
            if not codes:
                continue
            text = bytes.fromhex(codes[-1]).decode("utf-16-be")
            first = int(codes[0], 16)
            for code in range(first, int(codes[1], 16) + 1 if kind == "range" else first + 1):
                found[code] = text[:-1] + chr(ord(text[-1]) + code - first)
    return found
