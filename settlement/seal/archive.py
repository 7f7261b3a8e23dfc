"""The ZIP archive of a bundle: its bytes follow from its files alone, so that a single changed byte is noticed."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping

_PLAIN_FILE = 0o100644 << 16
_UNIX = 3


def pack(files: Mapping[str, bytes]) -> bytes:
    """Pack files: sorted by name, stored, dated 1980-01-01, readable by everybody."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(files):
            entry = zipfile.ZipInfo(name)  # dated 1980-01-01, where the format's time begins
            entry.create_system, entry.external_attr = _UNIX, _PLAIN_FILE
            archive.writestr(entry, files[name], zipfile.ZIP_STORED)
    return out.getvalue()


def unpack(data: bytes) -> dict[str, bytes]:
    """Files of a bundle that `pack` made."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}
