"""Bar charts of sun and grid as SVG, made here and readable by everyone.

Each has a title and a description for screen readers, and the page prints its numbers as a table below. Sun and grid
differ in shape (filled, outlined) and not in colour alone; estimates are hatched. All styling is in the style sheet.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from math import ceil
from typing import Final

from markupsafe import Markup

from api.pages.words import Words
from core.units import MILLIONTHS

_WIDTH: Final = 360
_HEIGHT: Final = 196
_LEFT, _RIGHT, _TOP, _BOTTOM = 34, 4, 12, 24


@dataclass(frozen=True)
class Bar:
    """One step of time: what came from the roof and from the grid [mWh]; None where nothing is known.

    ``label`` stands on the axis and may be empty; ``name`` is the whole name, for the table and the pointer.
    """

    label: str
    name: str
    sun: int | None
    grid: int | None
    estimated: bool = False

    @property
    def total(self) -> int:
        """Height of the bar [mWh]."""
        return (self.sun or 0) + (self.grid or 0)


@dataclass(frozen=True)
class Chart:
    """What a chart shows; ``name`` makes its ids unique on the page."""

    name: str
    title: str
    description: str
    bars: Sequence[Bar]


def scale(most: int) -> tuple[Fraction, int]:
    """Choose the axis for a highest bar [mWh].

    Returns
    -------
    step, count
        Distance of the lines [kWh], 1, 2 or 5 times a power of ten, and how many of them there are above zero: at
        least one, at most four, reaching at least ``most``.
    """
    wanted = max(Fraction(most, MILLIONTHS), Fraction(1, 10)) / 4
    power = Fraction(1, 100)
    while True:
        for factor in (1, 2, 5):
            if power * factor >= wanted:
                step = power * factor
                return step, max(1, ceil(Fraction(most, MILLIONTHS) / step))
        power *= 10


def svg(chart: Chart, words: Words) -> Markup:
    """Draw a chart."""
    step, count = scale(max((bar.total for bar in chart.bars), default=0))
    top = step * count * MILLIONTHS
    parts = [
        Markup(
            '<svg class="chart" viewBox="0 0 {w} {h}" role="img" aria-labelledby="{n}-title {n}-desc">'
            '<title id="{n}-title">{title}</title><desc id="{n}-desc">{desc}</desc>'
            '<defs><pattern id="{n}-hatch" width="5" height="5" patternUnits="userSpaceOnUse"'
            ' patternTransform="rotate(45)"><path class="hatch" d="M0 0V5"/></pattern></defs>'
        ).format(w=_WIDTH, h=_HEIGHT, n=chart.name, title=chart.title, desc=chart.description)
    ]
    parts += _axis(step, count, words)
    width = Fraction(_WIDTH - _LEFT - _RIGHT, max(1, len(chart.bars)))
    for index, bar in enumerate(chart.bars):
        parts += _bar(bar, _LEFT + width * index, width, top, chart.name, words)
    parts.append(Markup("</svg>"))
    return Markup("").join(parts)


def _axis(step: Fraction, count: int, words: Words) -> list[Markup]:
    decimals = 0 if step >= 1 else 1 if step >= Fraction(1, 10) else 2
    parts = []
    for index in range(count + 1):
        y = _y(Fraction(index, count))
        value = Decimal((step * index).numerator) / Decimal((step * index).denominator)
        label = words.number(value, decimals) + ("\N{NO-BREAK SPACE}kWh" if index == count else "")
        parts.append(
            Markup(
                '<path class="{kind}" d="M{x1} {y}H{x2}"/><text class="tick" x="{x}" y="{t}"{end}>{label}</text>'
            ).format(
                kind="axis" if index == 0 else "line",
                x1=_LEFT,
                x2=_WIDTH - _RIGHT,
                y=_number(y),
                x=0 if index == count else _LEFT - 5,
                t=_number(y - 3 if index == count else y + 4),
                end="" if index == count else Markup(' text-anchor="end"'),
                label=label,
            )
        )
    return parts


def _bar(bar: Bar, x: Fraction, width: Fraction, top: Fraction, name: str, words: Words) -> list[Markup]:
    parts = []
    gap = min(Fraction(3), width / 5)
    left, wide = x + gap / 2, width - gap
    if bar.total:
        sun, whole = (bar.sun or 0) / top, bar.total / top
        roof, grid = words.gettext("roof"), words.gettext("grid")
        pointer = f"{bar.name}: {roof} {words.kwh(bar.sun)}, {grid} {words.kwh(bar.grid)}"
        parts.append(Markup("<g><title>{}</title>").format(pointer))
        parts.append(_box("grid", left, wide, sun, whole))
        parts.append(_box("sun", left, wide, Fraction(0), sun))
        if bar.estimated:
            parts.append(_box("estimated", left, wide, Fraction(0), whole, f"url(#{name}-hatch)"))
        parts.append(Markup("</g>"))
    if bar.label:
        middle = x + width / 2
        parts.append(
            Markup('<text class="tick" x="{x}" y="{y}" text-anchor="middle">{label}</text>').format(
                x=_number(middle), y=_HEIGHT - 7, label=bar.label
            )
        )
    return parts


def _box(kind: str, x: Fraction, width: Fraction, low: Fraction, high: Fraction, fill: str = "") -> Markup:
    if high <= low:
        return Markup("")
    inset = Fraction(1, 2) if kind == "grid" else Fraction(0)  # its outline lies half outside
    return Markup('<rect class="{kind}" x="{x}" y="{y}" width="{w}" height="{h}"{fill}/>').format(
        kind=kind,
        x=_number(x + inset),
        y=_number(_y(high) + inset),
        w=_number(width - 2 * inset),
        h=_number(max(Fraction(1, 2), _y(low) - _y(high) - inset)),
        fill=Markup(' fill="{}"').format(fill) if fill else "",
    )


def _y(part: Fraction) -> Fraction:
    return _HEIGHT - _BOTTOM - part * (_HEIGHT - _TOP - _BOTTOM)


def _number(value: Fraction) -> str:
    return f"{float(value):.2f}".rstrip("0").rstrip(".")
