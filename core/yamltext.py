"""YAML with every scalar as text and the line of every value remembered.

``01`` stays ``01``, ``2026-01-01`` is not turned into a date and ``no`` not into false: the schema decides what
a text means. Positions make it possible to name the line of a fault that only the schema can see.
"""

from __future__ import annotations

from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from core.errors import BadInput

Path = tuple[str | int, ...]
Tree = dict[str, Any]
"""Nested dicts and lists whose leaves are text."""

_DEEPEST = 20


def place(path: Path) -> str:
    """Print where a value stands, like ``devices[2].link``."""
    name = ""
    for part in path:
        name += f"[{part}]" if isinstance(part, int) else f".{part}" if name else part
    return name


def read(text: str, source: str) -> tuple[Tree, dict[Path, int]]:
    """Read a YAML document as a tree of text.

    Parameters
    ----------
    text
        The document; its top must be a mapping.
    source
        What to call it in messages, usually the file's name.

    Returns
    -------
    tree
        The document. Keys with an empty value are left out, as if they were not written.
    lines
        Line number, from 1, of every value (and, for a key without a value, of the key).

    Raises
    ------
    BadInput
        If the text is not YAML, a key is written twice, or the top is not a mapping.
    """
    try:
        node = YAML(typ="safe", pure=True).compose(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        raise BadInput(f"{source}:{line}: this is not valid YAML: {error.problem or error.context}.") from None
    except YAMLError as error:
        raise BadInput(f"{source}: this is not valid YAML: {str(error).splitlines()[0]}.") from None
    if not isinstance(node, MappingNode):
        raise BadInput(f"{source}:1: the file must be a list of 'field: value' lines.")
    lines: dict[Path, int] = {}
    tree: Tree = _value(node, (), lines, source)
    return tree, lines


def _value(node: Node, path: Path, lines: dict[Path, int], source: str) -> Any:
    lines[path] = node.start_mark.line + 1
    if len(path) > _DEEPEST:
        raise BadInput(f"{source}:{lines[path]}: this is nested too deeply; take the inner level out.")
    if isinstance(node, ScalarNode):
        plain_empty = node.style is None and node.value in ("", "~", "null")
        return None if plain_empty else node.value
    if isinstance(node, SequenceNode):
        return [_value(child, (*path, index), lines, source) for index, child in enumerate(node.value)]
    result: Tree = {}
    for key_node, child in node.value:
        line = key_node.start_mark.line + 1
        if not isinstance(key_node, ScalarNode):
            raise BadInput(f"{source}:{line}: a field name must be plain text.")
        key = key_node.value
        if key in result:
            raise BadInput(f"{source}:{line}: '{key}' is written twice; keep one.")
        lines[(*path, key)] = line
        value = _value(child, (*path, key), lines, source)
        if value is not None:
            result[key] = value
    return result
