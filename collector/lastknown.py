"""The description of the community as the database last gave it, kept beside the spool for a start without database."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Final

import structlog

from core.communityfile import CommunityFile, build
from core.errors import BadInput

_log = structlog.get_logger("collector")

_NAME: Final = "community.json"


def remember(folder: Path, file: CommunityFile) -> None:
    """Keep a description; a disk that does not take it is named in the log and costs nothing else."""
    text = json.dumps(file.tree, ensure_ascii=False, indent=1)
    path = folder / _NAME
    draft = path.with_suffix(".new")
    try:
        if path.exists() and path.read_text(encoding="utf-8") == text:
            return
        with draft.open("w", encoding="utf-8") as handle:
            handle.write(text)
            handle.flush()
            os.fsync(handle.fileno())
        draft.replace(path)
    except (OSError, ValueError) as error:
        _log.warning("the description of the community could not be kept for a start without database", reason=error)


def recall(folder: Path) -> CommunityFile | None:
    """Return the description that was kept, or None if there is none that can be used."""
    path = folder / _NAME
    try:
        return build(json.loads(path.read_text(encoding="utf-8")), f"the description kept in {path}")
    except FileNotFoundError:
        return None
    except (OSError, ValueError, BadInput) as error:
        _log.error("the description kept for a start without database cannot be used", file=str(path), reason=error)
        return None


def remembered(spools: Path) -> list[str]:
    """Names of the communities of which a description is kept, in a folder or more each."""
    files = [recall(path.parent) for path in spools.glob(f"*/{_NAME}")]
    return sorted({file.community.community for file in files if file is not None})
