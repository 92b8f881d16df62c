"""A software vendor that calls the gateway API."""

from __future__ import annotations

import json
from typing import Any

from django.test import Client

ROOT = "/v1"


class Vendor:
    """Calls below /v1 with one key; answers are Django's test responses."""

    def __init__(self, key: str | None, **defaults: Any) -> None:
        self.key = key
        self.client = Client(**defaults)

    def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        headers: dict[str, str] | None = None,
        **query: str,
    ) -> Any:
        own = {"Authorization": f"Bearer {self.key}"} if self.key else {}
        data = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        return self.client.generic(
            method,
            ROOT + path,
            data,
            content_type="application/json",
            headers=own | (headers or {}),
            query_params=query,
        )

    def get(self, path: str, **query: str) -> Any:
        return self.call("GET", path, **query)

    def post(self, path: str, body: Any, headers: dict[str, str] | None = None) -> Any:
        return self.call("POST", path, body, headers)

    def delete(self, path: str, **query: str) -> Any:
        return self.call("DELETE", path, **query)


def refusal(response: Any) -> tuple[int, str]:
    """(status, code) of an error, after checking its form."""
    assert response["Content-Type"] == "application/json"
    document = response.json()
    assert document["success"] is False
    assert set(document["error"]) >= {"code", "message", "fields"}
    assert document["error"]["message"]
    assert document["requestId"] == response["X-Request-Id"]
    return response.status_code, document["error"]["code"]


def wrong_fields(response: Any) -> set[str]:
    """The fields that an error names."""
    refusal(response)
    return set(response.json()["error"]["fields"])
