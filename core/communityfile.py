"""The community file: text in, a checked community out, or every fault with its line, field and remedy.

Every scalar arrives as text (`core.yamltext`) and is given its meaning by `core.community`.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from core.community import Community
from core.consistency import faults
from core.errors import BadInput
from core.yamltext import Path as TreePath
from core.yamltext import Tree, place, read


@dataclass(frozen=True)
class CommunityFile:
    """A community as parsed, and the text tree it came from (what the database keeps and `export` writes)."""

    community: Community
    tree: Tree
    source: str = "the community file"
    lines: dict[TreePath, int] | None = None

    def message(self, path: TreePath, text: str) -> str:
        """Say what is wrong with a field: file, line, field, and the given clause."""
        return _message(self.source, self.lines, path, text)


def load(path: Path) -> CommunityFile:
    """Read and check a community file.

    Raises
    ------
    BadInput
        If the file cannot be read or breaks a rule; one line per fault with file, line, field and remedy.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise BadInput(f"{path}: there is no such file; give the path of a community file.") from None
    except UnicodeDecodeError:
        raise BadInput(f"{path}: this is not UTF-8 text; save the file as UTF-8.") from None
    except OSError as error:
        raise BadInput(f"{path}: the file cannot be read: {error.strerror}.") from None
    return parse(text, path.name)


def parse(text: str, source: str = "community.yaml") -> CommunityFile:
    """Parse a community file's text; see `load`."""
    tree, lines = read(text, source)
    return build(tree, source, lines)


def build(tree: Tree, source: str, lines: dict[TreePath, int] | None = None) -> CommunityFile:
    """Give a text tree its meaning, and check it; ``lines`` are for the messages."""
    try:
        community = Community.model_validate(tree)
    except ValidationError as error:
        items = [(tuple(item["loc"]), item) for item in error.errors()]
        # A list whose entries are all wrong is also reported as empty, which would only confuse.
        deeper = {path[:end] for path, _ in items for end in range(len(path))}
        told = [(path, item) for path, item in items if item["type"] != "too_short" or path not in deeper]
        messages = [_message(source, lines, path, _what(item)) for path, item in told]
        raise BadInput("\n".join(dict.fromkeys(messages))) from None
    found = [_message(source, lines, path, text) for path, text in faults(community)]
    if found:
        raise BadInput("\n".join(found))
    return CommunityFile(community, tree, source, lines)


def _message(source: str, lines: dict[TreePath, int] | None, path: TreePath, text: str) -> str:
    path = tuple({"start": "from"}.get(part, part) if isinstance(part, str) else part for part in path)
    line = ""
    if lines:
        known = next((path[:end] for end in range(len(path), -1, -1) if path[:end] in lines), ())
        line = f":{lines[known]}"
    name = place(path)
    stop = "" if text.endswith("?") else "."
    return f"{source}{line}: {name}: {text}{stop}" if name else f"{source}{line}: {text}{stop}"


def _what(item: Any) -> str:
    kind, context = item["type"], item.get("ctx", {})
    if kind == "missing":
        return "this field is missing; add it"
    if kind == "extra_forbidden":
        known = sorted(_fields_at(item["loc"]))
        near = difflib.get_close_matches(str(item["loc"][-1]), known, 1)
        return f"unknown field; did you mean '{near[0]}'?" if near else f"unknown field; known are {', '.join(known)}"
    if kind == "value_error":
        return str(context["error"])
    if kind == "literal_error":
        return f"'{item['input']}' is not possible here; choose {context['expected']}"
    if kind in ("tuple_type", "list_type"):
        return "this must be a list, one '- ...' line for each"
    if kind in ("model_type", "dict_type", "model_attributes_type"):
        return "this must be a group of 'field: value' pairs"
    if kind == "string_type":
        return "this must be a single text"
    if kind == "too_short":
        return "this needs at least one entry"
    return str(item["msg"]).lower()


def _fields_at(path: TreePath) -> set[str]:
    model: Any = Community
    for part in path[:-1]:
        if isinstance(part, int):
            continue
        field = next((field for name, field in model.model_fields.items() if part in (name, field.alias)), None)
        if field is None:
            break
        model = _model_in(field.annotation) or model
    return {field.alias or name for name, field in model.model_fields.items()}


def _model_in(annotation: Any) -> Any:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for inner in getattr(annotation, "__args__", ()):
        found = _model_in(inner)
        if found is not None:
            return found
    return None
