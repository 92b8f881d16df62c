"""A marketer's program that calls the marketing API."""

from __future__ import annotations

import json
from typing import Any

from django.test import Client

ROOT = "/api"


class Marketer:
    """Calls below /api with one token; answers are Django's test responses."""

    def __init__(self, token: str | None, **defaults: Any) -> None:
        self.token = token
        self.client = Client(**defaults)

    def call(
        self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None, **query: Any
    ) -> Any:
        own = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        data = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        return self.client.generic(
            method,
            ROOT + path,
            data,
            content_type="application/json",
            headers=own | (headers or {}),
            query_params={name: str(value) for name, value in query.items()},
        )

    def get(self, path: str, **query: Any) -> Any:
        return self.call("GET", path, **query)

    def post(self, path: str, body: Any = None, headers: dict[str, str] | None = None) -> Any:
        return self.call("POST", path, body, headers)

    def put(self, path: str, body: Any) -> Any:
        return self.call("PUT", path, body)

    def delete(self, path: str) -> Any:
        return self.call("DELETE", path)


def wrong_fields(response: Any) -> set[str]:
    """The fields that a 422 names, after checking its form."""
    assert response.status_code == 422, response.content
    document = response.json()
    assert document["message"] == "The given data was invalid."
    assert all(isinstance(texts, list) and all(texts) for texts in document["errors"].values())
    return set(document["errors"])
