"""Seals of final months and of their corrections: files, hashes in one chain, and what opens the commitments."""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from core.time import rfc3339
from settlement import statement

if TYPE_CHECKING:
    from settlement.final.issue import Today

_EPOCH = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True)
class Made:
    """A sealed bundle: its seal, its ZIP archive, and the opening of each household."""

    sha256: str
    bundle: bytes
    openings: Mapping[str, bytes]


def of_month(
    today: Today,
    document: dict[str, Any],
    *,
    number: str,
    previous: str | None,
    at: datetime,
    despite: Sequence[Mapping[str, Any]],
) -> Made:
    """Seal a final month."""
    return _envelope("month", document, statement.dump(document), "statement.json", number, previous, at, despite)


def of_correction(
    text: bytes,
    document: dict[str, Any],
    *,
    number: str,
    previous: str | None,
    at: datetime,
    despite: Sequence[Mapping[str, Any]],
) -> Made:
    """Seal a correction."""
    return _envelope("correction", document, text, "correction.json", number, previous, at, despite)


def _envelope(
    kind: str,
    document: dict[str, Any],
    text: bytes,
    name: str,
    number: str,
    previous: str | None,
    at: datetime,
    despite: Sequence[Mapping[str, Any]],
) -> Made:
    seal = {
        "kind": kind,
        "community": document["community"],
        "month": document["month"],
        "number": number,
        "revision": document["revision"],
        "previous": previous,
        "sealed_at": rfc3339(at),
        "despite": list(despite),
        "files": {name: hashlib.sha256(text).hexdigest()},
    }
    written = statement.dump(seal)
    return Made(hashlib.sha256(written).hexdigest(), zipped({"seal.json": written, name: text}), {})


def of_household(bundle: bytes, household: str, opening: bytes | None) -> bytes:
    """Put a household's own opening into the bundle; without one (it was destroyed) the bundle is as it is."""
    with zipfile.ZipFile(io.BytesIO(bundle)) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    return zipped(files if opening is None else files | {f"openings/{household}.json": opening})


def zipped(files: Mapping[str, bytes]) -> bytes:
    """Pack files into an archive whose bytes depend on nothing else."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in sorted(files):
            archive.writestr(zipfile.ZipInfo(name, _EPOCH), files[name], zipfile.ZIP_DEFLATED)
    return out.getvalue()
