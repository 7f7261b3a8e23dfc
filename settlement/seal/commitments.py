"""Commitments: what is sealed without being shown.

A commitment is SHA-256 over a secret salt and the canonical bytes of what is committed to. Whoever has the salt and
the bytes (an opening) can prove that they were sealed; whoever has the commitment alone learns nothing, and cannot
find the bytes by trying, as long as the salt is secret and long.

The commitments of all entries are leaves of a hash tree whose root is in the seal. Leaves are sorted by their own
hash and filled up to a power of two, at least sixteen, with leaves of which nobody has an opening: a path from one
leaf to the root tells how deep the tree is and nothing else about the others.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from typing import Any

Salts = Callable[[str], bytes]
"""Gives the salt of a name: at least 16 random bytes, the same name never twice for two seals."""
LEAST_LEAVES = 16
_LEAST_SALT = 16


def canonical(tree: Any) -> bytes:
    """Bytes of a JSON value: UTF-8, keys sorted, no blanks, a newline at the end."""
    return (json.dumps(tree, ensure_ascii=False, sort_keys=True, separators=(",", ":")) + "\n").encode()


def salt_of(salts: Salts, name: str) -> bytes:
    """Ask for a salt.

    Raises
    ------
    ValueError
        If it is too short to hide anything.
    """
    salt = salts(name)
    if len(salt) < _LEAST_SALT:
        raise ValueError(f"the salt of '{name}' has {len(salt)} bytes; at least {_LEAST_SALT} random bytes are needed")
    return salt


def commit(salt: bytes, content: bytes) -> str:
    """Commit to some bytes."""
    return hashlib.sha256(salt + content).hexdigest()


def leaf(statement: str, intervals: str) -> str:
    """Leaf of an entry: of the commitments to its statement and to its intervals."""
    return hashlib.sha256(b"\x00" + bytes.fromhex(statement) + bytes.fromhex(intervals)).hexdigest()


def node(left: str, right: str) -> str:
    """Node above two others."""
    return hashlib.sha256(b"\x01" + bytes.fromhex(left) + bytes.fromhex(right)).hexdigest()


def width(entries: int) -> int:
    """Count the leaves of a tree for so many entries."""
    return max(LEAST_LEAVES, 1 << (entries - 1).bit_length())


def levels(leaves: Sequence[str]) -> list[list[str]]:
    """All levels of the tree, from the sorted leaves to the root."""
    found = [sorted(leaves)]
    while len(found[-1]) > 1:
        below = found[-1]
        found.append([node(below[place], below[place + 1]) for place in range(0, len(below), 2)])
    return found


def path(tree: Sequence[Sequence[str]], own: str) -> list[dict[str, str]]:
    """From a leaf to the root: at each level the neighbour and the side it stands on."""
    place, steps = tree[0].index(own), []
    for level in tree[:-1]:
        steps.append({"side": "right" if place % 2 == 0 else "left", "hash": level[place ^ 1]})
        place //= 2
    return steps
