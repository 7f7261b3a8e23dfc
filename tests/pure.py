"""The modules that money depends on, as ``pyproject.toml`` lists them; ``python -m tests.pure`` prints them."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[1]
_MONEY_PATH: Final = "the money path is pure"
_ELSEWHERE: Final = {"settlement/seal/verify.py"}
"""A program of its own, which tests run as one: a process of its own knows nothing of a mutant."""


def pure() -> list[str]:
    """Name the modules that money depends on: those that must be pure, and the one that rounds."""
    tree = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    (contract,) = (one for one in tree["tool"]["importlinter"]["contracts"] if one["name"] == _MONEY_PATH)
    found = {"core/money.py"}
    for name in contract["source_modules"]:
        place = ROOT / name.replace(".", "/")
        files = place.rglob("*.py") if place.is_dir() else [place.with_suffix(".py")]
        found |= {file.relative_to(ROOT).as_posix() for file in files if file.name != "__init__.py"}
    return sorted(found - _ELSEWHERE)


if __name__ == "__main__":
    print(",".join(pure()))
