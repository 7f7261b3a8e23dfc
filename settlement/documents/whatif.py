"""The comparison of sharing rules as a drawing: a row per rule, a mark per home, today's rule in the middle.

Made for a phone: 360 units wide and as long as it must be. A home that gains is a filled disc right of the middle, one
that loses an open diamond left of it, so that shape and place tell what colour tells. Each row says its largest loss
and gain in words; title and description tell it to who cannot see it.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from html import escape
from itertools import groupby

from core.money import half_up
from core.units import decimal_text
from settlement.documents.wording import Wording
from settlement.whatif.compare import Comparison, Tried

_WIDTH, _LEFT, _RIGHT = 360, 14, 346
_MIDDLE = (_LEFT + _RIGHT) // 2
_REACH = _RIGHT - _MIDDLE - 8
_TOP, _HEADING, _ROW, _NOTE, _BOTTOM = 116, 30, 58, 18, 16
_INK, _SOFT, _LINE = "#1a1a1a", "#595959", "#bdbdbd"
_GAIN, _LOSS = "#00635d", "#b03a00"


@dataclass(frozen=True)
class Row:
    """A rule: what it is called, and the gain of every flat [cents], in the file's order."""

    division: str
    surplus: str
    today: bool
    gains: tuple[tuple[str, int], ...]

    @property
    def worst(self) -> tuple[str, int]:
        """Flat that loses most (or gains least)."""
        return min(self.gains, key=lambda gain: gain[1])

    @property
    def best(self) -> tuple[str, int]:
        """Flat that gains most."""
        return max(self.gains, key=lambda gain: gain[1])


def drawing(comparison: Comparison, words: Wording) -> str:
    """Draw the comparison as SVG; where a day has no grid price, only a sentence that says why there is nothing.

    Parameters
    ----------
    comparison
        Rules side by side.
    words
        In the language of the building.
    """
    rows = _rows(comparison, words)
    notes = _notes(comparison, words)
    months = comparison.months
    span = f"{words.month(str(months[0].month))} \N{EN DASH} {words.month(str(months[-1].month))}"
    title = words.say("What if we divide the sun differently?")
    headings = len({row.division for row in rows})
    below = _TOP + headings * _HEADING + len(rows) * _ROW
    height = below + len(notes) * _NOTE + _BOTTOM
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}"'
        f' role="img" aria-labelledby="whatif-title whatif-desc" lang="{words.language}"'
        ' font-family="system-ui, sans-serif" style="max-width: 40rem; width: 100%; height: auto">',
        f'<title id="whatif-title">{escape(title)}</title>',
        f'<desc id="whatif-desc">{escape(_described(rows, span, notes, words))}</desc>',
        f'<rect width="{_WIDTH}" height="{height}" fill="#ffffff"/>',
        _text(_LEFT, 24, title, 15, weight=700),
        _text(_LEFT, 42, f"{comparison.community.name} · {span}", 12, _SOFT),
        *_legend(words),
    ]
    most = max((abs(gain) for row in rows for _, gain in row.gains), default=0)
    y = _TOP
    for division, group in groupby(rows, key=lambda row: row.division):
        parts.append(_text(_LEFT, y + 20, division, 13, weight=700))
        y += _HEADING
        for row in group:
            parts += _row(row, y, most, words)
            y += _ROW
    parts += [_text(_LEFT, below + 12 + number * _NOTE, note, 11) for number, note in enumerate(notes)]
    return "\n".join([*parts, "</svg>"]) + "\n"


def _rows(comparison: Comparison, words: Wording) -> list[Row]:
    return [_row_of(comparison, one, words) for one in comparison.tried] if comparison.priced else []


def _row_of(comparison: Comparison, one: Tried, words: Wording) -> Row:
    key = words.key(one.candidate.key)
    division = words.say("%(key)s, by floor area", key=key) if one.candidate.weights == "floor_area" else key
    gains = ((flat.id, comparison.gain_of_flat(one.outcome, flat.id) or 0) for flat in comparison.community.flats)
    surplus = {
        "owner": words.say("what is left is sold for the owner"),
        "community": words.say("what is left is sold for everyone"),
        "unused_share": words.say("what is left is sold for whose it was"),
    }[one.candidate.surplus]
    return Row(division[:1].upper() + division[1:], surplus, one.candidate.today, tuple(gains))


