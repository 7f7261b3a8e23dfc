"""Grafana's building blocks in its classic JSON: a dashboard of panels, each with one query on the building's views.

Plain dictionaries, because they are the file format; the functions only keep what every panel must have in one place.
Grafana can load a dashboard written for an older schema and none written for a newer one; 42 needs Grafana 12.1.
"""

from __future__ import annotations

from typing import Any, Literal

Json = dict[str, Any]

DATASOURCE: Json = {"type": "grafana-postgresql-datasource", "uid": "wijkenergie"}
SCHEMA_VERSION = 42
COLUMNS = 24


def dashboard(uid: str, title: str, description: str, timezone: str, panels: list[Json], variables: list[Json]) -> Json:
    """Wrap panels; the last seven days, refreshed every five minutes."""
    return {
        "annotations": {"list": []},
        "description": description,
        "editable": False,
        "graphTooltip": 1,
        "id": None,
        "links": [],
        "panels": [panel | {"id": number} for number, panel in enumerate(panels, start=1)],
        "refresh": "5m",
        "schemaVersion": SCHEMA_VERSION,
        "tags": ["wijkenergie"],
        "templating": {"list": variables},
        "time": {"from": "now-7d/d", "to": "now"},
        "timepicker": {},
        "timezone": timezone,
        "title": title,
        "uid": uid,
        "version": 1,
        "weekStart": "monday",
    }


def choice(name: str, label: str, sql: str) -> Json:
    """Let the viewer choose one value; a query says which there are."""
    return {
        "current": {},
        "datasource": DATASOURCE,
        "definition": sql,
        "hide": 0,
        "includeAll": False,
        "label": label,
        "multi": False,
        "name": name,
        "options": [],
        "query": sql,
        "refresh": 1,
        "regex": "",
        "sort": 1,
        "type": "query",
    }


def row(title: str, y: int) -> Json:
    """Put a heading above the panels that follow."""
    return {"collapsed": False, "gridPos": _place(0, y, COLUMNS, 1), "panels": [], "title": title, "type": "row"}


def stat(
    title: str, description: str, sql: str, unit: str, grid: tuple[int, int, int, int], steps: list[Json] | None = None
) -> Json:
    """One figure; ``steps`` are Grafana's thresholds."""
    panel = _panel("stat", title, description, sql, "table", unit, grid)
    if steps is not None:
        panel["fieldConfig"]["defaults"]["thresholds"] = {"mode": "absolute", "steps": steps}
    panel["options"] = {
        "colorMode": "none" if steps is None else "value",
        "graphMode": "none",
        "justifyMode": "auto",
        "orientation": "auto",
        "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
        "textMode": "value",
    }
    return panel


def over_time(
    title: str,
    description: str,
    sql: str,
    unit: str,
    grid: tuple[int, int, int, int],
    style: Literal["line", "bars"] = "line",
    colours: dict[str, str] | None = None,
) -> Json:
    """Series over time; every column of the query beside ``time`` is one, and ``colours`` gives each its own."""
    panel = _panel("timeseries", title, description, sql, "time_series", unit, grid)
    panel["fieldConfig"]["defaults"]["custom"] = {
        "axisLabel": "",
        "barAlignment": 1,  # a bucket is labelled by its start, so its bar stands to the right of that moment
        "drawStyle": style,
        "fillOpacity": 60 if style == "bars" else 10,
        "lineWidth": 1,
        "showPoints": "never",
        "spanNulls": False,  # a gap in the data is a gap in the line
    }
    panel["fieldConfig"]["overrides"] = [
        {
            "matcher": {"id": "byName", "options": name},
            "properties": [{"id": "color", "value": {"fixedColor": colour, "mode": "fixed"}}],
        }
        for name, colour in (colours or {}).items()
    ]
    panel["options"] = {
        "legend": {"calcs": ["sum"] if style == "bars" else [], "displayMode": "list", "placement": "bottom"},
        "tooltip": {"mode": "multi", "sort": "none"},
    }
    return panel


def table(
    title: str, description: str, sql: str, unit: str, grid: tuple[int, int, int, int], units: dict[str, str]
) -> Json:
    """Rows as they come; ``units`` names the unit of columns that differ from ``unit``."""
    panel = _panel("table", title, description, sql, "table", unit, grid)
    panel["fieldConfig"]["overrides"] = [
        {"matcher": {"id": "byName", "options": name}, "properties": [{"id": "unit", "value": value}]}
        for name, value in units.items()
    ]
    panel["options"] = {"cellHeight": "sm", "showHeader": True}
    return panel


def _panel(
    kind: str,
    title: str,
    description: str,
    sql: str,
    form: Literal["table", "time_series"],
    unit: str,
    grid: tuple[int, int, int, int],
) -> Json:
    target = {
        "datasource": DATASOURCE,
        "editorMode": "code",
        "format": form,
        "rawQuery": True,
        "rawSql": sql,
        "refId": "A",
    }
    return {
        "datasource": DATASOURCE,
        "description": description,
        "fieldConfig": {"defaults": {"noValue": "geen gegevens", "unit": unit}, "overrides": []},
        "gridPos": _place(*grid),
        "targets": [target],
        "title": title,
        "type": kind,
    }


def _place(x: int, y: int, width: int, height: int) -> Json:
    return {"h": height, "w": width, "x": x, "y": y}
