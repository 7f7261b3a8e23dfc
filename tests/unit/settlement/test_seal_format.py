"""What a seal says of its own form: the number by which a verifier knows whether it can read it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from settlement.seal.archive import pack
from settlement.seal.bundle import Sealed, seal_correction
from settlement.seal.commitments import canonical
from settlement.seal.verify import Damaged, verify
from tests.support.sealhouse import AT, salt

CORRECTION: dict[str, Any] = {"community": "c", "month": "2026-01", "revision": 2, "postings": [], "checks": []}


@pytest.fixture
def sealed() -> Sealed:
    return seal_correction(CORRECTION, number="8", previous=None, at=AT, salts=salt)


def test_a_seal_is_of_format_one(sealed: Sealed) -> None:
    """Sealed bundles are kept for years by people who have only them: the number is part of what was handed out."""
    assert json.loads(sealed.files["seal.json"])["format"] == 1


def test_another_format_is_refused_with_the_one_that_is_known(sealed: Sealed) -> None:
    told = json.loads(sealed.files["seal.json"])
    for other in (0, 2, None, "1"):
        changed = pack({**sealed.files, "seal.json": canonical({**told, "format": other})})
        with pytest.raises(Damaged, match=r"another format than this program knows \(1\); use the bundle's own\."):
            verify(changed)


def test_files_are_named_in_the_seal_whatever_order_they_were_made_in(sealed: Sealed) -> None:
    """Its bytes are those of its content, keys sorted, so that whoever seals the same once more finds the same seal."""
    names = list(json.loads(sealed.files["seal.json"])["files"])
    assert names == sorted({*sealed.files} - {"seal.json", "seal.sha256"})
