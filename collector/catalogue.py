"""The catalogue of device profiles: `load` reads one by its id (or a file by its path), `published` lists them all."""

from __future__ import annotations

import difflib
from functools import cache
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError

from collector.profile import Profile
from collector.profilerules import faults
from core.errors import BadInput
from core.yamltext import Path as TreePath
from core.yamltext import place, read

FOLDER: Final = Path(__file__).parent / "profiles"


def published() -> list[str]:
    """Ids of all profiles, sorted."""
    return sorted(file.stem for file in FOLDER.glob("*.yaml"))


@cache
def load(name: str) -> Profile:
    """Read a profile by its id, or a profile file by its path.

    Raises
    ------
    BadInput
        If there is no such profile, or the file is wrong: one sentence with file, line and field.
    """
    path = Path(name) if name.endswith((".yaml", ".yml")) else FOLDER / f"{name}.yaml"
    if path.parent == FOLDER and path.stem not in published():
        near = difflib.get_close_matches(name, published(), 1)
        hint = f"the nearest is '{near[0]}'." if near else "see 'wijkenergie device list'."
        raise BadInput(f"There is no profile '{name}'; {hint}")
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise BadInput(f"{path}: the file cannot be read: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise BadInput(f"{path}: this is not UTF-8 text; save the file as UTF-8.") from None
    return parse(text, path.name)


def parse(text: str, source: str) -> Profile:
    """Parse a profile's text; see `load`."""
    tree, lines = read(text, source)
    try:
        profile = Profile.model_validate(tree)
    except ValidationError as error:
        first = error.errors()[0]
        raise BadInput(_sentence(source, lines, tuple(first["loc"]), _what(first))) from None
    for path, what in faults(profile):
        raise BadInput(_sentence(source, lines, path, what))
    return profile


def _sentence(source: str, lines: dict[TreePath, int], path: TreePath, what: str) -> str:
    known = next((path[:end] for end in range(len(path), -1, -1) if path[:end] in lines), ())
    return f"{source}:{lines.get(known, 1)}: {place(path) or 'profile'}: {what}."


def _what(item: Any) -> str:
    kind = item["type"]
    if kind == "missing":
        return "this field is missing; add it"
    if kind == "extra_forbidden":
        return "unknown field; docs/devices.md lists the fields there are"
    if kind == "value_error":
        return str(item["ctx"]["error"])
    if kind == "literal_error":
        return f"'{item['input']}' is not possible here; choose {item['ctx']['expected']}"
    return str(item["msg"]).lower()
