"""The trial of a mutant: the tests are collected once, every mutant gets a copy of the process and runs there.

A copy costs milliseconds where a new process costs seconds, and whatever a mutant breaks ends with it. In the copy the
code of the module's functions is exchanged in place, so it does not matter who imported them under which name.
"""

from __future__ import annotations

import gc
import os
import signal
import sys
import types
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import pytest
from _pytest.runner import runtestprotocol

from tests.mutation.mutants import Mutant

Verdict = Literal["killed", "survived", "for ever", "not tried"]
_OURS: Final = ("core", "settlement", "tests")
_SURVIVED: Final = 0
_KILLED: Final = 1
_NOT_TRIED: Final = 2


@dataclass(frozen=True)
class Subject:
    """A loaded module and everything alive that was made from its source."""

    name: str
    path: Path

    def exchange(self, mutant: Mutant) -> None:
        """Put a mutant's code into the module's functions and its constants into whoever uses them."""
        module = sys.modules[self.name]
        made = compile(mutant.tree, str(self.path), "exec", dont_inherit=True)
        if not mutant.scope:
            self._exchange_constants(module, made)
            return
        alive = defaultdict(list)
        for found in gc.get_objects():
            if isinstance(found, types.FunctionType) and found.__code__.co_filename == str(self.path):
                alive[_place(found.__code__)].append(found)
        exchanged = 0
        for code in _codes(made):
            for function in alive[_place(code)]:
                exchanged += function.__code__ != code
                function.__code__ = code
        if not exchanged:
            raise LookupError(f"no living function of {self.name} has the change '{mutant.change}'")

    def _exchange_constants(self, module: types.ModuleType, made: types.CodeType) -> None:
        fresh = types.ModuleType(self.name)
        fresh.__file__, fresh.__package__ = str(self.path), module.__package__
        sys.modules[self.name] = fresh
        try:
            exec(made, vars(fresh))  # our own source with one number changed
        finally:
            sys.modules[self.name] = module
        for other in list(sys.modules.values()):
            if str(getattr(other, "__name__", "")).startswith(_OURS):
                for name, value in vars(module).items():
                    new = vars(fresh).get(name, value)
                    plain = not callable(value) and not isinstance(value, types.ModuleType) and name[:2] != "__"
                    if plain and vars(other).get(name) is value and repr(new) != repr(value):
                        setattr(other, name, new)


def _place(code: types.CodeType) -> tuple[str, int]:
    return code.co_qualname, code.co_firstlineno


def _codes(code: types.CodeType) -> Iterator[types.CodeType]:
    for inner in code.co_consts:
        if isinstance(inner, types.CodeType):
            yield inner
            yield from _codes(inner)


class Court:
    """Runs chosen tests against mutants, several copies of this process at a time."""

    def __init__(self, items: Mapping[str, pytest.Item], seconds: int) -> None:
        self.items = items
        self.seconds = seconds
        gc.collect()
        gc.freeze()  # so that a copy does not touch, and by that double, the memory of what it only reads

    def passes(self, tests: Sequence[str]) -> bool:
        """Whether the tests hold when nothing was changed; without this every verdict would be worth nothing."""
        return self._ended(self._start(tests, lambda: None)) == "survived"

    def try_all(
        self, subject: Subject, cases: Sequence[tuple[Mutant, Sequence[str]]], jobs: int
    ) -> Iterator[tuple[Mutant, Verdict]]:
        """Try mutants with their tests and give each with its verdict, as they end."""
        running: dict[int, Mutant] = {}
        waiting = list(reversed(cases))
        while waiting or running:
            while waiting and len(running) < jobs:
                mutant, tests = waiting.pop()
                running[self._start(tests, lambda mutant=mutant: subject.exchange(mutant))] = mutant  # type: ignore[misc]
            pid, status = os.wait()
            yield running.pop(pid), _verdict(status)

    def _start(self, tests: Sequence[str], change: Callable[[], None]) -> int:
        pid = os.fork()
        if pid:
            return pid
        os.setsid()
        silence = os.open(os.devnull, os.O_RDWR)
        for stream in (0, 1, 2):
            os.dup2(silence, stream)
        signal.alarm(self.seconds)
        try:
            change()
        except (LookupError, ValueError):  # nothing alive has this code, or it closes over other names
            os._exit(_NOT_TRIED)
        try:
            chosen = [self.items[test] for test in tests if test in self.items]
            for item, after in zip(chosen, [*chosen[1:], None], strict=True):
                reports = runtestprotocol(item, log=False, nextitem=after)
                if any(report.failed for report in reports):
                    os._exit(_KILLED)
        except BaseException:  # noqa: BLE001 - this copy ends here whatever happened, and says that it did
            os._exit(_KILLED)
        os._exit(_SURVIVED)

    def _ended(self, pid: int) -> Verdict:
        return _verdict(os.waitpid(pid, 0)[1])


def _verdict(status: int) -> Verdict:
    if os.WIFSIGNALED(status):
        return "for ever" if os.WTERMSIG(status) == signal.SIGALRM else "killed"
    return {_SURVIVED: "survived", _NOT_TRIED: "not tried"}.get(os.WEXITSTATUS(status), "killed")  # type: ignore[return-value]
