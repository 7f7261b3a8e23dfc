"""A million damaged payloads: every fixture of every profile, mutated, and not one of them makes the decoder fail.

The mutations are seeded and know what they damage: a register becomes a sentinel, a run loses its end, a JSON field
becomes a text, a frame gets its checksum right again after a byte was changed.
"""

from __future__ import annotations

import json
import random
from dataclasses import replace
from pathlib import Path

import pytest

from collector.catalogue import FOLDER, load, published
from collector.decode import Decoded, decode
from collector.profile import Profile
from collector.raw import Document, Message, Raw, Registers
from collector.raw import load as load_raw

SENTINELS = (0, 1, 0x7FFF, 0x8000, 0xFFFF, 0xFFFE, 0x7FC0, 0x7F80, 0xFF80, 0x8001)
ODD_VALUES: tuple[object, ...] = (
    None, True, -1, 0, 32765, 1e308, "", " ", "nan", "-0", "1e999", "12,5", "9" * 300, [], [1, None], {}, {"a": 1},
    "2026-10-25T02:30:00", "0001-01-01T00:00:00Z", 4294967295, -2147483648,
)  # fmt: skip


def fixtures() -> list[tuple[Profile, Raw]]:
    known = published()
    found = []
    for file in sorted((FOLDER / "fixtures").glob("*.json")):
        name = max((name for name in known if file.stem == name or file.stem.startswith(f"{name}.")), key=len)
        found.append((load(name), load_raw(Path(file))))
    return found


def damaged_registers(chance: random.Random, run: Registers) -> Registers:
    words = list(run.values)
    for _ in range(chance.randint(1, 4)):
        if words:
            words[chance.randrange(len(words))] = chance.choice((*SENTINELS, chance.getrandbits(16)))
    kind = chance.random()
    if kind < 0.1:
        words = words[: chance.randint(0, len(words))]
    if kind > 0.95:
        return replace(run, function=7 - run.function, values=tuple(words))
    if kind > 0.9:
        return replace(run, values=(), error="device busy (exception 6)", count=len(words))
    return replace(run, values=tuple(words))


def damaged_bytes(chance: random.Random, content: bytes) -> bytes:
    kind = chance.random()
    if kind < 0.5:
        changed = damaged_json(chance, content)
        if changed is not None:
            return changed
    data = bytearray(content)
    for _ in range(chance.randint(1, 3)):
        if data:
            data[chance.randrange(len(data))] = chance.getrandbits(8)
    if kind > 0.9:
        return bytes(data[: chance.randint(0, len(data))])
    return chance.randbytes(chance.randint(0, 60)) if kind > 0.87 else bytes(data)


def damaged_json(chance: random.Random, content: bytes) -> bytes | None:
    try:
        tree = json.loads(content)
    except ValueError:
        return None
    here = tree
    while isinstance(here, (dict, list)) and here:
        key = chance.choice(list(here)) if isinstance(here, dict) else chance.randrange(len(here))
        inner = here[key]
        if not isinstance(inner, (dict, list)) or not inner or chance.random() < 0.2:
            if isinstance(here, dict) and chance.random() < 0.3:
                del here[key]
            else:
                here[key] = chance.choice(ODD_VALUES)
            break
        here = inner
    return json.dumps(tree).encode()


def damaged_frame(chance: random.Random, frame: bytes) -> bytes:
    data = bytearray(frame)
    for _ in range(chance.randint(1, 4)):
        data[chance.randrange(len(data))] = chance.getrandbits(8)
    if chance.random() < 0.8 and len(data) > 6:  # whole again on the outside, so that the inside is reached
        data[0] = data[3] = 0x68
        data[1] = data[2] = len(data) - 6 & 0xFF
        data[-2], data[-1] = sum(data[4:-2]) & 0xFF, 0x16
    return bytes(data)


def damaged(chance: random.Random, raw: Raw) -> Raw:
    def some(items, damage):
        kept = [damage(chance, item) if chance.random() < 0.7 else item for item in items]
        return tuple(item for item in kept if chance.random() > 0.03)

    def message(chance: random.Random, item: Message) -> Message:
        return replace(
            item,
            payload=damaged_bytes(chance, item.payload),
            retained=chance.random() < 0.05,
            duplicate=chance.random() < 0.05,
        )

    def document(chance: random.Random, item: Document) -> Document:
        return replace(item, body=damaged_bytes(chance, item.body))

    return replace(
        raw,
        registers=some(raw.registers, damaged_registers),
        messages=some(raw.messages, message),
        documents=some(raw.documents, document),
        frames=some(raw.frames, damaged_frame),
    )


def hold(profile: Profile, found: Decoded) -> None:
    for value in found.values:
        assert value.time.tzinfo is not None
        if value.value is not None:
            assert value.value.is_finite()
            kind = profile.point(value.point).kind
            assert kind != "counter" or value.value >= 0
    assert json.dumps([item.line() for item in (*found.values, *found.refused)])


def attack(number: int, seed: int) -> tuple[int, int]:
    """Decode so many damaged payloads; returns how many points had a value, and how many were refused."""
    chance, known = random.Random(seed), fixtures()
    values = refused = 0
    for index in range(number):
        profile, raw = known[index % len(known)]
        attacked = damaged(chance, raw)
        try:
            found = decode(attacked, profile)
            hold(profile, found)
        except Exception:
            print(f"seed {seed}, payload {index}, profile {profile.id}: {attacked}")
            raise
        values += len(found.values)
        refused += len(found.refused)
    return values, refused


def test_damaged_payloads_never_make_the_decoder_fail():
    values, refused = attack(8_000, 1)
    assert values > 4_000
    assert refused > 4_000


@pytest.mark.long
@pytest.mark.parametrize("seed", range(4))
def test_a_million_damaged_payloads_never_make_the_decoder_fail(seed):
    values, refused = attack(250_000, 100 + seed)
    assert values > 100_000
    assert refused > 100_000
