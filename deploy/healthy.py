"""Tell a container's health by the exit code: of a web address, or of the worker by its heartbeat in the database.

python deploy/healthy.py http://127.0.0.1:8000/healthz
python deploy/healthy.py worker
"""

from __future__ import annotations

import os
import sys
import urllib.request

import psycopg

SECONDS = 5


def worker_beats(url: str) -> bool:
    """Whether a worker gave a sign of life within the last minute."""
    with psycopg.connect(url, connect_timeout=SECONDS) as connection:
        row = connection.execute(
            "SELECT count(*) FROM procrastinate_workers WHERE last_heartbeat > now() - interval '1 minute'"
        ).fetchone()
    return row is not None and row[0] > 0


def main() -> int:
    """Return 0 when healthy; Docker shows what an exception says."""
    what = sys.argv[1]
    if what == "worker":
        return 0 if worker_beats(os.environ["WIJKENERGIE_DATABASE_URL"]) else 1
    with urllib.request.urlopen(what, timeout=SECONDS) as answer:  # noqa: S310 - the address is compose's own
        return 0 if answer.status == 200 else 1  # noqa: PLR2004 - HTTP's own number


if __name__ == "__main__":
    sys.exit(main())
