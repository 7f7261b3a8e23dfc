"""``python -m wijkenergie``."""

from __future__ import annotations

from wijkenergie.cli import main

main()
