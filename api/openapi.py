"""Teaches drf-spectacular our request bodies and answers: each becomes a named component."""

from __future__ import annotations

from typing import Any

from drf_spectacular.extensions import OpenApiSerializerExtension
from drf_spectacular.plumbing import ResolvedComponent

from api.bodies import Body
from api.outputs import Output


class _ComponentExtension(OpenApiSerializerExtension):  # type: ignore[no-untyped-call]
    match_subclasses = True

    def get_name(self, auto_schema: Any, direction: Any) -> str:
        return str(self.target.component)

    def map_serializer(self, auto_schema: Any, direction: Any) -> dict[str, Any]:
        _nested_register(self.target, auto_schema.registry)
        schema: dict[str, Any] = self.target.schema()
        return schema


class BodyExtension(_ComponentExtension):  # type: ignore[no-untyped-call]
    target_class = "api.bodies.Body"


class OutputExtension(_ComponentExtension):  # type: ignore[no-untyped-call]
    target_class = "api.outputs.Output"


def _nested_register(target: type[Body] | type[Output], registry: Any) -> None:
    for nested in target.nested():
        component = ResolvedComponent(  # type: ignore[no-untyped-call]
            name=nested.component, type=ResolvedComponent.SCHEMA, object=nested, schema=nested.schema()
        )
        registry.register_on_missing(component)
        _nested_register(nested, registry)
