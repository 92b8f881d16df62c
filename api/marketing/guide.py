"""The words around the reference on /docs/marketing/: what a marketer's program must know before the first call."""

from __future__ import annotations

from dataclasses import dataclass

from api.marketing.errors import PROBLEMS
from tenants.models import Membership
from tenants.roles import PERMISSIONS, ROLE_PERMISSIONS


@dataclass(frozen=True, slots=True)
class Guide:
    """`permissions`: (name, what it allows, roles that have it); `problems`: (status, code, message), by status."""

    permissions: list[tuple[str, str, str]]
    problems: list[tuple[int, str, str]]
    template: str = "docs/marketing_guide.html"


def guide() -> Guide:
    """The tables of the guide, from the tables that the API itself reads."""
    permissions = [
        (name, str(text), ", ".join(role for role in Membership.Role.values if name in ROLE_PERMISSIONS[role]))
        for name, text in PERMISSIONS.items()
    ]
    problems = [(status, code, str(text)) for code, (status, text) in PROBLEMS.items()]
    return Guide(permissions, sorted(problems, key=lambda row: row[0]))
