# SPDX-License-Identifier: Apache-2.0
"""Pieces of JSON Schema, for modifiers.py and json_schema.py."""
from __future__ import annotations

from typing import Any, Dict, List, Optional

Json = Dict[str, Any]
NUMBER: Json = {"anyOf": [{"type": "integer"}, {"type": "string", "pattern": "^[-+]?[0-9][0-9a-fA-FxX_]*[KMG]?$"}]}
RANGE: Json = {"anyOf": [{"type": "integer"}, {"type": "string"}]}
TEXT: Json = {"type": "string"}


def closed(properties: Json, patterns: Optional[Json] = None, required: Optional[List[str]] = None) -> Json:
    out: Json = {"type": "object", "additionalProperties": False, "properties": properties}
    if patterns:
        out["patternProperties"] = patterns
    if required:
        out["required"] = required
    return out


def word(values: Dict[str, str]) -> Json:
    """One of these words, each with its own description; a `description` of the whole would hide the key's."""
    return {"enum": list(values), "enumDescriptions": list(values.values())}
