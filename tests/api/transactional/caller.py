"""A back end that calls the transactional API."""

from __future__ import annotations

import json
from typing import Any

from django.test import Client

ROOT = "/api/v1"


class Caller:
    """Calls below /api/v1 with one key; `json` bodies, answers as Django's test responses."""

    def __init__(self, key: str | None, **defaults: Any) -> None:
        self.key = key
        self.client = Client(**defaults)

    def headers(self, given: dict[str, str] | None) -> dict[str, str]:
        return ({"X-API-Key": self.key} if self.key else {}) | (given or {})

    def get(self, path: str, headers: dict[str, str] | None = None) -> Any:
        return self.client.get(ROOT + path, headers=self.headers(headers))

    def post(self, path: str, body: Any, headers: dict[str, str] | None = None) -> Any:
        return self.raw(path, json.dumps(body), headers)

    def raw(
        self,
        path: str,
        body: str | bytes,
        headers: dict[str, str] | None = None,
        content_type: str = "application/json",
    ) -> Any:
        return self.client.post(ROOT + path, data=body, content_type=content_type, headers=self.headers(headers))


def problem(response: Any) -> tuple[int, str]:
    """(status, code) of a problem document, after checking its form."""
    assert response["Content-Type"] == "application/problem+json"
    document = response.json()
    assert set(document) >= {"type", "title", "status", "detail", "code", "instance", "request_id", "errors"}
    assert document["status"] == response.status_code
    assert document["request_id"] == response["X-Request-Id"]
    assert document["instance"] == response.wsgi_request.path
    assert document["type"].endswith(f"/docs/transactional/#{document['code']}")
    assert document["title"]
    return response.status_code, document["code"]


def wrong_fields(response: Any) -> dict[str, str]:
    """Field -> code of a 422."""
    assert response.status_code == 422, response.content
    return {error["field"]: error["code"] for error in response.json()["errors"]}
