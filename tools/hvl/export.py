# SPDX-License-Identifier: Apache-2.0
"""json, csv and the schema: the log for other programs."""
from __future__ import annotations

import csv
import io
import json
from typing import Any, Dict, List, Optional

from .escape import Ready, cell, to_json
from .fields import CSV_FIELDS, FIELDS, JSON_FIELDS, JSON_OTHER, TIMES, View, shown
from .record import DECISIONS, Rec, seconds
from .run import Output, Run


def json_line(rec: Rec, view: View, names: Optional[List[str]]) -> str:
    """Times as decimal numbers with all nine digits, which a float cannot promise."""
    if names is None:
        names = JSON_FIELDS if rec.kind in DECISIONS else JSON_OTHER
    parts = ['"v":1']
    view.of(rec)
    for name in names:
        if name in TIMES:
            value = FIELDS[name](view)
            text = seconds(value) if isinstance(value, int) else "null"
        else:
            text = json.dumps(FIELDS[name].json(view))
        parts.append(f'"{name}":{text}')
    return "{" + ",".join(parts) + "}"


def write_json(run: Run, out: Output, names: Optional[List[str]]) -> None:
    for rec, view in run.records():
        out.line(json_line(rec, view, names))


def write_csv(run: Run, out: Output, names: Optional[List[str]]) -> None:
    columns = names or CSV_FIELDS
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(columns)
    for rec, view in run.records():
        if run.test is None and rec.kind not in DECISIONS:  # columns of a table of decisions, unless told otherwise
            continue
        view.of(rec)
        writer.writerow([cell(shown(name, view)) for name in columns])
        if buffer.tell() > 1 << 16:
            _drain(buffer, out)
    _drain(buffer, out)


def _drain(buffer: io.StringIO, out: Output) -> None:
    out.raw(buffer.getvalue().encode("utf-8", "backslashreplace"))
    buffer.seek(0)
    buffer.truncate()


def schema() -> Ready:
    """JSON Schema of a line of `json`, which also lists the fields for filters and --fields."""
    properties: Dict[str, Any] = {"v": {"const": 1, "description": "version of this form"}}
    for name, field in FIELDS.items():
        if field.hexadecimal:
            kind: Dict[str, Any] = {"type": ["string", "null"], "pattern": "^0x[0-9a-f]+$"}
        elif name in TIMES:
            kind = {"type": ["number", "null"]}
        else:
            kind = {"type": ["integer" if field.numeric else "string", "null"]}
        kind["description"] = field.about
        properties[name] = kind
    return to_json({"$schema": "https://json-schema.org/draft/2020-12/schema",
                    "title": "a record of Charter's log, as log_decode.py json writes it",
                    "type": "object", "required": ["v"], "properties": properties, "additionalProperties": False,
                    "x-default-fields": {"decision": JSON_FIELDS, "other": JSON_OTHER, "csv": CSV_FIELDS}}, 1)
