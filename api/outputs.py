"""JSON answers as dataclasses: the class that is serialised also writes its OpenAPI schema."""

from __future__ import annotations

import dataclasses
import types
import typing
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, ClassVar, Literal, Union
from uuid import UUID

import orjson

_SIMPLE: dict[Any, dict[str, Any]] = {
    str: {"type": "string"},
    int: {"type": "integer"},
    float: {"type": "number"},
    bool: {"type": "boolean"},
    UUID: {"type": "string", "format": "uuid"},
    datetime: {"type": "string", "format": "date-time"},
    date: {"type": "string", "format": "date"},
    # What a provider or a customer decides the form of.
    dict[str, Any]: {"type": "object", "additionalProperties": True},
    Any: {},
}


@dataclass(frozen=True, slots=True)
class Output:
    """Base of answers: attribute names are the JSON names. `component` is the name of its schema.

    Members named in `left_out` are absent from the JSON while their value is None; other None values are null.
    """

    component: ClassVar[str]
    left_out: ClassVar[frozenset[str]] = frozenset()
    # Member -> what it means; whole-answer examples: title -> value.
    notes: ClassVar[dict[str, str]] = {}
    examples: ClassVar[dict[str, dict[str, Any]]] = {}

    def json(self) -> bytes:
        """The answer as UTF-8 JSON; times in UTC as RFC 3339 with Z."""
        value: Any = self
        if self.left_out:
            members = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
            value = {name: item for name, item in members.items() if item is not None or name not in self.left_out}
        return orjson.dumps(value, option=orjson.OPT_UTC_Z)

    @classmethod
    def schema(cls) -> dict[str, Any]:
        """JSON Schema (OpenAPI 3.0) of the answer; answers within it are references."""
        return _schema_of(cls)

    @classmethod
    def nested(cls) -> list[type[Output]]:
        """The answers that the schema refers to."""
        return [found for hint in _hints(cls).values() for found in _outputs_in(hint)]


def _schema_of(output: type[Output]) -> dict[str, Any]:
    hints = _hints(output)
    properties = {}
    for field in dataclasses.fields(output):
        schema = _type_schema(hints[field.name])
        if field.name in output.left_out:
            schema.pop("nullable", None)
        if field.name in output.notes:
            schema["description"] = output.notes[field.name]
        properties[field.name] = schema
    required = [name for name in properties if name not in output.left_out]
    return {"type": "object", "required": required, "properties": properties}


def _hints(output: type[Output]) -> dict[str, Any]:
    return typing.get_type_hints(output)


def _type_schema(hint: Any) -> dict[str, Any]:
    if hint in _SIMPLE:
        return dict(_SIMPLE[hint])
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is Literal:
        return {"type": "string", "enum": list(arguments)}
    if origin is list:
        return {"type": "array", "items": _type_schema(arguments[0])}
    if origin in (Union, types.UnionType):
        (inner,) = [argument for argument in arguments if argument is not type(None)]
        return _type_schema(inner) | {"nullable": True}
    return {"$ref": f"#/components/schemas/{hint.component}"}


def _outputs_in(hint: Any) -> list[type[Output]]:
    if isinstance(hint, type) and issubclass(hint, Output):
        return [hint]
    return [found for argument in typing.get_args(hint) for found in _outputs_in(argument)]
