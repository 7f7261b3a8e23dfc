"""Checking a sealed bundle from the command line: the same program that lies in every bundle."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from core.errors import BadInput, CheckFailed
from settlement.seal import verify


def check(bundle: Path, previous: str | None, seal: str | None, openings: Sequence[Path], *, as_json: bool) -> None:
    """Print what is proved about a bundle, what was not checked, and what is wrong.

    Parameters
    ----------
    bundle
        The archive.
    previous
        The bundle before it as a path, or its seal.
    seal
        The seal it must have.
    openings
        Files that open commitments.

    Raises
    ------
    CheckFailed
        If something is wrong.
    BadInput
        If a file is no bundle, damaged, or cannot be read.
    """
    try:
        before = previous if previous is None or verify.is_hash(previous) else verify.read(previous)
        report = verify.verify(
            verify.read(str(bundle)),
            name=bundle.name,
            previous=before,
            seal_sha256=seal,
            openings=[verify.read(str(path)) for path in openings],
        )
    except verify.Damaged as reason:
        raise BadInput(str(reason)) from None
    *lines, verdict = verify.told(report)
    if as_json:
        print(json.dumps(vars(report), ensure_ascii=False, indent=2))
    else:
        print("\n".join(lines))
    if report.wrong:
        raise CheckFailed(verdict)
    if not as_json:
        print(verdict)