def _notes(comparison: Comparison, words: Wording) -> list[str]:
    found = []
    if not comparison.priced:
        found.append(words.say("There is no grid price, so we cannot compare."))
    for one in comparison.months:
        month = words.month(str(one.month))
        if not one.counted:
            found.append(words.say("%(month)s does not count: no readings.", month=month))
        elif one.missing:
            part = words.percent(decimal_text(half_up(Fraction(one.missing * 10_000, one.intervals)), 2))
            found.append(words.say("%(month)s: %(part)s of the readings is missing.", month=month, part=part))
    return found


def _described(rows: list[Row], span: str, notes: list[str], words: Wording) -> str:
    sentences = [words.say("Each home's gain or loss against today's rule, %(span)s.", span=span)]
    for row in rows:
        told = (
            words.say("This is today's rule.") if row.today else f"{_said(row.worst, words)}; {_said(row.best, words)}."
        )
        sentences.append(f"{row.division}, {row.surplus}: {told}")
    return " ".join([*sentences, *notes])


def _said(gain: tuple[str, int], words: Wording) -> str:
    flat, cents = gain
    amount = words.euro(decimal_text(abs(cents), 2))
    if cents < 0:
        return words.say("home %(flat)s loses %(amount)s", flat=flat, amount=amount)
    return words.say("home %(flat)s gains %(amount)s", flat=flat, amount=amount)


def _legend(words: Wording) -> list[str]:
    loses, gains = words.say("A home that pays more"), words.say("A home that pays less")
    return [
        _mark(_LEFT + 5, 60, -1),
        _text(_LEFT + 16, 64, loses, 12),
        _mark(_LEFT + 5, 80, 1),
        _text(_LEFT + 16, 84, gains, 12),
        f'<path d="M{_LEFT + 5} 93V107" stroke="{_INK}" stroke-width="1.5"/>',
        _text(_LEFT + 16, 104, words.say("middle: as it is now"), 12),
    ]


def _row(row: Row, y: int, most: int, words: Wording) -> list[str]:
    label = words.say("%(rule)s (today's rule)", rule=row.surplus) if row.today else row.surplus
    line = y + 26
    parts = [
        _text(_LEFT, y + 12, label, 12),
        f'<path d="M{_LEFT} {line}H{_RIGHT}" stroke="{_LINE}"/>',
        f'<path d="M{_MIDDLE} {line - 9}V{line + 9}" stroke="{_INK}" stroke-width="1.5"/>',
    ]
    if row.today:
        return parts
    for flat, gain in row.gains:
        if gain:
            x = _MIDDLE + Fraction(gain * _REACH, most)
            parts.append(f"<g><title>{escape(_said((flat, gain), words))}</title>{_mark(x, line, gain)}</g>")
    left, right = row.worst, row.best
    parts.append(_text(_LEFT, y + 46, _said(left, words), 11, _LOSS if left[1] < 0 else _GAIN))
    parts.append(_text(_RIGHT, y + 46, _said(right, words), 11, _LOSS if right[1] < 0 else _GAIN, anchor="end"))
    return parts


def _mark(x: Fraction | int, y: int, gain: int) -> str:
    at = f"{Decimal(x.numerator) / Decimal(x.denominator):.2f}"
    if gain > 0:
        style = f'fill="{_GAIN}" fill-opacity="0.75" stroke="#ffffff" stroke-width="0.5"'
        return f'<circle cx="{at}" cy="{y}" r="4.5" {style}/>'
    return f'<path d="M{at} {y - 6}l5 6l-5 6l-5 -6z" fill="none" stroke="{_LOSS}" stroke-width="1.5"/>'


def _text(x: int, y: int, text: str, size: int, colour: str = _INK, *, weight: int = 400, anchor: str = "start") -> str:
    bold = f' font-weight="{weight}"' if weight != 400 else ""  # noqa: PLR2004 - CSS's name for regular
    end = f' text-anchor="{anchor}"' if anchor != "start" else ""
    return f'<text x="{x}" y="{y}" font-size="{size}" fill="{colour}"{bold}{end}>{escape(text)}</text>'
