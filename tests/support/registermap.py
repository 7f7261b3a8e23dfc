"""Registers made to measure: what a device with a given profile would answer."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal

from collector.profile import Origin, Profile
from collector.raw import Raw, Registers

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def words_of(bits: int, count: int, order: str) -> list[int]:
    """Lay a pattern out in registers."""
    words = [bits >> 16 * place & 0xFFFF for place in reversed(range(count))]
    return words if order == "big" else words[::-1]


def text_words(text: str, count: int) -> list[int]:
    """Lay a text out in registers."""
    content = text.encode("latin-1").ljust(2 * count, b"\0")
    return [int.from_bytes(content[at : at + 2], "big") for at in range(0, 2 * count, 2)]


def answered(profile: Profile, given: Mapping[tuple[str, int], list[int]]) -> Raw:
    """Answer all blocks of a profile: what is given by block and address, zero elsewhere."""
    runs = []
    for block in profile.blocks:
        words = [0] * block.count
        for (name, at), some in given.items():
            if name == block.id:
                words[at - block.start : at - block.start + len(some)] = some
        runs.append(Registers(block.function, block.start, tuple(words)))
    return Raw(NOON, tuple(runs))


def itself(profile: Profile) -> dict[tuple[str, int], list[int]]:
    """What a device answers where its profile looks who it is."""
    return {
        (mark.block or "", mark.at or 0): text_words(mark.starts_with[0], mark.words)
        if mark.type == "string"
        else pattern(profile, mark, mark.equals[0] if mark.equals else "0")
        for mark in profile.identify
        if mark.at is not None
    }


def pattern(profile: Profile, place: Origin, code: str) -> list[int]:
    """Lay a raw value out as a profile writes it: the bits in hexadecimal, or a number."""
    number = int(code, 16) if code.startswith("0x") else int(Decimal(code))
    order = place.word_order or profile.link.word_order
    return words_of(number % (1 << 16 * place.words), place.words, order)
