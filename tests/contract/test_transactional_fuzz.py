"""Schemathesis writes requests from our document, good and bad ones: no answer is a 5xx or leaves the document."""

from __future__ import annotations

import json
from typing import Any

import pytest
import requests
import schemathesis
from django.test import Client
from hypothesis import HealthCheck, Phase, given, seed, settings
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from config.openapi import surface_schema
from messaging.models import Message
from otp.models import OtpPolicy
from tenants.services.keys import SCOPES, api_key_create

CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
BASE_URL = "http://localhost/api/v1"
EXAMPLES = 25


def call(case: Any, key: str) -> schemathesis.Response:
    """Send the case through Django's test client, within the test's transaction."""
    options = case.as_transport_kwargs(base_url=BASE_URL, headers={"X-API-Key": key})
    names = ("method", "url", "headers", "params", "data", "json", "cookies", "files")
    prepared = requests.Request(**{name: options[name] for name in names if name in options}).prepare()
    headers = {
        name: value if isinstance(value, str) else value.decode("latin-1") for name, value in prepared.headers.items()
    }
    body = prepared.body.encode() if isinstance(prepared.body, str) else prepared.body or b""
    answer = Client(raise_request_exception=False).generic(
        prepared.method,
        prepared.url.removeprefix("http://localhost"),
        body,
        content_type=headers.pop("Content-Type", ""),
        headers=headers,
    )
    answered = {name.lower(): [value] for name, value in answer.headers.items()}
    return schemathesis.Response(answer.status_code, answered, answer.content, prepared, elapsed=0.0, verify=False)


@pytest.mark.timeout(120)
@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
def test_no_request_gets_a_5xx_or_an_answer_that_the_document_does_not_know(
    in_schema: Any, channel: Any, mode: Any
) -> None:
    OtpPolicy.objects.update(resend_after_seconds=0)
    _, plain = api_key_create(
        organization=in_schema, name="k", mode="live", scopes=SCOPES["transactional"], rate_per_minute=1_000_000
    )
    schema = schemathesis.openapi.from_dict(json.loads(json.dumps(surface_schema("transactional"))))
    seen: dict[str, set[int]] = {}

    def check(case: Any) -> None:
        # A random provider is always unknown: with a real one the request gets further.
        if isinstance(case.body, dict) and isinstance(case.body.get("providerId"), str):
            case.body["providerId"] = str(channel.uuid)
        response = call(case, plain)
        seen.setdefault(case.operation.label, set()).add(response.status_code)
        case.validate_response(response, checks=CHECKS)

    bounded = settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    for result in schema.get_all_operations():
        cases = result.ok().as_strategy(generation_mode=mode)
        seed(20261122)(bounded(given(case=cases)(check)))()
    assert len(seen) == 8
    if mode is GenerationMode.POSITIVE:
        assert 200 in seen["GET /providers"]
        assert Message.objects.exists()
    else:
        assert all(422 in statuses for label, statuses in seen.items() if label.startswith("POST")), seen
