"""Requests that schemathesis writes from one of our documents, sent within the test's transaction."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import requests
import schemathesis
from django.test import Client
from hypothesis import HealthCheck, Phase, given, seed, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from config.openapi import surface_schema

_CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
_HOST = "http://localhost"


def answers_checked(
    *,
    surface: str,
    root: str,
    headers: dict[str, str],
    mode: Any,
    examples: int,
    prepare: Callable[[Any], None],
    skipped: frozenset[str] = frozenset(),
) -> dict[str, set[int]]:
    """Send `examples` requests to every operation of the surface at `root`; operation -> the statuses that came.

    `prepare(case)` may put real ids into a request. Every answer must be none of 5xx and as the document says.
    """
    schema = schemathesis.openapi.from_dict(json.loads(json.dumps(surface_schema(surface))))
    seen: dict[str, set[int]] = {}

    def run(case: Any) -> None:
        prepare(case)
        response = _sent(case, root, headers)
        seen.setdefault(case.operation.label, set()).add(response.status_code)
        case.validate_response(response, checks=_CHECKS)

    bounded = settings(
        max_examples=examples,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    for result in schema.get_all_operations():
        operation = result.ok()
        if operation.label not in skipped:
            seed(20261122)(bounded(given(case=operation.as_strategy(generation_mode=mode))(run)))()
    return seen


def _sent(case: Any, root: str, headers: dict[str, str]) -> schemathesis.Response:
    options = case.as_transport_kwargs(base_url=_HOST + root, headers=headers)
    names = ("method", "url", "headers", "params", "data", "json", "cookies", "files")
    prepared = requests.Request(**{name: options[name] for name in names if name in options}).prepare()
    given_headers = {
        name: value if isinstance(value, str) else value.decode("latin-1") for name, value in prepared.headers.items()
    }
    body = prepared.body.encode() if isinstance(prepared.body, str) else prepared.body or b""
    answer = Client(raise_request_exception=False).generic(
        prepared.method,
        prepared.url.removeprefix(_HOST),
        body,
        content_type=given_headers.pop("Content-Type", ""),
        headers=given_headers,
    )
    answered = {name.lower(): [value] for name, value in answer.headers.items()}
    return schemathesis.Response(answer.status_code, answered, answer.content, prepared, elapsed=0.0, verify=False)
