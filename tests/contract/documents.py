"""The published documents, when they are next to the checkout."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

CONTRACTS = Path(__file__).resolve().parents[2].parent / "shared" / "contracts"


def document(name: str) -> dict[str, Any]:
    """The OpenAPI document `name`; skips the test where the documents are not at hand."""
    path = CONTRACTS / name
    if not path.exists():
        pytest.skip(f"{name} is not next to this checkout (shared/contracts)")
    loaded: dict[str, Any] = json.loads(path.read_text())
    return loaded


def resolved(schema: dict[str, Any], whole: dict[str, Any]) -> dict[str, Any]:
    """`schema` with its reference followed and its `allOf` merged."""
    if "$ref" in schema:
        return resolved(whole["components"]["schemas"][schema["$ref"].rpartition("/")[2]], whole)
    if "allOf" in schema:
        parts = [resolved(part, whole) for part in schema["allOf"]]
        return {
            "type": "object",
            "properties": {name: value for part in parts for name, value in part.get("properties", {}).items()},
        }
    return schema


def differences(
    promised: dict[str, Any], ours: dict[str, Any], promise: dict[str, Any], whole: dict[str, Any]
) -> list[str]:
    """What `ours` (within `whole`) does not keep of `promised` (within `promise`); more fields than that are fine."""
    promised, ours = resolved(promised, promise), resolved(ours, whole)
    found = [
        f"{word}: {promised[word]!r} became {ours.get(word)!r}"
        for word in ("type", "format", "nullable", "default", "maxLength")
        if word in promised and promised[word] != ours.get(word)
    ]
    if "enum" in promised and sorted(promised["enum"]) != sorted(ours.get("enum", [])):
        found.append(f"enum: {promised['enum']} became {ours.get('enum')}")
    if "nullable" not in promised and ours.get("nullable"):
        found.append("became nullable")
    for name, part in promised.get("properties", {}).items():
        if name not in ours.get("properties", {}):
            found.append(f"{name} is missing")
            continue
        inner = differences(part, ours["properties"][name], promise, whole)
        found += [f"{name}.{text}" for text in inner]
    for word in ("items", "additionalProperties"):
        if word in promised:
            found += [f"{word}.{text}" for text in differences(promised[word], ours.get(word, {}), promise, whole)]
    return found


def check(value: Any, schema: dict[str, Any], whole: dict[str, Any]) -> None:
    """Validate `value`; references are followed within `whole`. Raises jsonschema's `ValidationError`."""
    validator = jsonschema.Draft7Validator(
        _plain({**schema, "components": whole["components"]}), format_checker=jsonschema.FormatChecker()
    )
    validator.validate(value)


def _plain(schema: Any) -> Any:
    """OpenAPI 3.0's `nullable` in the words of JSON Schema."""
    if isinstance(schema, list):
        return [_plain(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    plain = {name: _plain(value) for name, value in schema.items() if name != "nullable"}
    return {"anyOf": [plain, {"type": "null"}]} if schema.get("nullable") is True else plain
