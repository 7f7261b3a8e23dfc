"""Sealing a month: the corporation's bundle, what opens each commitment, and a resident's own bundle.

``seal.json`` names every file by its hash and the seal before it by its own; SHA-256 of ``seal.json`` is the seal.
The hashes of files with figures are salted, and the salt is in the corporation's bundle only: a resident holds the
seal as well, and must not find a neighbour's figures by trying. Randomness comes from the caller.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib.resources import files as package_files
from typing import Any, Final

from core.time import rfc3339
from settlement import statement as statements
from settlement.model import Readings, Spell
from settlement.month import Settled
from settlement.seal import figures
from settlement.seal.archive import pack, unpack
from settlement.seal.commitments import Salts, canonical, commit, leaf, levels, path, salt_of, width

FORMAT: Final = 1
SUN: Final = "sun"
COMMON: Final = "common"
VERIFIER: Final = package_files("settlement.seal").joinpath("verify.py").read_bytes()
"""The stand-alone program that goes into every bundle."""
_PLAIN: Final = ("verify.py", "salt.json")
"""Files whose hash is not salted: everybody has the first, and nobody can guess the second."""


@dataclass(frozen=True)
class Sealed:
    """A sealed document.

    Attributes
    ----------
    sha256
        The seal: SHA-256 of ``seal.json``.
    files
        The corporation's bundle, by name.
    openings
        What opens a commitment, by the label of the entry (``party|flat|first day``), and of `SUN` and `COMMON`.
        Keep them apart: once destroyed, nobody can tell the intervals from the bundle.
    """

    sha256: str
    files: Mapping[str, bytes]
    openings: Mapping[str, bytes]

    @property
    def bundle(self) -> bytes:
        """The corporation's bundle, a ZIP archive."""
        return pack(self.files)


def seal(
    settled: Settled,
    statement: dict[str, Any],
    selected: Readings,
    *,
    number: str | int,
    previous: str | None,
    at: datetime,
    salts: Salts,
    despite: Sequence[Mapping[str, Any]] = (),
) -> Sealed:
    """Seal a settled month.

    Parameters
    ----------
    settled
        The month.
    statement
        Its statement document, with the status it is to have.
    selected
        Readings it was settled from.
    number
        Of the document.
    previous
        Seal of the document before it; None for the first.
    at
        Time of the seal.
    salts
        Gives fresh random bytes for a name.
    despite
        Gates that were gone over, and why.
    """
    rules, charged, summed = figures.rules(settled, selected), figures.charges(settled), figures.totals(settled)
    spells = {spell.label: spell for spell in (*settled.spells, _owner(settled))}
    openings: dict[str, bytes] = {}
    commitments: dict[str, dict[str, str]] = {}
    leaves = []
    for label in map(figures.label_of, statement["statements"]):
        salt = salt_of(salts, f"statement|{label}")
        mine = commit(salt, canonical(figures.own(rules, statement, charged, summed, label)))
        theirs, opening = _committed(salts, f"intervals|{label}", figures.intervals(settled, spells[label]))
        if spells[label].flat:
            openings[label] = opening
        commitments[label] = {"statement_salt": salt.hex(), "intervals": theirs}
        leaves.append(leaf(mine, theirs))
    padding = [commit(salt_of(salts, f"padding|{place}"), b"") for place in range(width(len(leaves)) - len(leaves))]
    tree: dict[str, str | None] = {"root": levels([*leaves, *padding])[-1][0], COMMON: None}
    for name, content in ((SUN, figures.building(settled)), (COMMON, figures.common_area(settled))):
        if content is not None:
            tree[name], openings[name] = _committed(salts, name, content)
    contents = {
        "statement.json": statements.dump(statement),
        "community.json": canonical(rules),
        "totals.json": canonical(summed),
        "charges.json": canonical(charged),
        "postings.json": canonical(figures.postings(settled)),
        "commitments.json": canonical({"entries": commitments, "padding": padding}),
    }
    header = _header("month", statement, number, previous, at, despite) | {"commitments": tree}
    return Sealed(*_sealed(header, contents, salt_of(salts, "files")), openings)


