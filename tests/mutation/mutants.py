"""The small changes: what a slip of the keyboard or of the mind would do to a module, one change at a time.

What no rule hangs on is left alone: sentences for people, annotations, docstrings, imports, what a ``raise`` says.
"""

from __future__ import annotations

import ast
import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final

_COMPARED: Final[dict[type[ast.cmpop], type[ast.cmpop]]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}
_CALCULATED: Final[dict[type[ast.operator], type[ast.operator]]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.FloorDiv,
    ast.FloorDiv: ast.Mult,
    ast.Div: ast.Mult,
    ast.Mod: ast.FloorDiv,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
}
_CALLED: Final = {"min": "max", "max": "min", "any": "all", "all": "any", "sorted": "list", "abs": ""}
_TELLING: Final = {"key", "reverse", "default", "start"}  # keywords whose absence is another result, not an error
_WIDEST: Final = 100  # characters of a change that are shown


Change = Callable[[ast.AST], ast.AST]  # changes a node, and returns what stands in its place then


@dataclass(frozen=True)
class Mutant:
    """A module with one change: where it is, what stood there, what stands there now."""

    line: int
    scope: str
    before: str
    after: str
    _source: str = field(repr=False)
    _node: int = field(repr=False)
    _change: Change = field(repr=False)

    @property
    def change(self) -> str:
        """The change as it is listed; it names its place by words, so that it holds when lines move."""
        place = self._source.splitlines()[self.line - 1].strip()
        small = "" if self.before in (place, place.removesuffix(":")) else f"  |  {self.before}"
        return f"{self.scope}: {place}{small}  ->  {self.after}"

    @property
    def tree(self) -> ast.Module:
        """The changed module, made when it is asked for: thousands of them take gigabytes."""
        tree = ast.parse(self._source)
        node = list(ast.walk(tree))[self._node]
        instead = self._change(node)
        if instead is not node:
            _replace(tree, node, ast.copy_location(instead, node))
        return ast.fix_missing_locations(tree)


def mutants(source: str) -> Iterator[Mutant]:
    """Give every mutant of a module, from its first line to its last; each compiles and differs from the source."""
    tree = ast.parse(source)
    scopes = _scopes(tree)
    told = _told(tree)
    found = [
        (_line(node), place, node, change)
        for place, node in enumerate(ast.walk(tree))
        if node not in told and node in scopes
        for change in _changes(node)
    ]
    for line, place, node, change in sorted(found, key=lambda one: one[:2]):
        instead = change(copy.deepcopy(node))
        yield Mutant(line, scopes[node], _shown(node), _shown(instead), source, place, change)


def _line(node: ast.AST) -> int:
    first = node.ifs[0] if isinstance(node, ast.comprehension) else node  # which has no line of its own
    return first.lineno if isinstance(first, ast.expr | ast.stmt) else 0


def _shown(node: ast.AST) -> str:
    return ast.unparse(node).strip().splitlines()[0][:_WIDEST]


def _scopes(tree: ast.Module) -> dict[ast.AST, str]:
    """Name the function every node is in; constants of the module are in its own, what only declares is in none."""
    found: dict[ast.AST, str] = {}

    def enter(node: ast.AST, name: str, *, counted: bool) -> None:
        for slot, value in ast.iter_fields(node):
            for child in value if isinstance(value, list) else [value]:
                if isinstance(child, ast.FunctionDef):
                    inner = f"{name}.{child.name}".removeprefix(".")
                    for statement in child.body:
                        found[statement] = inner
                        enter(statement, inner, counted=True)
                elif isinstance(child, ast.ClassDef):
                    enter(child, f"{name}.{child.name}".removeprefix("."), counted=False)
                elif isinstance(child, ast.AST):
                    inside = counted or (isinstance(node, ast.Assign | ast.AnnAssign) and not name and slot == "value")
                    if inside:
                        found[child] = name
                    enter(child, name, counted=inside)

    enter(tree, "", counted=False)
    return found


