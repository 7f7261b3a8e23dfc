"""What Grafana's PostgreSQL data source makes of a panel's query before the database sees it.

The browser puts in the dashboard's variables; the server puts in the interval, then its ``$__macros``. Written from the
behaviour of the plugin, with its traps: a macro's arguments end at the first ``)``, are split at every comma, and
``$__timeGroup`` followed directly by a comma names its column.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

_MACRO = re.compile(r"\$(__[_a-zA-Z0-9]+)\(([^)]*)\)(,?)")
_VARIABLE = re.compile(r"\$\{([a-zA-Z]\w*)\}|\$([a-zA-Z]\w*)")
_DURATION = re.compile(r"(\d+)(ms|s|m|h)")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


class MacroError(ValueError):
    """Grafana would show an error in the panel."""


@dataclass(frozen=True)
class Panel:
    """The circumstances a query is expanded in: the chosen range, and what the data source is set to."""

    start: datetime
    end: datetime
    timescaledb: bool
    interval: timedelta = timedelta(minutes=15)

    def expand(self, sql: str, variables: Mapping[str, str | Sequence[str]]) -> str:
        """Return the SQL as it is sent to the database.

        Raises
        ------
        MacroError
            If a macro is unknown or wrongly used, or a variable is not declared.
        """
        sql = _put_variables(sql, variables)
        seconds = self.interval.total_seconds()
        sql = sql.replace("$__interval_ms", str(int(seconds * 1000))).replace("$__interval", f"{seconds:.0f}s")
        sql = sql.replace("$__unixEpochFrom()", str(_epoch(self.start)))
        sql = sql.replace("$__unixEpochTo()", str(_epoch(self.end)))
        return _MACRO.sub(self._macro, sql)

    def _macro(self, match: re.Match[str]) -> str:
        name, raw, comma = match.groups()
        arguments = [argument.strip(" ") for argument in raw.split(",")]
        if name == "__timeGroup" and comma:
            name = "__timeGroupAlias"
        try:
            expansion = self._expansions[name]
        except KeyError:
            raise MacroError(f"unknown macro ${name}") from None
        return expansion(arguments) + comma

    @property
    def _expansions(self) -> dict[str, Callable[[list[str]], str]]:
        start, end = _literal(self.start), _literal(self.end)
        first, last = _epoch(self.start), _epoch(self.end)
        return {
            "__time": lambda a: f'{_column(a)} AS "time"',
            "__timeEpoch": lambda a: f'extract(epoch from {_column(a)}) as "time"',
            "__timeFilter": lambda a: f"{_column(a)} BETWEEN {start} AND {end}",
            "__timeFrom": lambda _: start,
            "__timeTo": lambda _: end,
            "__timeGroup": self._time_group,
            "__timeGroupAlias": lambda a: f'{self._time_group(a)} AS "time"',
            "__unixEpochFilter": lambda a: f"{_column(a)} >= {first} AND {_column(a)} <= {last}",
            "__unixEpochNanoFilter": lambda a: f"{_column(a)} >= {first}000000000 AND {_column(a)} <= {last}000000000",
            "__unixEpochNanoFrom": lambda _: f"{first}000000000",
            "__unixEpochNanoTo": lambda _: f"{last}000000000",
            "__unixEpochGroup": _epoch_group,
            "__unixEpochGroupAlias": lambda a: f'{_epoch_group(a)} AS "time"',
        }

    def _time_group(self, arguments: list[str]) -> str:
        width = _width(arguments)
        if self.timescaledb:
            return f"time_bucket('{width:.3f}s',{arguments[0]})"
        return f"floor(extract(epoch from {arguments[0]})/{width:.0f})*{width:.0f}"


def _put_variables(sql: str, variables: Mapping[str, str | Sequence[str]]) -> str:
    def value(match: re.Match[str]) -> str:
        name = match[1] or match[2]
        if name not in variables:
            raise MacroError(f"the variable ${name} is not declared")
        chosen = variables[name]
        if isinstance(chosen, str):
            return chosen.replace("'", "''")  # one value: no quotes are added
        return ",".join("'" + one.replace("'", "''") + "'" for one in chosen)

    return _VARIABLE.sub(value, sql)


def _column(arguments: list[str]) -> str:
    if not arguments[0]:
        raise MacroError("missing time column argument for macro")
    return arguments[0]


def _width(arguments: list[str]) -> float:
    """Seconds of a group; days and longer are refused: Grafana counts them in UTC, and from today."""
    if len(arguments) < 2:
        raise MacroError("macro needs a time column and an interval")
    match = _DURATION.fullmatch(arguments[1].strip("'\""))
    if match is None:
        raise MacroError(f"interval {arguments[1]} is none, or of days that would not be local ones")
    fill = arguments[2:3]
    if fill and fill[0] not in {"NULL", "previous"} and not re.fullmatch(r"-?\d+(\.\d+)?", fill[0]):
        raise MacroError(f"unknown fill mode {fill[0]}")
    return int(match[1]) * _SECONDS[match[2]]


def _epoch_group(arguments: list[str]) -> str:
    width = f"{_width(arguments):.0f}"
    return f"floor(({arguments[0]})/{width})*{width}"


def _literal(moment: datetime) -> str:
    text = moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f").rstrip("0").rstrip(".")
    return f"'{text}Z'"


def _epoch(moment: datetime) -> int:
    return int(moment.timestamp())
