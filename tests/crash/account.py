"""What the publisher's log says must be there, against what is there."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from pathlib import Path

from tests.crash.publisher import METERS, meter_id, time_of, value_of

Key = tuple[int, int]
Row = tuple[str, datetime, Decimal]


@dataclass
class Account:
    """Meters and sequence numbers that were sent, each with its message, and what the broker acknowledged of them."""

    sent: dict[Key, int] = field(default_factory=dict)
    acknowledged: set[Key] = field(default_factory=set)
    messages: int = 0
    duplicates: int = 0

    @classmethod
    def read(cls, log: Path) -> Account:
        """Read the log of a publisher, also of one that is still writing."""
        account = cls()
        for line in log.read_text(encoding="ascii").splitlines(keepends=True):
            if not line.endswith("\n"):
                break
            letter, meter, first, count = line[0], *map(int, line[2:].split())
            keys = {(meter, number) for number in range(first, first + count)}
            if letter == "A":
                account.acknowledged |= keys
                continue
            account.messages += 1
            account.duplicates += letter == "D"
            if letter == "S":
                account.sent |= dict.fromkeys(keys, account.messages)
        return account

    def messages_of(self, keys: Iterable[Key]) -> int:
        """Return how many messages brought these readings first."""
        return len({self.sent[key] for key in keys})

    def audit(self, rows: Iterable[Row]) -> Audit:
        """Compare with the rows of the table."""
        expected = {(meter_id(meter), time_of(number)): (meter, number) for meter, number in self.sent}
        found: set[Key] = set()
        audit = Audit()
        for meter, time, value in rows:
            key = expected.get((meter, time))
            if key is None:
                audit.strangers.append((meter, time, value))
            elif key in found:
                audit.twice.append(key)
            elif value != value_of(*key):
                audit.wrong.append((*key, value))
            if key is not None:
                found.add(key)
        audit.missing = sorted(self.acknowledged - found)
        return audit


@dataclass
class Audit:
    """What is wrong; nothing when all lists are empty."""

    missing: list[Key] = field(default_factory=list)
    twice: list[Key] = field(default_factory=list)
    wrong: list[tuple[int, int, Decimal]] = field(default_factory=list)
    strangers: list[Row] = field(default_factory=list)

    def __str__(self) -> str:
        lines = [f"missing: {len(self.missing)}"]
        for meter in range(METERS):
            numbers = [number for one, number in self.missing if one == meter]
            if numbers:
                lines.append(f"  meter {meter}: {in_stretches(numbers)}")
        for name in ("twice", "wrong", "strangers"):
            found = getattr(self, name)
            lines.append(f"{name}: {len(found)} {found[:20] if found else ''}".rstrip())
        return "\n".join(lines)

    @property
    def clean(self) -> bool:
        """Whether everything acknowledged is there once, with its value, and nothing else is."""
        return not (self.missing or self.twice or self.wrong or self.strangers)


def in_stretches(numbers: Iterable[int]) -> str:
    """Write sorted numbers shortly: ``3-5 9``."""
    stretches: list[list[int]] = []
    for number in numbers:
        if stretches and number == stretches[-1][1] + 1:
            stretches[-1][1] = number
        else:
            stretches.append([number, number])
    return " ".join(str(a) if a == b else f"{a}-{b}" for a, b in stretches)
