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
from functools import partial
from pathlib import Path
from typing import Final, Literal

import pytest
from _pytest.runner import runtestprotocol

from tests.mutation.mutants import Mutant

Verdict = Literal["killed", "survived", "for ever", "not tried"]
_OURS: Final = ("core", "settlement", "tests", "test_")  # a test outside a package has its file's name
_FAR_LONGER: Final = 10  # times
_GRACE: Final = 20  # [s]
_Place = tuple[str, int]  # qualified name and first line


@dataclass(frozen=True)
class Subject:
    """A loaded module, and the functions alive that were made from its source, by their code's place in it."""

    module: str
    path: Path
    alive: Mapping[_Place, Sequence[types.FunctionType]]

    @classmethod
    def of(cls, module: str, path: Path) -> Subject:
        """Find a loaded module's functions wherever they are held: methods, properties, wrapped ones, tables."""
        alive = defaultdict(list)
        for found in gc.get_objects():
            if isinstance(found, types.FunctionType) and found.__code__.co_filename == str(path):
                alive[_place(found.__code__)].append(found)
        return cls(module, path, alive)

    @property
    def name(self) -> str:
        """The name it is imported by."""
        return self.module.removesuffix(".py").replace("/", ".")

    def exchange(self, mutant: Mutant) -> None:
        """Put a mutant's code into the module's functions and its constants into whoever uses them."""
        module = sys.modules[self.name]
        made = compile(mutant.tree, str(self.path), "exec", dont_inherit=True)
        if not mutant.scope:
            self._exchange_constants(module, made)
            return
        exchanged = 0
        for code in _codes(made):
            for function in self.alive.get(_place(code), []):
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
        before = dict(vars(module))  # it is one of those that get the new constant, and not always the last
        for other in list(sys.modules.values()):
            if str(getattr(other, "__name__", "")).startswith(_OURS):
                for name, value in before.items():
                    new = vars(fresh).get(name, value)
                    plain = not callable(value) and not isinstance(value, types.ModuleType) and name[:2] != "__"
                    if plain and vars(other).get(name) is value and repr(new) != repr(value):
                        setattr(other, name, new)


def _place(code: types.CodeType) -> _Place:
    return code.co_qualname, code.co_firstlineno


def _codes(code: types.CodeType) -> Iterator[types.CodeType]:
    for inner in code.co_consts:
        if isinstance(inner, types.CodeType):
            yield inner
            yield from _codes(inner)


class Court:
    """Runs chosen tests against mutants, in copies of this process.

    Parameters
    ----------
    items
        Tests by name.
    seconds
        What each usually takes; one that takes far longer than that goes on for ever. [s]
    """

    def __init__(self, items: Mapping[str, pytest.Item], seconds: Mapping[str, float]) -> None:
        self.items = items
        self.seconds = seconds

    def passes(self, tests: Sequence[str], jobs: int) -> bool:
        """Whether the tests hold when nothing was changed; without this every verdict would be worth nothing."""
        copies = [self._start(tests[start::jobs], lambda: None, aloud=True) for start in range(jobs)]
        return [_verdict(os.waitpid(pid, 0)[1]) for pid in copies] == ["survived"] * jobs

    def try_all(
        self, subject: Subject, cases: Sequence[tuple[Mutant, Sequence[str]]], jobs: int
    ) -> Iterator[tuple[Mutant, Verdict]]:
        """Try mutants with their tests and give each with its verdict, as they end."""
        running: dict[int, Mutant] = {}
        waiting = list(reversed(cases))
        while waiting or running:
            while waiting and len(running) < jobs:
                mutant, tests = waiting.pop()
                running[self._start(tests, partial(subject.exchange, mutant))] = mutant
            pid, status = os.wait()
            yield running.pop(pid), _verdict(status)

    def _start(self, tests: Sequence[str], change: Callable[[], None], *, aloud: bool = False) -> int:
        pid = os.fork()
        if pid:
            return pid
        os.setsid()
        told = os.dup(1)
        silence = os.open(os.devnull, os.O_RDWR)
        for stream in (0, 1, 2):
            os.dup2(silence, stream)
        signal.alarm(_GRACE)
        try:
            try:
                change()
            except (LookupError, ValueError):  # nothing alive has this code, or it closes over other names
                os._exit(2)
            chosen = [self.items[test] for test in tests if test in self.items]
            for item, after in zip(chosen, [*chosen[1:], None], strict=True):
                signal.alarm(_GRACE + int(_FAR_LONGER * self.seconds.get(item.nodeid, 0)))
                reports = runtestprotocol(item, log=False, nextitem=after)
                faults = [report.longreprtext for report in reports if report.failed]
                if faults:
                    if aloud:
                        os.write(told, f"{item.nodeid}\n{faults[0]}\n".encode())
                    os._exit(1)
        except BaseException:  # noqa: BLE001 - this copy ends here whatever happened, and says that it did
            os._exit(1)
        os._exit(0)


def _verdict(status: int) -> Verdict:
    if os.WIFSIGNALED(status):
        return "for ever" if os.WTERMSIG(status) == signal.SIGALRM else "killed"
    match os.WEXITSTATUS(status):
        case 0:
            return "survived"
        case 2:
            return "not tried"
    return "killed"
