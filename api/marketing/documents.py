"""How the operations read in the OpenAPI document."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, Final

from drf_spectacular.utils import extend_schema

from api.documents import SurfaceDocument
from api.marketing.errors import PROBLEMS
from api.marketing.outputs.answers import Meta, Refusal
from api.outputs import Output

_STATUS_TEXT: Final = {
    400: "The body cannot be read, or the state does not allow it now.",
    401: "The token is missing, unknown or expired, or its member or organisation is suspended.",
    403: "The member may not do this.",
    404: "There is no such object in this organisation.",
    405: "The method is not possible here.",
    409: "The same request is still running.",
    413: "The body is too large.",
    422: "Some fields are not valid; `errors` names them.",
    429: "A rate is used up.",
    500: "Something went wrong on our side.",
    503: "The service is briefly not available.",
}


def _problem_example(code: str) -> dict[str, Any]:
    _status, message = PROBLEMS[code]
    if code == "validation_failed":
        return {"message": str(message), "errors": {"email": ["The email field is required."]}}
    return {"message": str(message)}


operation: Callable[..., Callable[[Any], Any]] = SurfaceDocument(
    problems={code: (status, str(text)) for code, (status, text) in PROBLEMS.items()},
    problem=Refusal,
    problem_type="application/json",
    problem_example=_problem_example,
    status_text=_STATUS_TEXT,
    always=("token_missing", "scope_missing", "rate_limited"),
    with_body=("invalid_json", "body_too_large", "validation_failed"),
    path_schemas={"id": {"type": "integer"}},
).operation


def file_operation(*, fields: Mapping[str, Any], **options: Any) -> Callable[[Any], Any]:
    """An operation whose body is a form with a `file`, and the further `fields` (name -> JSON Schema)."""
    codes = (*options.pop("errors", ()), "invalid_form", "body_too_large", "validation_failed")
    properties = {"file": {"type": "string", "format": "binary"}, **fields}
    schema = {"type": "object", "required": ["file"], "properties": properties}
    decorate = operation(**options, errors=codes)

    def described(handler: Any) -> Any:
        return extend_schema(request={"multipart/form-data": schema})(decorate(handler))

    return described


def data_of(component: str, row: Any, *, message: bool = False, meta: bool = False) -> type[Output]:
    """The class of an answer `{"message", "data", "meta"}` whose `data` is of type `row`, for the document."""
    fields: list[tuple[str, Any]] = []
    if message:
        fields.append(("message", str))
    fields.append(("data", row))
    if meta:
        fields.append(("meta", Meta))
    made = dataclasses.make_dataclass(
        component, fields, bases=(Output,), frozen=True, namespace={"component": component}
    )
    return made
