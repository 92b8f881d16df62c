"""The words around the reference on /docs/gateway/: what a vendor must know before the first call."""

from __future__ import annotations

from dataclasses import dataclass

from api.gateway.errors import PROBLEMS
from tenants.models import ApiKey
from tenants.services.keys import SCOPES


@dataclass(frozen=True, slots=True)
class Guide:
    """`scopes`: (name, what it allows); `problems`: (status, code, title), by status."""

    scopes: list[tuple[str, str]]
    problems: list[tuple[int, str, str]]
    template: str = "docs/gateway_guide.html"


def guide() -> Guide:
    """The tables of the guide, from the tables that the API itself reads."""
    scopes = [(name, str(text)) for name, text in SCOPES[ApiKey.Surface.GATEWAY].items()]
    problems = [(status, code, title) for code, (status, title) in PROBLEMS.items()]
    return Guide(scopes, sorted(problems, key=lambda row: row[0]))
