"""How fast the simulated building's past is made; prints one line per figure, ``name value unit``.

Run as ``python -m tests.benchmark.bench_history``. Nothing is read from or written to disk, so the figures are those
of the physics and of the text, not of the import.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime

from core.time import Month
from simulators.history import history, history_start
from simulators.truth import settlement_truth
from simulators.world import world_at

NOW = datetime(2026, 12, 31, 23, 45, tzinfo=UTC)


def main() -> None:
    """Measure once, cold."""
    begun = time.perf_counter()
    world_at(1, NOW)
    built = time.perf_counter()
    rows = sum(block.count("\n") for block in history(1, history_start(NOW), NOW))
    written = time.perf_counter()
    settlement_truth(1, Month(2026, 11), NOW)
    settled = time.perf_counter()
    print(f"world_two_years {built - begun:.2f} s")
    print(f"history_rows {rows} rows")
    print(f"history_text {written - built:.2f} s")
    print(f"history_rate {rows / (written - built):.0f} rows/s")
    print(f"settlement_truth {settled - written:.2f} s")


if __name__ == "__main__":
    main()
