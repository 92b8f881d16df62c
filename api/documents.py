"""How a surface's operations read in its OpenAPI document: bodies, parameters, answers, errors, examples."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from drf_spectacular.utils import OpenApiExample, OpenApiParameter, OpenApiResponse, extend_schema

from api.bodies import MISSING, Body, members_of
from api.outputs import Output

_RATE_HEADERS: Final = {
    "X-RateLimit-Limit": "Requests per minute of this key.",
    "X-RateLimit-Remaining": "What is left now.",
    "X-RateLimit-Reset": "Unix time at which all of it is there again.",
}
_IDEMPOTENCY: Final = OpenApiParameter(
    name="Idempotency-Key",
    type=str,
    location=OpenApiParameter.HEADER,
    required=False,
    description="1 to 255 printable characters. The same request with the same key within 24 hours has no second "
    "effect: it gets the first answer, with `Idempotent-Replayed: true`.",
)


@dataclass(frozen=True, slots=True)
class SurfaceDocument:
    """One surface's table of errors and the form that they have; `operation` decorates its handlers.

    `problems`: code -> (status, title). `always` are codes that every operation has, `with_body` those with a body.
    """

    problems: Mapping[str, tuple[int, str]]
    problem: type[Output]
    problem_type: str
    problem_example: Callable[[str], dict[str, Any]]
    status_text: Mapping[int, str]
    always: tuple[str, ...]
    with_body: tuple[str, ...]
    # Path parameter -> JSON Schema, where it is not a plain text.
    path_schemas: Mapping[str, dict[str, Any]]

    def operation(
        self,
        *,
        id: str,
        tag: str,
        summary: str,
        description: str,
        answer: type[Output],
        done: str,
        scope: str = "",
        status: int = 200,
        body: type[Body] | None = None,
        form: type[Body] | None = None,
        query: type[Body] | None = None,
        errors: tuple[str, ...] = (),
        idempotent: bool = False,
        is_public: bool = False,
        path: Mapping[str, str] | None = None,
    ) -> Callable[[Any], Any]:
        """Describe one operation. `errors` are codes beyond those that every operation has; `path`: name -> meaning.

        `form`: the body's other form, sent as multipart/form-data.
        """
        codes = (*(() if is_public else self.always), *(self.with_body if body else ()), *errors)
        parameters = [_IDEMPOTENCY] if idempotent else []
        for name, meaning in (path or {}).items():
            schema = self.path_schemas.get(name, {"type": "string"})
            parameters.append(OpenApiParameter(name, schema, "path", description=meaning))
        parameters += _query_parameters(query)
        statuses = {self.problems[code][0] for code in codes}
        responses: dict[Any, OpenApiResponse] = {status: _answer(answer, done)}
        responses |= {(one, self.problem_type): self._problem(one, codes) for one in sorted(statuses)}
        decorate: Callable[[Any], Any] = extend_schema(
            operation_id=id,
            tags=[tag],
            summary=summary,
            description=f"{description}\n\nScope: `{scope}`." if scope else description,
            request={"application/json": body, "multipart/form-data": form} if form else body,
            parameters=[*parameters, *([] if is_public else _rate_headers({status, *statuses}))],
            responses=responses,
            examples=_request_examples(body),
            extensions={"x-scope": scope} if scope else {},
        )
        return decorate

    def _problem(self, status: int, codes: tuple[str, ...]) -> OpenApiResponse:
        own = [code for code in codes if self.problems[code][0] == status]
        examples = [OpenApiExample(code, value=self.problem_example(code), response_only=True) for code in own]
        return OpenApiResponse(self.problem, description=self.status_text[status], examples=examples)


def _answer(answer: type[Output], description: str) -> OpenApiResponse:
    examples = [OpenApiExample(name, value=value, response_only=True) for name, value in answer.examples.items()]
    return OpenApiResponse(answer, description=description, examples=examples)


def _request_examples(body: type[Body] | None) -> list[OpenApiExample]:
    if body is None:
        return []
    return [OpenApiExample(name, value=value, request_only=True) for name, value in body.examples.items()]


def _query_parameters(query: type[Body] | None) -> list[OpenApiParameter]:
    found = []
    for member in members_of(query) if query else ():
        schema = member.kind.schema()
        if member.default is not MISSING and member.default is not None:
            schema["default"] = member.default
        required = member.default is MISSING
        found.append(OpenApiParameter(member.name, schema, "query", required=required, description=member.help))
    return found


def _rate_headers(statuses: set[int]) -> list[OpenApiParameter]:
    counted = sorted(status for status in statuses if status != 401)
    return [
        OpenApiParameter(name, int, OpenApiParameter.HEADER, response=counted, description=text)
        for name, text in _RATE_HEADERS.items()
    ]
