"""Passwords and tokens of devices: one small file each, so that the community file can be shown to anybody.

``?secret=boiler`` in a link names the file ``secrets/boiler.txt`` in the data directory (WIJKENERGIE_DATA_DIR). Its
first line is ``user:password``, or a token or password alone.
"""

from __future__ import annotations

from pathlib import Path

from core.errors import BadInput


def folder_in(data_dir: Path) -> Path:
    """Return where secrets are kept."""
    return data_dir / "secrets"


def read_secret(folder: Path, name: str) -> str:
    """Return a secret; read anew each time, so that a new password needs no restart.

    Raises
    ------
    BadInput
        If there is none; the message names the file.
    """
    path = folder / f"{name}.txt"
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise BadInput(f"{path}: the secret cannot be read: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise BadInput(f"{path}: this is not UTF-8 text; save the file as UTF-8.") from None
    secret = lines[0].strip() if lines else ""
    if not secret:
        raise BadInput(f"{path}: the first line is empty; write user:password or a token there.")
    return secret
