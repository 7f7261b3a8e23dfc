"""Settle from files: no database, no network."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import get_args

from core.community import Sharing
from core.communityfile import CommunityFile, build, load
from core.errors import BadInput
from core.time import Month
from settlement import readingsfile, selection, statement
from settlement.model import Readings
from settlement.month import Settled, settle


def replay(community_path: Path, readings_path: Path, month: Month, key: str | None = None) -> tuple[Settled, bytes]:
    """Settle a month from a community file and a readings file.

    Returns
    -------
    settled
        The month.
    bytes
        Its ``statement.json``.
    """
    file = load(community_path)
    if key is not None:
        file = with_key(file, key)
    readings = readingsfile.read(readings_path, file.community)
    return settle_document(file, month, readings)


def settle_document(file: CommunityFile, month: Month, known: Readings) -> tuple[Settled, bytes]:
    """Settle from what is known and write the statement; the one path of database and files alike."""
    selected = selection.used(file.community, month, known)
    settled = settle(file.community, month, selected)
    digest = selection.input_sha256(file.community, month, selected)
    return settled, statement.dump(statement.document(settled, digest))


def with_key(file: CommunityFile, key: str) -> CommunityFile:
    """Replace the key of every sharing rule, keeping the weights and the order that are there.

    Raises
    ------
    BadInput
        If the key is unknown or needs weights or an order that the file does not give.
    """
    known = get_args(Sharing.model_fields["key"].annotation)
    if key not in known:
        raise BadInput(f"There is no sharing key '{key}'; choose one of {', '.join(known)}.")
    tree = dict(file.tree)
    tree["sharing"] = [rule | {"key": key} for rule in file.tree["sharing"]]
    return build(tree, f"the community file with key '{key}'")


def write(out: Path, settled: Settled, document: bytes) -> list[Path]:
    """Write ``statement.json`` and ``quarters.csv``, both or none.

    Raises
    ------
    BadInput
        If the folder cannot be written.
    """
    contents = {"statement.json": document, "quarters.csv": statement.quarters_csv(settled).encode()}
    return write_files(out, contents)


def write_files(out: Path, contents: dict[str, bytes]) -> list[Path]:
    """Write files into a folder, each whole: under another name first, then renamed."""
    try:
        out.mkdir(parents=True, exist_ok=True)
        for name, content in contents.items():
            (out / f".{name}.part").write_bytes(content)
        for name in contents:
            (out / f".{name}.part").replace(out / name)
    except OSError as error:
        for name in contents:
            with suppress(OSError):
                (out / f".{name}.part").unlink()
        raise BadInput(f"{out}: nothing could be written there: {error.strerror}. Choose another folder.") from None
    return [out / name for name in contents]