def seal_correction(
    correction: dict[str, Any],
    *,
    number: str | int,
    previous: str | None,
    at: datetime,
    salts: Salts,
    despite: Sequence[Mapping[str, Any]] = (),
) -> Sealed:
    """Seal a correction of a final month in the same chain; its document is ``correction.json``."""
    header = _header("correction", correction, number, previous, at, despite) | {"commitments": None}
    contents = {"correction.json": statements.dump(correction)}
    return Sealed(*_sealed(header, contents, salt_of(salts, "files")), {})


def resident_bundle(bundle: bytes, label: str, openings: Mapping[str, bytes], *, with_sun: bool = True) -> bytes:
    """Make a resident's own bundle from the corporation's and what is left of the openings.

    Parameters
    ----------
    bundle
        The corporation's bundle.
    label
        Of the resident's entry: ``party|flat|first day``.
    openings
        As `Sealed.openings`; those of others are not touched. Where the resident's own is destroyed, the bundle proves
        the statement and no intervals.
    with_sun
        Whether to open the building's sun per interval too (docs/decisions/0012-seal.md tells what it reveals).

    Raises
    ------
    KeyError
        If there is no such entry.
    """
    files = unpack(bundle)
    statement, rules, charged, summed, committed = (
        json.loads(files[f"{name}.json"]) for name in ("statement", "community", "charges", "totals", "commitments")
    )

    def owned(name: str) -> bytes:
        return canonical(figures.own(rules, statement, charged, summed, name))

    leaves = {}
    for name, one in committed["entries"].items():
        leaves[name] = leaf(commit(bytes.fromhex(one["statement_salt"]), owned(name)), one["intervals"])
    proof = committed["entries"][label] | {
        "path": path(levels([*leaves.values(), *committed["padding"]]), leaves[label])
    }
    contents = {name: files[name] for name in ("seal.json", "seal.sha256", "verify.py")}
    contents |= {"own.json": owned(label), "proof.json": canonical(proof)}
    if label in openings:
        contents["opening.json"] = openings[label]
    if with_sun and SUN in openings:
        contents["sun.json"] = openings[SUN]
    return pack(contents)


def _header(
    kind: str,
    document: Mapping[str, Any],
    number: str | int,
    previous: str | None,
    at: datetime,
    despite: Sequence[Mapping[str, Any]],
) -> dict[str, Any]:
    return {
        "kind": kind,
        "community": document["community"],
        "month": document["month"],
        "number": number,
        "revision": document["revision"],
        "status": document.get("status", "final"),
        "previous": previous,
        "sealed_at": rfc3339(at),
        "despite": [dict(one) for one in despite],
    }


def _owner(settled: Settled) -> Spell:
    return Spell(settled.community.owner, "", settled.month.first_day, settled.month.end_day)


def _committed(salts: Salts, name: str, tree: dict[str, Any]) -> tuple[str, bytes]:
    """Commit to a tree; also give its opening."""
    salt = salt_of(salts, name)
    return commit(salt, canonical(tree)), canonical({"salt": salt.hex(), "content": tree})


def _sealed(header: dict[str, Any], contents: dict[str, bytes], salt: bytes) -> tuple[str, dict[str, bytes]]:
    """Name every file by its hash in ``seal.json``, and hash that."""
    contents |= {"verify.py": VERIFIER, "salt.json": canonical({"salt": salt.hex()})}
    hashes = {name: commit(b"" if name in _PLAIN else salt, content) for name, content in contents.items()}
    written = canonical({"format": FORMAT, **header, "files": hashes})
    sha256 = hashlib.sha256(written).hexdigest()
    return sha256, contents | {"seal.json": written, "seal.sha256": f"{sha256}\n".encode()}