def _told(tree: ast.Module) -> set[ast.AST]:
    """Find what is for readers, not for the rule."""
    found: set[ast.AST] = set()
    for node in ast.walk(tree):
        parts: list[ast.expr | ast.stmt | None] = []
        match node:
            case (
                ast.Expr(value=ast.Constant()) | ast.JoinedStr() | ast.Assert() | ast.If(test=ast.Name("TYPE_CHECKING"))
            ):
                parts = [node]
            case ast.arg() | ast.AnnAssign():
                parts = [node.annotation]
            case ast.FunctionDef():
                parts = [node.returns, *node.decorator_list, *node.args.defaults, *node.args.kw_defaults]
            case ast.keyword(arg="strict"):  # asks for a complaint, not for a result
                parts = [node.value]
            case ast.Raise():
                parts = [node.exc, node.cause]
        found |= {inner for part in parts if part is not None for inner in ast.walk(part)}
    return found


def _changes(node: ast.AST) -> Iterator[Change]:
    """Give what can be changed about one node, as functions that change its twin and return what stands there then."""
    match node:
        case ast.Compare():
            yield from (_compared(at) for at, operator in enumerate(node.ops) if type(operator) in _COMPARED)
        case ast.BinOp(op=operator) | ast.AugAssign(op=operator) if type(operator) in _CALCULATED:
            yield _with(op=_CALCULATED[type(operator)]())
        case ast.BoolOp():
            yield _with(op=ast.Or() if isinstance(node.op, ast.And) else ast.And())
        case ast.UnaryOp(op=ast.Not() | ast.USub()):
            yield _operand
        case ast.Constant(value=bool(value)):
            yield _with(value=not value)
        case ast.Constant(value=int(value)):
            yield _with(value=value + 1)
        case ast.If() | ast.IfExp():
            yield from (_with(test=ast.Constant(value)) for value in (True, False))
        case ast.comprehension():
            yield from (_without("ifs", at) for at in range(len(node.ifs)))
        case ast.Continue() | ast.Break() | ast.Raise():
            yield lambda _twin: ast.Pass()
        case ast.Call(func=ast.Name(id=name), args=[first, *_]) if name in _CALLED and not isinstance(
            first, ast.Starred
        ):
            yield _called
    if isinstance(node, ast.Expr | ast.AugAssign):
        yield lambda _twin: ast.Pass()
    if isinstance(node, ast.Call):
        yield from (_without("keywords", at) for at, word in enumerate(node.keywords) if word.arg in _TELLING)


def _compared(at: int) -> Change:
    def change(twin: ast.AST) -> ast.AST:
        assert isinstance(twin, ast.Compare)
        twin.ops[at] = _COMPARED[type(twin.ops[at])]()
        return twin

    return change


def _with(**fields: object) -> Change:
    def change(twin: ast.AST) -> ast.AST:
        for name, value in fields.items():
            setattr(twin, name, value)
        return twin

    return change


def _without(field: str, at: int) -> Change:
    def change(twin: ast.AST) -> ast.AST:
        del getattr(twin, field)[at]
        return twin

    return change


def _operand(twin: ast.AST) -> ast.AST:
    assert isinstance(twin, ast.UnaryOp)
    return twin.operand


def _called(twin: ast.AST) -> ast.AST:
    """Call the opposite; for ``sorted`` a list as it came, for ``abs`` the number with its sign."""
    assert isinstance(twin, ast.Call)
    assert isinstance(twin.func, ast.Name)
    instead = _CALLED[twin.func.id]
    if not instead:
        return twin.args[0]
    if twin.func.id == "sorted":
        twin.keywords = []
    twin.func.id = instead
    return twin


def _replace(tree: ast.AST, old: ast.AST, new: ast.AST) -> None:
    for parent in ast.walk(tree):
        for slot, value in ast.iter_fields(parent):
            if value is old:
                setattr(parent, slot, new)
            elif isinstance(value, list):
                value[:] = [new if one is old else one for one in value]
