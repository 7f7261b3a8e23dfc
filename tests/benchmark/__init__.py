"""Measurements: each ``bench_*.py`` prints lines ``name value unit``; `run` compares them with ``floors.toml``."""
