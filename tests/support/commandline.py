"""The command line in this process: what people type, without waiting for an interpreter each time.

That the program as it is installed starts, reads its environment and ends with its code is tested by starting it, in
tests/integration/test_front_door.py among others.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import structlog

from wijkenergie.cli import main


@dataclass(frozen=True)
class Said:
    """What a command printed, and how it ended."""

    returncode: int
    stdout: str
    stderr: str


@contextmanager
def own_log() -> Iterator[None]:
    """Undo what a command does to the log of its process: it writes to a standard error that is gone afterwards."""
    before, root = structlog.get_config(), logging.getLogger()
    handlers, level = root.handlers[:], root.level
    try:
        yield
    finally:
        structlog.configure(**before)
        root.handlers[:] = handlers
        root.setLevel(level)


@dataclass(frozen=True)
class CommandLine:
    """Runs ``wijkenergie WORDS...`` in a folder, with nobody at the keyboard; an unforeseen failure raises."""

    capsys: pytest.CaptureFixture[str]
    folder: Path
    database_url: str

    def __call__(self, *words: str, **environment: str) -> Said:
        self.capsys.readouterr()
        code: object = 0
        with own_log(), pytest.MonkeyPatch.context() as patch, Path(os.devnull).open(encoding="utf-8") as nobody:
            patch.chdir(self.folder)
            patch.setattr(sys, "argv", ["wijkenergie", *words])
            patch.setattr(sys, "stdin", nobody)
            for name, value in {"WIJKENERGIE_DATABASE_URL": self.database_url, **environment}.items():
                patch.setenv(name, value)
            try:
                main()
            except SystemExit as end:
                code = end.code or 0
        assert isinstance(code, int)
        told = self.capsys.readouterr()
        return Said(code, told.out, told.err)
